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

// changes are the activities that change something, in the order of the runbook. The worker dies right before and right after
// each of them: at every boundary of every step, and between the writes inside one.
var changes = []string{"AcquireLease", "RecordLease", "CloseRole", "HoldDown", "StopReceiving", "OpenRole", "Promote", "PointService", "AddReplica", "FreePod", "ReleaseLease"}

func TestFailover_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	e := automatic(t)
	lines := []string{fmt.Sprintf("%-24s %-10s %9s %8s %6s %9s %6s", "the worker dies", "outcome", "timelines", "replicas", "epoch", "recovered", "took")}
	epoch := int64(0)
	for _, activity := range changes {
		for _, moment := range []string{"before", "after"} {
			point := activity + " " + moment
			t.Run(point, func(t *testing.T) {
				began := time.Now()
				got := dieAt(t, e, point)
				epoch++
				require.Equal(t, report.Recovered, got.Outcome, got.Summary)
				require.Equal(t, fmt.Sprintf("%d, was %d", epoch+1, epoch), factNamed(got, "timeline"))
				require.Equal(t, fmt.Sprint(epoch), kubectl(t, "get", "lease", "fukkyu-shodo", "-o", "jsonpath={.spec.leaseTransitions}"))
				require.Equal(t, 3, wantedPods(t), "each effect once: as many pods as before")
				lines = append(lines, fmt.Sprintf("%-24s %-10s %9s %8d %6d %9s %6s", point, got.Outcome, "+1", wantedPods(t)-1, epoch,
					got.RTO.Measured.Round(time.Millisecond), time.Since(began).Round(time.Second)))
			})
		}
	}
	t.Logf("crash matrix, time profile tuned\n%s", strings.Join(lines, "\n"))
	require.Len(t, lines, 1+2*len(changes))
}

// dieAt fails over while the worker dies at one point, and another takes its place.
func dieAt(t *testing.T, e estate.Estate, point string) report.Report {
	t.Helper()
	do(t, "mend", "all")
	awaitRedundancy(t)
	first := staff(t, e, doomed(t, point))
	do(t, "break", "power-off", "primary")
	return replaced(t, e, first, workflows.Failover, point)
}

// dieIn runs a scenario while the worker dies at one point, and another takes its place.
func dieIn(t *testing.T, e estate.Estate, scenario workflows.Scenario, point string) report.Report {
	t.Helper()
	return replaced(t, e, staff(t, e, doomed(t, point)), scenario, point)
}

// doomed is a worker that dies at one point, once.
func doomed(t *testing.T, point string) estate.Crew {
	return estate.Crew{Program: "fukkyu-worker-faults", Environment: []string{
		"FUKKYU_CRASH_AT=" + point, "FUKKYU_CRASH_MARKER=" + filepath.Join(t.TempDir(), "died"),
	}}
}

func replaced(t *testing.T, e estate.Estate, first *estate.Worker, scenario workflows.Scenario, point string) report.Report {
	t.Helper()
	detachedRun(t, scenario)
	select {
	case <-first.Ended():
	case <-time.After(time.Minute):
		t.Fatalf("the worker did not come to %q", point)
	}
	staff(t, e, estate.Crew{})
	return awaitEndOf(t, scenario)
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
