package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/pgbouncer"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
)

// bouncing lets the applications of an estate connect by PgBouncer, whose activities write into the journal too.
func bouncing(e *estate) {
	e.plan.Databases[0].Redirect = plan.Redirect{By: plan.RedirectByPgBouncer, PgBouncer: &plan.PgBouncerRedirect{
		Kind: plan.Deployment, Name: "pgbouncer", Container: "pgbouncer", ConfigMap: "pgbouncer", Key: "pgbouncer.ini", Database: "shodo", Host: "{pod}.db",
	}}
	told := pgbouncer.Told{Pods: []string{"pgbouncer-1", "pgbouncer-2"}}
	handle(e, "HoldClients", func(pgbouncer.HoldClientsParams) (pgbouncer.Told, error) {
		return told, e.write("HoldClients", "hold clients")
	})
	handle(e, "ReleaseClients", func(pgbouncer.ReleaseClientsParams) (pgbouncer.Told, error) {
		return told, e.write("ReleaseClients", "release clients")
	})
	handle(e, "PointClients", func(p pgbouncer.PointClientsParams) (pgbouncer.Told, error) {
		if p.Drop {
			return told, e.write("PointClients", "drop clients, then point them at %s", p.Host)
		}
		return told, e.write("PointClients", "let clients go on with %s", p.Host)
	})
}

// requireOrder wants these entries in a journal, in this order.
func requireOrder(t *testing.T, journal []string, entries ...string) {
	t.Helper()
	last := -1
	for _, entry := range entries {
		at := slices.Index(journal, entry)
		require.Greater(t, at, last, "%q in %q", entry, journal)
		last = at
	}
}

func TestBouncer_Failover_DropsWhatHangsOnTheOldPrimary(t *testing.T) {
	e := newEstate(t).automatic()
	bouncing(e)
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireOrder(t, e.journal, "promote postgres-replica-0 from timeline 1", "drop clients, then point them at postgres-replica-0.db", "canary")
	require.NotContains(t, e.journal, "hold clients", "nobody waits for a primary that is dead")
}

func TestBouncer_Switchover_HoldsTheClientsWhileNobodyCanWrite(t *testing.T) {
	e := healthyEstate(t)
	bouncing(e)
	got := switchOver(e, handOver())
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireOrder(t, e.journal, "write checkpoints", "hold clients", "close gate from postgres-primary-0 epoch 7", "fast shutdown of postgres-primary-0",
		"promote postgres-replica-0 from timeline 1", "let clients go on with postgres-replica-0.db", "canary")
}

func TestBouncer_SwitchoverThatIsUndone_LetsTheClientsGoOnWithTheOldPrimary(t *testing.T) {
	e := healthyEstate(t)
	bouncing(e)
	e.shutDown = false
	got := switchOver(e, handOver())
	require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
	requireOrder(t, e.journal, "hold clients", "open gate for postgres-primary-0", "release clients")
}

func TestBouncer_AQueryThatDoesNotEnd_ReleasesTheClientsAndShutsNothingDown(t *testing.T) {
	e := healthyEstate(t)
	bouncing(e)
	e.before["HoldClients"] = func() error { return failure.Permanent(failure.Unreachable, "queries still run") }
	got := switchOver(e, handOver())
	require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "queries still run")
	require.Contains(t, e.journal, "release clients", "those that were paused before it failed")
	require.NotContains(t, e.journal, "fast shutdown of postgres-primary-0")
}

func TestBouncer_StoppedAfterThePromotion_LeavesNobodyWaiting(t *testing.T) {
	e := healthyEstate(t)
	bouncing(e)
	e.before["PointClients"] = func() error { return failure.Permanent(failure.NotFound, "no such entry") }
	e.decide(time.Minute, runbook.Abort, 0)
	got := switchOver(e, handOver())
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	requireOrder(t, e.journal, "hold clients", "promote postgres-replica-0 from timeline 1", "release clients")
}

func TestBouncer_OneThatWasNotTold_IsInTheReportWithWhatToDo(t *testing.T) {
	e := newEstate(t).automatic()
	bouncing(e)
	handle(e, "PointClients", func(pgbouncer.PointClientsParams) (pgbouncer.Told, error) {
		return pgbouncer.Told{Pods: []string{"pgbouncer-1"}, Missed: []string{"pgbouncer-2: no route"}}, nil
	})
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{"PgBouncer pgbouncer-2: no route; restart that pod before it serves: it starts with the new host"}, got.Missing)
}
