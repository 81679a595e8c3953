package diagnosis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func shodo(t *testing.T) plan.Plan {
	t.Helper()
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	return pinned.Plan
}

// healthy is what is seen of an estate that is well: five machines in three zones.
func healthy() *diagnosis.Diagnosis {
	d := &diagnosis.Diagnosis{
		Plan: "shodo", Region: "ap-northeast-1", Namespace: "shodo", At: now, Counted: diagnosis.Counted{Pods: 10, Workloads: 6},
		Nodes: []diagnosis.Node{
			{Name: "node-a1", Zone: "1a", Ready: true}, {Name: "node-a2", Zone: "1a", Ready: true}, {Name: "node-c1", Zone: "1c", Ready: true},
			{Name: "node-c2", Zone: "1c", Ready: true}, {Name: "node-d1", Zone: "1d", Ready: true},
		},
		Workloads: []diagnosis.Workload{
			{Kind: plan.StatefulSet, Name: "postgres-primary", Desired: 1, Updated: 1, Ready: 1},
			{Kind: plan.StatefulSet, Name: "postgres-replica", Desired: 2, Updated: 2, Ready: 2},
			{Kind: plan.StatefulSet, Name: "redis-master", Desired: 1, Updated: 1, Ready: 1},
		},
		Databases: []diagnosis.Database{{Name: "shodo", Primary: "postgres-primary-0", Service: "postgres-primary-0", Instances: []diagnosis.Instance{
			{Pod: "postgres-primary-0", Node: "node-a1", Zone: "1a", NodeReady: true, PodReady: true, Answers: true, Timeline: 1},
			{Pod: "postgres-replica-0", Node: "node-c1", Zone: "1c", NodeReady: true, PodReady: true, Answers: true, Replica: true, Streams: true, Timeline: 1},
			{Pod: "postgres-replica-1", Node: "node-d1", Zone: "1d", NodeReady: true, PodReady: true, Answers: true, Replica: true, Streams: true, Timeline: 1},
		}}},
		Redis:        []diagnosis.Redis{{Name: "redis", Pod: "redis-master-0", Node: "node-d1", Master: true, Answers: true, Role: "master", RDB: "ok", AOF: "ok"}},
		Dependencies: []diagnosis.Dependency{{Name: "object-store", Way: "https://objects.example.com", OK: true}},
	}
	for _, name := range []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"} {
		d.Workloads = append(d.Workloads, diagnosis.Workload{Kind: plan.Deployment, Name: name, Desired: 2, Updated: 2, Ready: 2})
		d.Endpoints = append(d.Endpoints, diagnosis.Endpoint{Service: name, Path: "/health", OK: true, Status: 200})
	}
	return d
}

// The faults, each as it shows in what is seen.

func powerOff(d *diagnosis.Diagnosis, name string) {
	for i := range d.Nodes {
		if d.Nodes[i].Name == name {
			d.Nodes[i].Ready, d.Nodes[i].Said = false, "Kubelet stopped posting node status."
		}
	}
	for i := range d.Databases[0].Instances {
		if instance := &d.Databases[0].Instances[i]; instance.Node == name {
			instance.NodeReady, instance.PodReady, instance.Answers, instance.Said = false, false, false, "no answer in time"
		}
	}
	for i := range d.Redis {
		if d.Redis[i].Node == name {
			d.Redis[i].Answers, d.Redis[i].Said = false, "no answer in time"
		}
	}
}

func fail(d *diagnosis.Diagnosis, service, said string) {
	for i := range d.Endpoints {
		if d.Endpoints[i].Service == service {
			d.Endpoints[i].OK, d.Endpoints[i].Said = false, said
		}
	}
}

func workload(d *diagnosis.Diagnosis, name string) *diagnosis.Workload {
	for i := range d.Workloads {
		if d.Workloads[i].Name == name {
			return &d.Workloads[i]
		}
	}
	panic("no workload " + name)
}

