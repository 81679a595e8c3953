//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// synchronous is a fresh estate whose commits wait for one replica of two, with a worker that knows.
func synchronous(t *testing.T) {
	t.Helper()
	fresh(t)
	require.NoError(t, lab.SynchronousCommits(t.Context(), look(t).role))
	staff(t, automatic(t, estate.Synchronous), estate.Crew{})
}

func TestFailover_Synchronous_LosesNothingAndCommitsWaitAgainInTheEnd(t *testing.T) {
	synchronous(t)
	do(t, "referee", "start")
	do(t, "break", "power-off", "primary")
	got := failOver(t)
	verdict := judged(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireNothingLost(t, verdict)
	require.Zero(t, *got.RPO.Measured)
	names, err := lab.SQL(t.Context(), look(t).role, "SHOW synchronous_standby_names")
	require.NoError(t, err)
	require.Equal(t, "ANY 1 (*)", names)
}

// With one of two replicas gone as well, the other may lack what was acknowledged.
func TestFailover_SynchronousAndAReplicaGoneToo_IsRefusedBeforeAnythingIsTouched(t *testing.T) {
	synchronous(t)
	before := look(t)
	node := strings.TrimSpace(kubectl(t, "get", "pod", "postgres-replica-0", "-o", "jsonpath={.spec.nodeName}"))
	do(t, "break", "power-off", node)
	do(t, "break", "power-off", "primary")
	require.Contains(t, refused(t), workflows.GuardDataLoss)
	require.Equal(t, before, look(t))
}

// With both replicas silent every commit hangs (a client that gives up and asks again is told that its row is there, and so it is, on the
// primary), until a person lets them go on without; and they wait again when one asks for it.
func TestCommits_NoReplicaLeft_GoOnWhenAPersonSaysSoAndWaitAgainAfterwards(t *testing.T) {
	synchronous(t)
	do(t, "referee", "start")
	for _, pod := range []string{"postgres-replica-0", "postgres-replica-1"} {
		node, err := lab.NodeOf(t.Context(), pod)
		require.NoError(t, err)
		do(t, "break", "freeze", node)
	}
	awaitSQL(t, "commits that hang", "SELECT count(*) > 0 AND NOT EXISTS (SELECT 1 FROM pg_stat_replication) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "t")

	relaxed, result, err := lab.Recover(t.Context(), workflows.Commits, "--relax", "--approve-as", "aiko")
	require.NoError(t, err, result.Stderr)
	require.Equal(t, report.Recovered, relaxed.Outcome, relaxed.Summary)
	require.Contains(t, relaxed.Next[0], "database-commits --restore")
	awaitSQL(t, "commits that go on", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "0")

	require.Contains(t, refusedCommits(t, "--restore"), "every commit would hang", "nobody makes it hang again")
	do(t, "mend", "all")
	awaitRedundancy(t)
	awaitSQL(t, "replicas that stream", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "2")
	restored, result, err := lab.Recover(t.Context(), workflows.Commits, "--restore")
	require.NoError(t, err, result.Stderr)
	require.Equal(t, report.Recovered, restored.Outcome, restored.Summary)
	requireNothingLost(t, judged(t))
	names, err := lab.SQL(t.Context(), look(t).role, "SHOW synchronous_standby_names")
	require.NoError(t, err)
	require.Equal(t, "ANY 1 (*)", names)
	require.Contains(t, refusedCommits(t, "--relax"), "commits do not hang")
}

// awaitSQL asks the primary until it answers so.
func awaitSQL(t *testing.T, what, statement, want string) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), what, time.Minute, func() (bool, string) {
		said, err := lab.SQL(t.Context(), look(t).role, statement)
		return err == nil && said == want, said
	}))
}

func refusedCommits(t *testing.T, flag string) string {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), "run", "database-commits", flag, "--database", "shodo", "--by", "yuki")
	require.NoError(t, err)
	require.Equal(t, 3, result.Exit, result.Stderr)
	return result.Stderr
}
