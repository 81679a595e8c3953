//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// disaster takes everything away at once: the machine under the primary, the pod of Redis, and two services by rollouts that fail.
func disaster(t *testing.T) {
	t.Helper()
	rollOut(t, "shodo-backend", missingImage)
	rollOut(t, "shodo-frontend", crashing)
	kubectl(t, "delete", "pod", "redis-master-0", "--wait=false")
	do(t, "break", "power-off", "primary")
}

func TestFullOutage_EverythingAtOnce_IsRecoveredUnattended(t *testing.T) {
	fresh(t)
	freshServices(t)
	staff(t, lab, estate.Crew{})
	do(t, "referee", "start")
	disaster(t)
	got, result := recoverAs(t, workflows.Outage)
	require.Equal(t, report.Recovered, got.Outcome, result.Stderr)
	verdict := judged(t)
	require.False(t, verdict.Overlap)
	for _, cause := range []string{"postgres-primary-0", "lab.local/none", "crash loop"} {
		require.Contains(t, got.Summary, cause)
	}
	requireServicesWhole(t)
	t.Logf("%s after the command; customers without service %.2f s, %d acknowledged writes gone; %s",
		got.Clocks.Recovered.Sub(got.Clocks.Declared).Round(10*time.Millisecond), verdict.LongestGap.Seconds, verdict.LostCount, got.Summary)
}

func requireServicesWhole(t *testing.T) {
	t.Helper()
	for _, service := range []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"} {
		require.Equal(t, "2", kubectl(t, "get", "deployment", service, "-o", "jsonpath={.status.availableReplicas}"), service)
	}
}

func TestFullOutage_OneServiceThatCannotBeHealed_IsNamedAndStopsNothing(t *testing.T) {
	fresh(t)
	freshServices(t)
	t.Cleanup(func() { freshServices(t) })
	staff(t, lab, estate.Crew{})
	spoil(t, "shodo-ai-server")
	disaster(t)
	got, result := recoverAs(t, workflows.Outage)
	require.Equal(t, 4, result.Exit, result.Stderr)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.True(t, strings.HasPrefix(got.Summary, "shodo-ai-server not recovered: "), got.Summary)
	require.Equal(t, "2", kubectl(t, "get", "deployment", "shodo-backend", "-o", "jsonpath={.status.availableReplicas}"))
	require.Equal(t, "2", kubectl(t, "get", "deployment", "shodo-frontend", "-o", "jsonpath={.status.availableReplicas}"))
}

func TestFullOutage_EverythingIsWell_IsRefused(t *testing.T) {
	fresh(t)
	freshServices(t)
	staff(t, lab, estate.Crew{})
	awaitHealth(t)
	_, result := recoverAs(t, workflows.Outage)
	require.Equal(t, 3, result.Exit, result.Stderr)
	require.Contains(t, result.Stderr, "nothing that the plan names is down")
}

// changesOfOutage are the activities of everything that a full outage begins, as it comes to them.
var changesOfOutage = []string{"AcquireLease", "Diagnose", "CloseRole", "Promote", "PointService", "ReleaseLease"}

func TestFullOutage_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	freshServices(t)
	dieEverywhere(t, lab, changesOfOutage, func() {
		disaster(t)
		result, err := lab.Fukkyu(t.Context(), "run", workflows.Outage.Name, "--by", "yuki", "--detach")
		require.NoError(t, err)
		require.Equal(t, 6, result.Exit, result.Stderr)
	})
	got := awaitEndAt(t, workflows.Outage.ID("", "", runbook.Live))
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, 3, wantedPods(t))
	requireServicesWhole(t)
}