func sick(d *diagnosis.Diagnosis, service, trouble, said string) {
	workload(d, service).Ready = 0
	for i := range 2 {
		d.Pods = append(d.Pods, diagnosis.Pod{Name: fmt.Sprintf("%s-%d", service, i), Workload: service, Node: "node-c2", Trouble: trouble, Said: said})
	}
	fail(d, service, "503 Service Unavailable")
}

func TestJudge_SeededSituations_NamesScenarioAndCommand(t *testing.T) {
	const failover = "fukkyu run database-failover --database shodo --by $USER"
	const outage = "fukkyu run full-outage --by $USER"
	thenNode := func(node string) string { return "then: fukkyu run node-recovery --node " + node + " --by $USER" }
	cases := []struct {
		name     string
		seed     func(*diagnosis.Diagnosis)
		state    string
		scenario string
		command  string
		says     []string // parts of the paragraph
	}{
		{"healthy", func(*diagnosis.Diagnosis) {}, diagnosis.StateHealthy, "", "", []string{"everything that was asked is well", "2 replicas"}},
		{"the primary's node is dead", func(d *diagnosis.Diagnosis) {
			powerOff(d, "node-a1")
			fail(d, "shodo-backend", "503 Service Unavailable")
			fail(d, "shodo-frontend", "503 Service Unavailable")
		}, diagnosis.StateBroken, "node-failure", failover, []string{"node-a1", "postgres-primary-0", "shodo-backend, shodo-frontend are down with what they need", "2m", thenNode("node-a1")}},
		{"the primary's pod is down", func(d *diagnosis.Diagnosis) {
			primary := &d.Databases[0].Instances[0]
			primary.PodReady, primary.Answers, primary.Said = false, false, "connection refused"
			workload(d, "postgres-primary").Ready = 0
		}, diagnosis.StateBroken, "pod-failure", failover, []string{"connection refused"}},
		{"the primary's pod is gone", func(d *diagnosis.Diagnosis) {
			d.Databases[0].Instances = d.Databases[0].Instances[1:]
		}, diagnosis.StateBroken, "pod-failure", failover, []string{"has no pod"}},
		{"the primary hangs", func(d *diagnosis.Diagnosis) {
			primary := &d.Databases[0].Instances[0]
			primary.Answers, primary.Said = false, "no answer in time"
		}, diagnosis.StateBroken, "database-failover", failover, []string{"does not serve on node node-a1", "no answer in time"}},
		{"the primary turns everybody away", func(d *diagnosis.Diagnosis) {
			primary := &d.Databases[0].Instances[0]
			primary.Answers, primary.Said = false, "could not write lock file: No space left on device"
		}, diagnosis.StateBroken, "database-failover", failover, []string{"does not serve on node node-a1", "No space left on device"}},
		{"a replica is down", func(d *diagnosis.Diagnosis) {
			replica := &d.Databases[0].Instances[1]
			replica.PodReady, replica.Answers, replica.Said = false, false, "connection refused"
			workload(d, "postgres-replica").Ready = 1
			d.Pods = []diagnosis.Pod{{Name: "postgres-replica-0", Workload: "postgres-replica", Node: "node-c1", Trouble: diagnosis.NotReady, Said: "starting"}}
		}, diagnosis.StateDegraded, "pod-failure", "", []string{"postgres-replica-0", "No run is needed"}},
		{"a replica lacks its image", func(d *diagnosis.Diagnosis) {
			replica := &d.Databases[0].Instances[1]
			replica.PodReady, replica.Answers, replica.Said = false, false, "no answer in time"
			workload(d, "postgres-replica").Ready = 1
			d.Pods = []diagnosis.Pod{{Name: "postgres-replica-0", Workload: "postgres-replica", Node: "node-c1", Trouble: diagnosis.MissingImage, Said: "ImagePullBackOff"}}
		}, diagnosis.StateDegraded, "", "", []string{"missing image (ImagePullBackOff)", "somebody has to change"}},
		{"the primary's pod crash-loops", func(d *diagnosis.Diagnosis) {
			primary := &d.Databases[0].Instances[0]
			primary.PodReady, primary.Answers, primary.Said = false, false, "connection refused"
			workload(d, "postgres-primary").Ready = 0
			d.Pods = []diagnosis.Pod{{Name: "postgres-primary-0", Workload: "postgres-primary", Node: "node-a1", Trouble: diagnosis.CrashLoop, Said: "exit 1"}}
		}, diagnosis.StateBroken, "database-failover", failover, []string{"crash loop (exit 1)"}},
		{"a replica's node is dead", func(d *diagnosis.Diagnosis) { powerOff(d, "node-c1") },
			diagnosis.StateDegraded, "node-failure", "fukkyu run node-recovery --node node-c1 --by $USER", []string{"node-c1", "postgres-replica-0"}},
		{"nodes of two zones are dead", func(d *diagnosis.Diagnosis) {
			powerOff(d, "node-a2")
			powerOff(d, "node-c2")
		}, diagnosis.StateDegraded, "node-failure", "fukkyu run node-recovery --node node-a2 --by $USER", []string{thenNode("node-c2")}},
		{"Redis is scaled to nothing", func(d *diagnosis.Diagnosis) {
			d.Redis = nil
			workload(d, "redis-master").Desired, workload(d, "redis-master").Ready = 0, 0
		}, diagnosis.StateBroken, "redis-recovery", "fukkyu run redis-recovery --redis redis --by $USER", []string{"scaled to none"}},
		{"Redis has lost its pod", func(d *diagnosis.Diagnosis) {
			d.Redis = nil
			workload(d, "redis-master").Ready = 0
		},
			diagnosis.StateBroken, "pod-failure", "fukkyu run redis-recovery --redis redis --by $USER", []string{"redis: its master has no pod"}},
		{"Redis has lost its node", func(d *diagnosis.Diagnosis) {
			d.Databases[0].Instances = d.Databases[0].Instances[:2]
			workload(d, "postgres-replica").Desired, workload(d, "postgres-replica").Ready = 1, 1
			powerOff(d, "node-d1")
		}, diagnosis.StateBroken, "node-failure", "fukkyu run redis-recovery --redis redis --by $USER", []string{"node-d1", thenNode("node-d1")}},
		{"Redis cannot save", func(d *diagnosis.Diagnosis) { d.Redis[0].RDB = "err" },
			diagnosis.StateDegraded, "", "", []string{"could not save its snapshot"}},
		{"a service crash-loops", func(d *diagnosis.Diagnosis) {
			sick(d, "shodo-frontend", diagnosis.CrashLoop, "back-off 10s, exit 1")
		}, diagnosis.StateBroken, "service-recovery", "fukkyu run service-recovery --service shodo-frontend --by $USER", []string{"crash loop", "exit 1"}},
		{"an image is missing while the old pods serve", func(d *diagnosis.Diagnosis) {
			w := workload(d, "shodo-ai-server")
			w.Updated, w.Rolling = 1, true
			d.Pods = []diagnosis.Pod{{Name: "ai-1", Workload: "shodo-ai-server", Trouble: diagnosis.MissingImage, Said: "ImagePullBackOff"}}
		}, diagnosis.StateDegraded, "service-recovery", "fukkyu run service-recovery --service shodo-ai-server --by $USER", []string{"ImagePullBackOff", "reached 1 of 2"}},
		{"a rollout never gets ready", func(d *diagnosis.Diagnosis) {
			w := workload(d, "shodo-backend")
			w.Updated, w.Ready, w.Rolling = 1, 1, true
			d.Pods = []diagnosis.Pod{{Name: "backend-new", Workload: "shodo-backend", Trouble: diagnosis.NotReady, Said: "readiness probe failed", Since: now.Add(-time.Minute)}}
		}, diagnosis.StateDegraded, "service-recovery", "fukkyu run service-recovery --service shodo-backend --by $USER", []string{"readiness probe failed"}},
		{"a rollout has just begun", func(d *diagnosis.Diagnosis) {
			w := workload(d, "shodo-backend")
			w.Updated, w.Ready, w.Rolling = 1, 1, true
			d.Pods = []diagnosis.Pod{{Name: "backend-new", Workload: "shodo-backend", Trouble: diagnosis.NotReady, Said: "starting", Since: now.Add(-time.Second)}}
		}, diagnosis.StateDegraded, "pod-failure", "", []string{"1 of its 2 pods"}},
		{"a node hangs before Kubernetes notices", func(d *diagnosis.Diagnosis) {
			d.Nodes[2].Mute, d.Nodes[2].Carries = true, map[string]int{"shodo-backend": 1}
			fail(d, "shodo-backend", "connection reset by peer")
			d.Endpoints = append(d.Endpoints, diagnosis.Endpoint{Service: "shodo-backend", Path: "/api/v1/nlp/health", OK: true})
		}, diagnosis.StateBroken, "node-failure", "", []string{"node-c1: its kubelet does not answer", "pods on node-c1"}},
		{"the primary's node hangs before Kubernetes notices", func(d *diagnosis.Diagnosis) {
			d.Nodes[0].Mute = true
			d.Databases[0].Instances[0].Answers = false
		}, diagnosis.StateBroken, "node-failure", failover, []string{"neither does the kubelet of its node node-a1"}},
		{"a zone is dead", func(d *diagnosis.Diagnosis) {
			powerOff(d, "node-c1")
			powerOff(d, "node-c2")
		}, diagnosis.StateBroken, "zone-failure", "fukkyu run node-recovery --zone 1c --by $USER", []string{"node-c1", "node-c2", "Zone failure"}},
		{"the primary's zone is dead", func(d *diagnosis.Diagnosis) {
			powerOff(d, "node-a1")
			powerOff(d, "node-a2")
		}, diagnosis.StateBroken, "zone-failure", failover, []string{"then: fukkyu run node-recovery --zone 1a"}},
		{"full outage: every service is down", func(d *diagnosis.Diagnosis) {
			for _, service := range []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"} {
				sick(d, service, diagnosis.CrashLoop, "exit 1")
			}
		}, diagnosis.StateBroken, "full-outage", outage, []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"}},
		{"full outage: the primary's node, Redis, a rollout and a crash loop", func(d *diagnosis.Diagnosis) {
			powerOff(d, "node-a1")
			d.Redis = nil
			sick(d, "shodo-backend", diagnosis.NotReady, "readiness probe failed")
			w := workload(d, "shodo-backend")
			w.Updated, w.Rolling = 1, true
			for i := range d.Pods {
				d.Pods[i].Since = now.Add(-time.Minute)
			}
			sick(d, "shodo-frontend", diagnosis.CrashLoop, "exit 1")
		}, diagnosis.StateBroken, "full-outage", outage, []string{"postgres-primary-0", "redis", "shodo-backend", "shodo-frontend"}},
		{"the API server is away, users are served", func(d *diagnosis.Diagnosis) { silence(d) },
			diagnosis.StateUnknown, "", "", []string{"API server does not answer", "users are served"}},
		{"the API server and every endpoint are away", func(d *diagnosis.Diagnosis) {
			silence(d)
			for _, service := range []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"} {
				fail(d, service, "no answer within 2s")
			}
		}, diagnosis.StateBroken, "region-failure", "", []string{"Nothing of the region answers"}},
		{"every node is dead", func(d *diagnosis.Diagnosis) {
			for _, node := range d.Nodes {
				powerOff(d, node.Name)
			}
		}, diagnosis.StateBroken, "region-failure", "", []string{"No machine of the region is left"}},
		{"a dependency is dead", func(d *diagnosis.Diagnosis) {
			d.Dependencies[0].OK, d.Dependencies[0].Said = false, "no answer within 2s"
		}, diagnosis.StateBroken, "", "", []string{"object-store", "its provider"}},
		{"an endpoint hangs while the database is well", func(d *diagnosis.Diagnosis) { fail(d, "shodo-backend", "no answer within 2s") },
			diagnosis.StateBroken, "service-recovery", "fukkyu run service-recovery --service shodo-backend --by $USER", []string{"/health no answer within 2s"}},
		{"a disk is full", func(d *diagnosis.Diagnosis) { d.Nodes[0].Pressure = []string{"DiskPressure"} },
			diagnosis.StateDegraded, "", "", []string{"Make room on node node-a1"}},
		{"a server says that its disk is full", func(d *diagnosis.Diagnosis) {
			d.Logs = []diagnosis.Log{{Service: "shodo", Pod: "postgres-primary-0", Errors: 3, DiskFull: 3, Last: "PANIC: No space left on device"}}
		}, diagnosis.StateDegraded, "", "", []string{"Make room on the disk of postgres-primary-0"}},
		{"the namespace is empty", func(d *diagnosis.Diagnosis) {
			*d = diagnosis.Diagnosis{Region: d.Region, Namespace: "shodo", Nodes: d.Nodes}
		}, diagnosis.StateBroken, "", "", []string{"the namespace is empty"}},
		{"a permission is missing", func(d *diagnosis.Diagnosis) {
			d.Unanswered = []diagnosis.Probe{{Asked: "list events", Said: "forbidden", Needs: "list events in namespace shodo"}}
		}, diagnosis.StateDegraded, "", "", []string{"list events"}},
	}
	shodo := shodo(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			seen := healthy()
			c.seed(seen)
			got := diagnosis.Judge(shodo, *seen)
			require.Equal(t, c.state, got.State, got.Paragraph)
			require.Equal(t, c.scenario, got.Scenario, got.Paragraph)
			require.Equal(t, c.command, got.Command, got.Paragraph)
			require.Equal(t, c.state == diagnosis.StateHealthy, len(got.Causes) == 0)
			for _, part := range c.says {
				require.Contains(t, got.Paragraph, part)
			}
			require.NotContains(t, strings.TrimSuffix(got.Paragraph, "."), "..")
			require.NotContains(t, got.Paragraph, "%!")
			t.Log(got.Paragraph)
			if c.state == diagnosis.StateHealthy {
				require.Empty(t, diagnosis.Find(shodo, *seen))
			} else {
				require.NotEmpty(t, diagnosis.Find(shodo, *seen))
				require.NotEqual(t, diagnosis.Note, diagnosis.Find(shodo, *seen)[0].Severity)
			}
		})
	}
}

