//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/stretchr/testify/require"
)

// What a person may wait for a diagnosis, from the Enter key to the last line.
const (
	healthyLimit = 2 * time.Second
	hangingLimit = 10 * time.Second
)

// diagnosed is what fukkyu diagnose says, how it ends, and how long that takes.
func diagnosed(t *testing.T) (seen diagnosis.Diagnosis, exit int, took time.Duration) {
	t.Helper()
	began := time.Now()
	result, err := lab.Fukkyu(t.Context(), "diagnose", "--output", "json")
	took = time.Since(began)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &seen), "%s\n%s", result.Stdout, result.Stderr)
	return seen, result.Exit, took
}

// awaitDiagnosis asks until the diagnosis comes to this conclusion: what Kubernetes says needs some seconds to come true.
func awaitDiagnosis(t *testing.T, is func(diagnosis.Conclusion) bool) diagnosis.Diagnosis {
	t.Helper()
	var seen diagnosis.Diagnosis
	require.NoError(t, estate.Await(t.Context(), "the diagnosis", 90*time.Second, func() (bool, string) {
		seen, _, _ = diagnosed(t)
		return is(seen.Conclusion), seen.Conclusion.Paragraph
	}))
	return seen
}

func awaitHealth(t *testing.T) {
	t.Helper()
	awaitDiagnosis(t, func(c diagnosis.Conclusion) bool { return c.State == diagnosis.StateHealthy })
}

func TestDiagnose_HealthyEstate_SaysSoWithinTwoSeconds(t *testing.T) {
	fresh(t)
	touchesNothing(t)
	staff(t, lab, estate.Crew{})
	awaitHealth(t)
	seen, exit, took := diagnosed(t)
	require.Zero(t, exit, seen.Conclusion.Paragraph)
	require.Less(t, took, healthyLimit)
	t.Logf("%s; the command took %s, the looking %s", seen.Conclusion.Paragraph, took.Round(time.Millisecond), seen.Took.Round(time.Millisecond))
	for _, name := range []string{"diagnosis.json", "diagnosis.md", "logs.tar.gz"} {
		require.FileExists(t, filepath.Join(seen.Bundle, name))
	}
}

// A kubelet knows what its pods use when it has looked at them twice, ten seconds apart.
func TestDiagnose_HealthyEstate_SaysWhatNodesAndPodsUse(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	awaitHealth(t)
	nodes, pods := strings.Fields(kubectl(t, "get", "nodes", "-o", "name")), strings.Fields(kubectl(t, "get", "pods", "-o", "name"))
	var seen diagnosis.Diagnosis
	require.NoError(t, estate.Await(t.Context(), "the usage of every node and pod", 60*time.Second, func() (bool, string) {
		seen, _, _ = diagnosed(t)
		return len(seen.Usage.Nodes) == len(nodes) && len(seen.Usage.Pods) == len(pods), fmt.Sprintf("%+v", seen.Usage)
	}))
	require.Empty(t, seen.Usage.NotMeasured)
	for _, node := range seen.Usage.Nodes {
		require.Contains(t, nodes, "node/"+node.Name)
		require.Positive(t, node.CPU, "a node that runs nothing: %s", node.Name)
		require.Positive(t, node.Memory)
	}
	for _, pod := range seen.Usage.Pods {
		require.Contains(t, pods, "pod/"+pod.Name)
		require.Positive(t, pod.Memory, pod.Name) // an idle one may use less than a thousandth of a core
	}
}

func TestDiagnose_NodeDatabaseAndEndpointHang_NamesThemWithinTenSeconds(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{Site: hangingSite(t)})
	role := look(t).role
	node := nodeOf(t, "postgres-replica-0")
	// The server is stopped in the middle of what it does. Its port goes on to accept connections, so that Kubernetes takes it to be ready.
	kubectl(t, "exec", role, "--", "sh", "-c", `kill -STOP $(find /data -name postmaster.pid -exec head -1 {} \;)`)
	t.Cleanup(func() { _, _ = lab.Lab(t.Context(), "reset") })
	do(t, "break", "freeze", node)
	seen, exit, took := diagnosed(t)
	require.Equal(t, 4, exit)
	require.Less(t, took, hangingLimit)
	t.Logf("%s; the command took %s", seen.Conclusion.Paragraph, took.Round(time.Millisecond))
	for _, named := range []string{node, "shodo", "shodo-ai-server"} {
		require.True(t, slices.ContainsFunc(seen.Findings, func(f diagnosis.Finding) bool { return f.Subject == named && f.Severity != diagnosis.Note }), "%s is not named", named)
	}
	require.Equal(t, "fukkyu run full-outage --by $USER", seen.Conclusion.Command)
}

func nodeOf(t *testing.T, pod string) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}"))
}

// lesserNode is one with a replica, and without anything that there is only one of.
func lesserNode(t *testing.T) string {
	t.Helper()
	for _, pod := range []string{"postgres-replica-0", "postgres-replica-1"} {
		if node := nodeOf(t, pod); node != nodeOf(t, "redis-master-0") && node != nodeOf(t, look(t).role) {
			return node
		}
	}
	require.FailNow(t, "both replicas share their nodes with Redis or the primary")
	return ""
}

