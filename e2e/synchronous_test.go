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

// With both replicas silent every commit hangs, until a person lets them go on without; and they wait again when one asks for it.
func TestCommits_NoReplicaLeft_GoOnWhenAPersonSaysSoAndWaitAgainAfterwards(t *testing.T) {
	synchronous(t)
	do(t, "referee", "start")
	for _, pod := range []string{"postgres-replica-0", "postgres-replica-1"} {
		node, err := lab.NodeOf(t.Context(), pod)
		require.NoError(t, err)
		do(t, "break", "freeze", node)
	}
	acknowledged := func() int {
		all, err := lab.Acknowledged()
		require.NoError(t, err)
		return len(all)
	}
	standstill(t, acknowledged)

	relaxed, result, err := lab.Recover(t.Context(), workflows.Commits, "--relax", "--approve-as", "aiko")
	require.NoError(t, err, result.Stderr)
	require.Equal(t, report.Recovered, relaxed.Outcome, relaxed.Summary)
	require.Contains(t, relaxed.Next[0], "database-commits --restore")
	before := acknowledged()
	require.NoError(t, estate.Await(t.Context(), "writes", 20*time.Second, func() (bool, string) { return acknowledged() > before+20, "nobody can write" }))

	require.Contains(t, refusedCommits(t, "--restore"), "every commit would hang", "nobody makes it hang again")
	do(t, "mend", "all")
	awaitRedundancy(t)
	require.NoError(t, estate.Await(t.Context(), "replicas that stream", time.Minute, func() (bool, string) {
		said, err := lab.SQL(t.Context(), look(t).role, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
		return err == nil && said == "2", said
	}))
	restored, result, err := lab.Recover(t.Context(), workflows.Commits, "--restore")
	require.NoError(t, err, result.Stderr)
	require.Equal(t, report.Recovered, restored.Outcome, restored.Summary)
	requireNothingLost(t, judged(t))
	names, err := lab.SQL(t.Context(), look(t).role, "SHOW synchronous_standby_names")
	require.NoError(t, err)
	require.Equal(t, "ANY 1 (*)", names)
	require.Contains(t, refusedCommits(t, "--relax"), "commits do not hang")
}

// standstill returns when nothing has been acknowledged for some seconds.
func standstill(t *testing.T, acknowledged func() int) {
	t.Helper()
	last, since := acknowledged(), time.Now()
	require.NoError(t, estate.Await(t.Context(), "commits that hang", 30*time.Second, func() (bool, string) {
		if now := acknowledged(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 6*time.Second, "somebody can write"
	}))
}

func refusedCommits(t *testing.T, flag string) string {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), "run", "database-commits", flag, "--database", "shodo", "--by", "yuki")
	require.NoError(t, err)
	require.Equal(t, 3, result.Exit, result.Stderr)
	return result.Stderr
}
