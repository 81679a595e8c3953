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