// hangingSite is the lab's site, in which the AI server is a port that takes connections and never says anything.
func hangingSite(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	text, err := os.ReadFile(filepath.Join(lab.Dir, "site.yaml"))
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "shodo-ai-server") })
	require.Positive(t, at)
	_, address, found := strings.Cut(strings.Join(lines[at:min(at+2, len(lines))], "\n"), "url: ")
	require.True(t, found)
	address = strings.FieldsFunc(address, func(r rune) bool { return r == '}' || r == '\n' || r == ',' })[0]
	file := filepath.Join(lab.Dir, "site-hanging.yaml") // its references are relative to it
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), address, `"http://`+listener.Addr().String()+`"`, 1)), 0o600))
	return file
}

// The paragraph names the right row of the matrix and the right command for what is really broken.
func TestDiagnose_RealFaults_NamesScenarioAndCommand(t *testing.T) {
	const failover, outage = "fukkyu run database-failover --database shodo --by $USER", "fukkyu run full-outage --by $USER"
	kube := func(args ...string) func(*testing.T) { return func(t *testing.T) { kubectl(t, args...) } }
	shatter := func(args ...string) func(*testing.T) {
		return func(t *testing.T) { do(t, append([]string{"break"}, args...)...) }
	}
	mend := func(t *testing.T) { do(t, "mend", "all") }
	lesser := ""
	cases := []struct {
		name              string
		broken, mended    func(*testing.T)
		scenario, command string
	}{
		{"the primary's node is dead", shatter("power-off", "primary"), func(t *testing.T) { fresh(t) }, "node-failure", failover},
		{"the primary is scaled away", kube("scale", "statefulset", "postgres-primary", "--replicas=0"), kube("scale", "statefulset", "postgres-primary", "--replicas=1"), "database-failover", failover},
		{"a replica lacks its image", kube("set", "image", "statefulset/postgres-replica", "*=127.0.0.1:1/nowhere:1"), func(t *testing.T) {
			kubectl(t, "rollout", "undo", "statefulset/postgres-replica")
			kubectl(t, "delete", "pod", "postgres-replica-1") // Kubernetes does not roll a pod back that never got ready
		}, "", ""},
		{"Redis is scaled away", kube("scale", "statefulset", "redis-master", "--replicas=0"), kube("scale", "statefulset", "redis-master", "--replicas=1"), "redis-recovery", "fukkyu run redis-recovery --redis redis --by $USER"},
		{
			"a rollout crash-loops",
			kube("patch", "deployment", "shodo-frontend", "--type=json", "-p", `[{"op":"add","path":"/spec/template/spec/containers/0/args","value":["nonsense"]}]`),
			kube("rollout", "undo", "deployment/shodo-frontend"), "service-recovery", "fukkyu run service-recovery --service shodo-frontend --by $USER",
		},
		{
			"an image is missing",
			kube("set", "image", "deployment/shodo-ai-server", "*=127.0.0.1:1/nowhere:1"),
			kube("rollout", "undo", "deployment/shodo-ai-server"), "service-recovery", "fukkyu run service-recovery --service shodo-ai-server --by $USER",
		},
		{"a service is scaled to nothing", kube("scale", "deployment", "shodo-ai-server", "--replicas=0"), kube("scale", "deployment", "shodo-ai-server", "--replicas=2"), "service-recovery", "fukkyu run service-recovery --service shodo-ai-server --by $USER"},
		{"everything is scaled to nothing", kube("scale", "deployment", "--all", "--replicas=0"), kube("scale", "deployment", "--all", "--replicas=2"), "full-outage", outage},
		{"the API server is away", shatter("api-server"), func(t *testing.T) { do(t, "mend", "api-server") }, "", ""},
		{"the API server stands still for seconds", shatter("api-server", "--slow", "5s"), func(t *testing.T) { do(t, "mend", "api-server") }, "", ""},
		{"a dependency refuses", shatter("dependency"), func(t *testing.T) { do(t, "mend", "dependency") }, "", ""},
		{"a dependency hangs", shatter("dependency", "--how", "hang"), func(t *testing.T) { do(t, "mend", "dependency") }, "", ""},
		{"a dependency answers 503", shatter("dependency", "--how", "503"), mend, "", ""},
		{"a node of replicas and services is dead", func(t *testing.T) {
			lesser = lesserNode(t)
			do(t, "break", "power-off", lesser)
		}, mend, "node-failure", "fukkyu run node-recovery --node %s --by $USER"},
		{"the primary's disk is full", func(t *testing.T) { do(t, "break", "disk", look(t).role) }, mend, "database-failover", failover}, // its log speaks of it for long: the last case
	}
	fresh(t)
	staff(t, lab, estate.Crew{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			awaitHealth(t)
			c.broken(t)
			broke := time.Now()
			seen := awaitDiagnosis(t, func(conclusion diagnosis.Conclusion) bool {
				return conclusion.State != diagnosis.StateHealthy && conclusion.Scenario == c.scenario && conclusion.Command == strings.ReplaceAll(c.command, "%s", lesser)
			})
			t.Logf("after %s: %s", time.Since(broke).Round(time.Millisecond), seen.Conclusion.Paragraph)
			c.mended(t)
		})
	}
}
