//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// switchOver runs a switchover to its end under the referee's eyes.
func switchOver(t *testing.T, flags ...string) (report.Report, estate.Verdict) {
	t.Helper()
	do(t, "referee", "start")
	got, result, err := lab.Recover(t.Context(), workflows.Switchover, flags...)
	require.NoError(t, err)
	require.NotEmpty(t, got.Outcome, result.Stderr)
	return got, judged(t)
}

func judged(t *testing.T) estate.Verdict {
	t.Helper()
	do(t, "referee", "stop")
	verdict, err := lab.Verdict(t.Context())
	require.NoError(t, err)
	return verdict
}

func requireNothingLost(t *testing.T, verdict estate.Verdict) {
	t.Helper()
	require.NotZero(t, verdict.Acknowledged)
	require.Zero(t, verdict.LostCount)
	require.False(t, verdict.Overlap)
}

func TestSwitchover_ThereAndBackAgain_LosesNothingAndWritesStopForAMoment(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	for range 3 {
		before := look(t).role
		got, verdict := switchOver(t)
		require.Equal(t, report.Recovered, got.Outcome, got.Summary)
		requireNothingLost(t, verdict)
		require.Less(t, verdict.LongestGap.Seconds, 3.0)
		require.Zero(t, *got.RPO.Measured)
		require.NotEqual(t, before, look(t).role)
		awaitRedundancy(t)
	}
}

func TestSwitchover_TheReplicaFreezesDuringTheShutdown_IsUndoneAndWritesComeBack(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	primary := look(t).role
	do(t, "referee", "start")
	detachedRun(t, workflows.Switchover, "--to", "postgres-replica-0")
	question := awaitQuestion(t)
	node := strings.TrimSpace(kubectl(t, "get", "pod", "postgres-replica-0", "-o", "jsonpath={.spec.nodeName}"))
	do(t, "break", "freeze", node)
	answer(t, "approve", question, "aiko")
	got := awaitEndOf(t, workflows.Switchover)
	do(t, "mend", "all")
	verdict := judged(t)
	require.Contains(t, []report.Outcome{report.RolledBack, report.Refused}, got.Outcome, got.Summary)
	requireNothingLost(t, verdict)
	require.Equal(t, primary, look(t).role)
	require.Less(t, verdict.LongestGap.Seconds, 15.0)
}

// A session that does not end keeps a fast shutdown from ending.
func TestSwitchover_ASessionThatWillNotEnd_IsUndoneAndWritesComeBack(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	found := look(t)
	kubectl(t, "exec", found.role, "--", "sh", "-c", `psql -h /tmp -U postgres -d shodo -c "SELECT pg_sleep(600)" >/dev/null 2>&1 &
until kill -STOP $(psql -h /tmp -U postgres -d shodo -Atc "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"); do :; done`)
	got, verdict := switchOver(t)
	require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "nothing proves")
	requireNothingLost(t, verdict)
	require.Equal(t, found, look(t))
	require.Less(t, verdict.LongestGap.Seconds, 25.0)
}

func TestSwitchover_ADeadPrimary_IsRefusedAndTheFailoverIsNamed(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	do(t, "break", "power-off", "primary")
	result, err := lab.Fukkyu(t.Context(), "run", workflows.Switchover.Name, "--database", "shodo", "--by", "yuki")
	require.NoError(t, err)
	require.Equal(t, 3, result.Exit, result.Stderr)
	require.Contains(t, result.Stderr, "fukkyu run database-failover --database shodo")
}
