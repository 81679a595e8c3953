package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// synchronous lets the commits of the estate wait for one replica of two.
func (e *estate) synchronous() *estate {
	e.plan.Databases[0].Durability = plan.Durability{Mode: plan.Synchronous, Method: "ANY", Standbys: 1}
	return e
}

func TestDatabaseFailover_Synchronous_LosesNothingAndLetsCommitsWaitAgainWithTheRedundancy(t *testing.T) {
	e := newEstate(t).automatic().synchronous()
	e.servers[0].LastHeard, e.servers[1].LastHeard = e.began.Add(-20*time.Minute), e.began.Add(-20*time.Minute) // what is heard bounds nothing here
	got := e.run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Zero(t, *got.RPO.Measured)
	relaxed := slices.Index(e.journal, `commits of postgres-replica-0 wait for ""`)
	require.Greater(t, slices.Index(e.journal, "promote postgres-replica-0 from timeline 1"), relaxed)
	require.Greater(t, relaxed, slices.Index(e.journal, "remember promoting"), "whoever continues must know that nothing waits")
	require.Greater(t, slices.Index(e.journal, `commits of postgres-replica-0 wait for "ANY 1 (*)"`), slices.Index(e.journal, "grow postgres-replica to 3"))
}

func TestDatabaseFailover_SynchronousAndAReplicaMissing_IsRefusedBecauseItMayHaveMore(t *testing.T) {
	cases := map[string]struct {
		damage func(*estate)
		lost   bool
	}{
		"one of two is silent": {func(e *estate) { e.servers[1] = postgres.Server{Pod: "postgres-replica-1", Error: "no answer in time"} }, true},
		"one of two has forked": {func(e *estate) {
			e.servers[1].Timeline, e.servers[1].LastHeard = 2, time.Time{}
		}, true},
		"one of two is silent, and commits wait for both": {func(e *estate) {
			e.plan.Databases[0].Durability.Standbys = 2
			e.servers[1] = postgres.Server{Pod: "postgres-replica-1", Error: "no answer in time"}
		}, false},
		"a recovery before had let commits wait for nobody": {func(e *estate) {
			e.held.Last = lease.Record{Holder: "x/1", Phase: "fenced", OldPrimary: "postgres-primary-0", Relaxed: true}
			for i := range e.servers {
				e.servers[i].LastHeard, e.servers[i].LastCommit = e.began.Add(-time.Hour), e.began.Add(-time.Hour)
			}
		}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t).automatic().synchronous()
			c.damage(e)
			if c.lost {
				require.Contains(t, e.refuse(request()), workflows.GuardDataLoss)
				require.Equal(t, []string{"take lease", "release lease " + e.held.Last.Phase}, e.journal)
				return
			}
			require.Equal(t, report.Recovered, e.run(request()).Outcome)
		})
	}
}

func TestDatabaseSwitchover_Synchronous_LetsCommitsWaitAgainWithTheRedundancy(t *testing.T) {
	e := healthyEstate(t).synchronous()
	require.Equal(t, report.Recovered, switchOver(e, handOver()).Outcome)
	require.Equal(t, `commits of postgres-replica-0 wait for "ANY 1 (*)"`, e.journal[len(e.journal)-3])
}