// silence is what is seen of a region whose API server does not answer.
func silence(d *diagnosis.Diagnosis) {
	d.Nodes, d.Workloads, d.Redis, d.Counted = nil, nil, nil, diagnosis.Counted{}
	d.Databases = []diagnosis.Database{{Name: "shodo", Unknown: "the API server does not answer"}}
	for _, asked := range []string{diagnosis.AskNodes, diagnosis.AskPods, diagnosis.AskWorkloads} {
		d.Unanswered = append(d.Unanswered, diagnosis.Probe{Asked: asked, Said: "no answer within 2s", Took: 2 * time.Second})
	}
}

// A plan may have no scenario matrix: the runbook's own name then says what it looks like.
func TestJudge_PlanWithoutMatrix_NamesTheRunbook(t *testing.T) {
	bare := shodo(t)
	bare.Scenarios = nil
	seen := healthy()
	powerOff(seen, "node-a1")
	got := diagnosis.Judge(bare, *seen)
	require.Equal(t, "database-failover", got.Scenario)
	require.Contains(t, got.Paragraph, "its runbook is database-failover")
}

// A full outage is recovered part by part: each that is sick on its own, and none that only follows.
func TestJudge_SeveralPartsAreSick_TellsThemFromThoseThatFollow(t *testing.T) {
	seen := healthy()
	powerOff(seen, "node-a1")
	fail(seen, "shodo-backend", "503 Service Unavailable")
	sick(seen, "shodo-frontend", diagnosis.CrashLoop, "exit 1")
	got := diagnosis.Judge(shodo(t), *seen)
	require.Equal(t, []diagnosis.Remedy{
		{Area: diagnosis.AreaDatabase, Target: "shodo", Runbook: "database-failover", Urgent: true},
		{Area: diagnosis.AreaWorkload, Target: "shodo-frontend", Runbook: "service-recovery", Urgent: true},
	}, got.Remedies)
	require.Equal(t, []string{"shodo-backend"}, got.Follows)
	require.Equal(t, "fukkyu run full-outage --by $USER", got.Command)
}
