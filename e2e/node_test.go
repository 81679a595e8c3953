//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// shortWatch is less than Kubernetes takes on the lab until it replaces the pods of a lost node, and more than until it sees the loss.
var shortWatch = estate.Changes{"watch: 1m": "watch: 25s"}

// journalManifest is a StatefulSet without volumes, one pod on each of the five nodes: Kubernetes replaces none of them while it may still run.
const journalManifest = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: journal}
spec:
  serviceName: journal
  replicas: 5
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: journal}}
  template:
    metadata: {labels: {app: journal}}
    spec:
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: journal}}}
      containers:
        - {name: main, image: "lab.local/host:1", command: [/usr/bin/sh, -c, "trap exit TERM; sleep 100000 & wait"]}
`

// journal starts the StatefulSet for the length of the test, and returns its pod on a node.
func journal(t *testing.T, node string) string {
	t.Helper()
	manifest := filepath.Join(t.TempDir(), "journal.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(journalManifest), 0o600))
	kubectl(t, "apply", "-f", manifest)
	t.Cleanup(func() {
		_, err := lab.Kubectl(context.WithoutCancel(t.Context()), "delete", "statefulset", "journal", "--wait=false")
		require.NoError(t, err)
	})
	kubectl(t, "rollout", "status", "statefulset/journal", "--timeout=60s")
	pods := strings.Fields(kubectl(t, "get", "pods", "--selector=app=journal", "--field-selector=spec.nodeName="+node, "-o", "name"))
	require.Len(t, pods, 1)
	return pods[0]
}

// recoverNode runs the recovery of lost nodes to its end.
func recoverNode(t *testing.T, flags ...string) (report.Report, estate.Result) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", workflows.NodeLoss.Name, "--by", "yuki", "--output", "json"}, flags...)...)
	require.NoError(t, err)
	var got report.Report
	if result.Exit != 3 {
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result
}

// isOutOfService says whether a node has the mark that empties it.
func isOutOfService(t *testing.T, node string) bool {
	t.Helper()
	return strings.Contains(kubectl(t, "get", "node", node, "-o", "jsonpath={.spec.taints[*].key}"), "node.kubernetes.io/out-of-service")
}

func TestNodeRecovery_TheMachineIsOff_ItsPodsRunElsewhereAndNoMarkIsLeft(t *testing.T) {
	fresh(t)
	node := lesserNode(t)
	pod := journal(t, node)
	staff(t, automatic(t, shortWatch), estate.Crew{})
	do(t, "break", "power-off", node) // Kubernetes takes it to be Ready for some seconds more
	got, result := recoverNode(t, "--node", node)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Zero(t, result.Exit, result.Stderr)
	require.NotEqual(t, node, strings.TrimSpace(kubectl(t, "get", pod, "-o", "jsonpath={.spec.nodeName}")))
	kubectl(t, "wait", "--for=condition=Ready", pod, "--timeout=10s")
	require.False(t, isOutOfService(t, node))
	require.Empty(t, cordoned(t), "a node that comes back is in use again")
	do(t, "mend", "all")
	awaitReady(t, node)
	again, _ := recoverNode(t, "--node", node)
	require.Equal(t, report.Recovered, again.Outcome, again.Summary)
}

func TestNodeRecovery_TheNodeOfThePrimary_NamesTheFailover(t *testing.T) {
	fresh(t)
	node := nodeOf(t, look(t).role)
	staff(t, automatic(t, estate.Changes{"watch: 1m": "watch: 1s"}), estate.Crew{})
	do(t, "break", "power-off", node)
	_, result := recoverNode(t, "--node", node)
	require.Equal(t, 3, result.Exit, result.Stderr)
	require.Contains(t, result.Stderr, "fukkyu run database-failover --database shodo")
	require.False(t, isOutOfService(t, node))
}
