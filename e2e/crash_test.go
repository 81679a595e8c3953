//go:build e2e

package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// changesOfFailover are the activities that change something, in the order of the runbook.
var changesOfFailover = []string{"AcquireLease", "RecordLease", "CloseRole", "HoldDown", "StopReceiving", "OpenRole", "Promote", "PointService", "AddReplica", "FreePod", "ReleaseLease"}

func TestFailover_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	e := automatic(t)
	dieEverywhere(t, e, changesOfFailover, func() {
		do(t, "break", "power-off", "primary")
		detachedRun(t, workflows.Failover)
	})
	got := awaitEnd(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireEachEffectOnce(t, got)
}

// requireEachEffectOnce looks for what a repeated write would leave: another timeline, another epoch, another pod.
func requireEachEffectOnce(t *testing.T, got report.Report) {
	t.Helper()
	require.Equal(t, "2, was 1", factNamed(got, "timeline"))
	require.Equal(t, "1", kubectl(t, "get", "lease", "fukkyu-shodo", "-o", "jsonpath={.spec.leaseTransitions}"))
	require.Equal(t, 3, wantedPods(t), "as many pods as before")
}

// dieEverywhere lets a run's worker die right before and right after each of the activities, in the order in which the run comes to them:
// at every boundary of every step, and between the writes inside one. Each is replaced by one that dies at the next, the last by one that
// lives. begin starts the run.
func dieEverywhere(t *testing.T, e estate.Estate, changes []string, begin func()) {
	t.Helper()
	var points []string
	for _, activity := range changes {
		points = append(points, activity+" before", activity+" after")
	}
	worker := staff(t, e, doomed(t, points[0]))
	begin()
	for _, next := range points[1:] {
		awaitDeath(t, worker)
		worker = staff(t, e, doomed(t, next))
	}
	awaitDeath(t, worker)
	staff(t, e, estate.Crew{})
}

// doomed is a worker that dies at one point, once.
func doomed(t *testing.T, point string) estate.Crew {
	return estate.Crew{Program: "fukkyu-worker-faults", Environment: []string{
		"FUKKYU_CRASH_AT=" + point, "FUKKYU_CRASH_MARKER=" + filepath.Join(t.TempDir(), "died"),
	}}
}

func awaitDeath(t *testing.T, worker *estate.Worker) {
	t.Helper()
	select {
	case <-worker.Ended():
	case <-time.After(time.Minute):
		t.Fatal("the worker did not come to the point where it dies")
	}
}

// awaitRedundancy returns when every wanted instance of the database is Ready on a machine that is Ready.
func awaitRedundancy(t *testing.T) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), "Ready machines and instances", time.Minute, func() (bool, string) {
		nodes := kubectl(t, "get", "nodes", "--no-headers")
		pods := kubectl(t, "get", "pods", "-l", "app=postgres", "--no-headers")
		return !strings.Contains(nodes, "NotReady") && strings.Count(pods, "1/1") == 3 && !strings.Contains(pods, "Terminating"), nodes + pods
	}))
}

func wantedPods(t *testing.T) int {
	t.Helper()
	total := 0
	for _, text := range strings.Fields(kubectl(t, "get", "statefulsets", "postgres-primary", "postgres-replica", "-o", "jsonpath={.items[*].spec.replicas}")) {
		var replicas int
		_, err := fmt.Sscan(text, &replicas)
		require.NoError(t, err)
		total += replicas
	}
	return total
}

func factNamed(got report.Report, name string) string {
	for _, fact := range got.Facts {
		if fact.Name == name {
			return fact.Value
		}
	}
	return ""
}
