//go:build e2e && exhaustive

package e2e_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
)

// changesOfSwitchover are the activities that change something, in the order of the runbook.
var changesOfSwitchover = []string{"AcquireLease", "RecordLease", "PrepareShutdown", "CloseRole", "StopServer", "OpenRole", "Promote", "PointService", "ReleaseLease"}

func TestSwitchover_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	// Room for workers that die while nobody can write, and for those that take their place.
	e := automatic(t, estate.Changes{"writeGap: 5s": "writeGap: 2m"})
	do(t, "referee", "start")
	dieEverywhere(t, e, changesOfSwitchover, func() { detachedRun(t, workflows.Switchover) })
	got := awaitEndOf(t, workflows.Switchover)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireNothingLost(t, judged(t))
	requireEachEffectOnce(t, got)
}

// rejoinWrites are the activities of a rejoin that change something, in its order.
var rejoinWrites = []string{"AcquireLease", "OpenVolume", "TakeData", "FindLost", "Replay", "WriteLedger", "Rewind", "ReturnData", "CloseVolume", "LetUp", "ReleaseLease"}

// A rejoin's worker dies at every boundary of one run, each time replaced by one that dies at the next. What it leaves is what an undisturbed
// one leaves: the rows that the customer misses, and a replica.
func TestRejoin_RowsThatTheCustomerMisses_AreInTheLedgerAlthoughEveryWorkerDies(t *testing.T) {
	fresh(t)
	missing := loseRows(t)
	e := automatic(t)
	dieEverywhere(t, e, rejoinWrites, func() { detachedRun(t, workflows.Rejoining) })
	got := awaitEndOf(t, workflows.Rejoining)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Empty(t, factNamed(got, "not rewound"), "it was rewound once, not cloned")
	requireKept(t, got, missing)
	requireReplica(t)
}

// The maintenance pod is killed while the rewind writes: what it leaves is no data directory, and is never started.
func TestRejoin_TheRewindIsKilledHalfWay_TheRowsAreKeptAndItClones(t *testing.T) {
	fresh(t)
	missing := loseRows(t)
	staff(t, automatic(t), estate.Crew{})
	detachedRun(t, workflows.Rejoining)
	require.NoError(t, estate.Await(t.Context(), "the rewind", time.Minute, func() (bool, string) {
		return len(onVolumes(t, "rejoin/rewinding")) == 1, "no mark of a rewind"
	}))
	kubectl(t, "delete", "pod", "postgres-primary-0-rejoin", "--grace-period=0", "--force")
	got := awaitEndOf(t, workflows.Rejoining)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, factNamed(got, "not rewound"), "interrupted")
	requireKept(t, got, missing)
	requireReplica(t)
	require.Len(t, onVolumes(t, "set-aside/rejoin-2/data"), 1)
}

func TestServiceRecovery_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	e := automatic(t)
	before := templateOf(t)
	t.Run("of a rollback", func(t *testing.T) {
		rollOut(t, "args", `["nonsense"]`, "CrashLoopBackOff")
		generation := generationOf(t)
		got := dieRecovering(t, e, []string{"AcquireLease", "RollBack", "ReleaseLease"})
		require.Equal(t, report.Recovered, got.Outcome, got.Summary)
		require.Equal(t, before, templateOf(t))
		require.Equal(t, generation+1, generationOf(t), "it was rolled back once")
	})
	t.Run("of a restart", func(t *testing.T) {
		generation := generationOf(t)
		got := dieRecovering(t, e, []string{"Restart"}, "--override", workflows.GuardHealthy)
		require.Equal(t, report.Recovered, got.Outcome, got.Summary)
		require.Equal(t, generation+1, generationOf(t), "it was restarted once")
	})
}

// dieRecovering recovers the service while workers die at every boundary of the changes.
func dieRecovering(t *testing.T, e estate.Estate, changes []string, flags ...string) report.Report {
	t.Helper()
	dieEverywhere(t, e, changes, func() {
		args := append([]string{"run", workflows.Recovering.Name, "--service", sickService, "--by", "yuki", "--reason", "a test", "--detach"}, flags...)
		result, err := lab.Fukkyu(t.Context(), args...)
		require.NoError(t, err)
		require.Equal(t, 6, result.Exit, result.Stderr)
	})
	return awaitEndAt(t, workflows.Recovering.ID("", sickService, runbook.Live))
}

func generationOf(t *testing.T) int {
	t.Helper()
	generation, err := strconv.Atoi(kubectl(t, "get", "deployment", sickService, "-o", "jsonpath={.metadata.generation}"))
	require.NoError(t, err)
	return generation
}

// changesOfOutage are the activities of everything that a full outage begins, as it comes to them.
var changesOfOutage = []string{"AcquireLease", "Diagnose", "CloseRole", "Promote", "PointService", "ReleaseLease"}

func TestFullOutage_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	firstRevisions(t)
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

// changesOfRedis are the activities of a Redis recovery that change something, in its order.
var changesOfRedis = []string{"AcquireLease", "CloseRole", "DeletePod", "OpenRole", "PromoteRedis", "PointService", "WriteRedisCanary", "FreePod", "ReleaseLease"}

func TestRedisRecovery_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	e := automatic(t)
	awaitFollower(t, "redis-master-0")
	redisCLI(t, "redis-master-0", "SET", "lpr:1", "kept")
	require.Equal(t, "1", redisCLI(t, "redis-master-0", "WAIT", "1", "5000"))
	dieEverywhere(t, e, changesOfRedis, func() {
		do(t, "break", "power-off", nodeOf(t, "redis-master-0"))
		result, err := lab.Fukkyu(t.Context(), "run", workflows.RedisLoss.Name, "--redis", "redis", "--by", "yuki", "--detach")
		require.NoError(t, err)
		require.Equal(t, 6, result.Exit, result.Stderr)
	})
	got := awaitEndAt(t, workflows.RedisLoss.ID("", "redis", runbook.Live))
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	gate, service := mayRule(t)
	require.Equal(t, []string{"redis-replica-0", "redis-replica-0"}, []string{gate, service})
	require.Equal(t, "kept", redisCLI(t, "redis-replica-0", "GET", "lpr:1"))
	require.Equal(t, "1", redisCLI(t, "redis-replica-0", "DBSIZE"), "no key of ours is left")
}
