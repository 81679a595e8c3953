package workflows_test

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// hanging is an estate whose primary serves and whose commits wait for a replica, of which none is left.
func hanging(t *testing.T) (*estate, *postgres.ReadCommitsResult) {
	t.Helper()
	e := healthyEstate(t).synchronous()
	found := &postgres.ReadCommitsResult{Names: "ANY 1 (*)", Waiting: 4, Longest: 12 * time.Second}
	handle(e, "ReadCommits", func(postgres.ReadCommitsParams) (postgres.ReadCommitsResult, error) { return *found, nil })
	handle(e, "SetSynchronous", func(p postgres.SetSynchronousParams) (postgres.SetSynchronousResult, error) {
		if found.Names = p.Names; p.Names == "" {
			found.Waiting, found.Longest = 0, 0
		}
		return postgres.SetSynchronousResult{}, e.write("SetSynchronous", "commits of %s wait for %q", p.Instance.Pod, p.Names)
	})
	handle(e, "AwaitFlushed", func(p postgres.AwaitFlushedParams) (postgres.AwaitFlushedResult, error) {
		return postgres.AwaitFlushedResult{Flushed: found.Streaming, Enough: len(found.Streaming) >= p.AtLeast}, nil
	})
	handle(e, "RecordLease", func(p lease.RecordLeaseParams) (lease.RecordLeaseResult, error) {
		return lease.RecordLeaseResult{}, e.write("RecordLease", "remember relaxed %t", p.Record.Relaxed)
	})
	handle(e, "ReleaseLease", func(p lease.ReleaseLeaseParams) (lease.ReleaseLeaseResult, error) {
		return lease.ReleaseLeaseResult{}, e.write("ReleaseLease", "release lease, relaxed %t", p.Record.Relaxed)
	})
	return e, found
}

func (e *estate) commits(what string) (report.Report, error) {
	e.t.Helper()
	e.ExecuteWorkflow(workflows.DatabaseCommitsName, workflows.DatabaseCommitsRequest{Request: runbook.Request{By: "yuki"}, Database: "shodo", Commits: what})
	require.True(e.t, e.IsWorkflowCompleted())
	var got report.Report
	if err := e.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(e.t, e.GetWorkflowResult(&got))
	return got, nil
}

func TestDatabaseCommits_NoReplicaIsLeft_GoOnOnlyWhenAPersonSaysSo(t *testing.T) {
	e, _ := hanging(t)
	e.plan.Runbooks.DatabaseFailover.Approval.Needed = 0 // which does not count here
	e.RegisterDelayedCallback(func() {
		asked := e.status()
		require.Equal(t, runbook.PhaseAsking, asked.Phase)
		require.Contains(t, factsOf(asked.Question), "4 sessions wait, the longest for 12s")
		require.Contains(t, factsOf(asked.Question), "on postgres-primary-0 alone")
		require.Equal(t, []string{"take lease"}, e.journal)
	}, 14*time.Minute)
	e.approve(15*time.Minute, 1)
	got, err := e.commits(workflows.RelaxCommits)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "remember relaxed true", `commits of postgres-primary-0 wait for ""`, "release lease, relaxed true"}, e.journal,
		"whoever fails over next knows, even if the worker dies in between")
	require.Equal(t, []string{"fukkyu run database-commits --restore --database shodo --by NAME"}, got.Next)
}

func TestDatabaseCommits_RejectedOrTheServerRefuses_IsAsItWas(t *testing.T) {
	e, _ := hanging(t)
	e.decide(time.Minute, runbook.Reject, 1)
	got, err := e.commits(workflows.RelaxCommits)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"take lease", "release lease, relaxed false"}, e.journal)

	e, found := hanging(t)
	e.approve(time.Minute, 1)
	e.after["SetSynchronous"] = func() { found.Longest = time.Hour } // it is set elsewhere too
	e.decide(5*time.Minute, runbook.Abort, 0)
	got, err = e.commits(workflows.RelaxCommits)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{`commits of postgres-primary-0 wait for "ANY 1 (*)"`, "remember relaxed false", "release lease, relaxed false"}, e.journal[3:])
}

func TestDatabaseCommits_NothingHangs_IsRefused(t *testing.T) {
	for says, change := range map[string]func(*estate, *postgres.ReadCommitsResult){
		"commits do not hang: 1 replicas stream (zone-c)": func(_ *estate, found *postgres.ReadCommitsResult) {
			found.Streaming, found.Waiting, found.Longest = []string{"zone-c"}, 1, time.Millisecond
		},
		"wait for nobody already":               func(_ *estate, found *postgres.ReadCommitsResult) { found.Names = "" },
		"is a replica":                          func(_ *estate, found *postgres.ReadCommitsResult) { found.InRecovery = true },
		"has no primary":                        func(e *estate, _ *postgres.ReadCommitsResult) { e.found.RolePrimary = "" },
		"the plan's durability is asynchronous": func(e *estate, _ *postgres.ReadCommitsResult) { e.plan.Databases[0].Durability = plan.Durability{} },
	} {
		e, found := hanging(t)
		change(e, found)
		_, err := e.commits(workflows.RelaxCommits)
		require.ErrorContains(t, err, says)
		require.True(t, runbook.IsRefused(err))
		require.NotContains(t, e.journal, `commits of postgres-primary-0 wait for ""`)
	}
	e, _ := hanging(t)
	_, err := e.commits("sometimes")
	require.ErrorContains(t, err, `commits "sometimes" is unknown: relax or restore`)
}

func TestDatabaseCommits_Restore_WaitsForReplicasThatAreThereAndNoOthers(t *testing.T) {
	e, found := hanging(t)
	*found = postgres.ReadCommitsResult{Streaming: []string{"zone-c"}}
	e.held.Last.Relaxed = true
	got, err := e.commits(workflows.RestoreCommits)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", `commits of postgres-primary-0 wait for "ANY 1 (*)"`, "remember relaxed false", "release lease, relaxed false"}, e.journal)

	e, found = hanging(t)
	*found = postgres.ReadCommitsResult{}
	_, err = e.commits(workflows.RestoreCommits)
	require.ErrorContains(t, err, "every commit would hang: 0 replicas stream, and the plan lets commits wait for 1")
}

// A replica that has fallen silent streams, by PostgreSQL's word, for another minute.
func TestDatabaseCommits_RestoreWhileTheReplicasAreSilent_ChangesNothing(t *testing.T) {
	e, found := hanging(t)
	*found = postgres.ReadCommitsResult{Streaming: []string{"zone-c", "zone-d"}}
	e.held.Last.Relaxed = true
	handle(e, "AwaitFlushed", func(postgres.AwaitFlushedParams) (postgres.AwaitFlushedResult, error) {
		return postgres.AwaitFlushedResult{Seen: "no replica has 0/5000200 after 10s"}, nil
	})
	got, err := e.commits(workflows.RestoreCommits)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, got.Summary, "every commit would hang: no replica has 0/5000200 after 10s")
	require.Contains(t, got.Summary, "nothing was changed")
	require.Equal(t, []string{"take lease", "release lease, relaxed true"}, e.journal)
}

func TestDatabaseFailover_WhileCommitsGoOnWithout_TheLossIsJudgedAsAsynchronous(t *testing.T) {
	e := newEstate(t).automatic().synchronous()
	e.servers = e.servers[:1] // the other replica is silent
	e.held.Last = lease.Record{Holder: "database-failover/shodo/1", Phase: "finished", Relaxed: true}
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.RPO.How, "upper bound")
}

// A run that is cut off after the fence leaves in the lease what it last remembered.
func TestDatabaseFailover_WhileCommitsGoOnWithout_RemembersItFromTheFenceToTheRestoredRedundancy(t *testing.T) {
	e := newEstate(t).automatic().synchronous()
	e.held.Last = lease.Record{Holder: "database-failover/shodo/1", Phase: "finished", Relaxed: true}
	handle(e, "RecordLease", func(p lease.RecordLeaseParams) (lease.RecordLeaseResult, error) {
		return lease.RecordLeaseResult{}, e.write("RecordLease", "remember %s, relaxed %t", p.Record.Phase, p.Record.Relaxed)
	})
	handle(e, "ReleaseLease", func(p lease.ReleaseLeaseParams) (lease.ReleaseLeaseResult, error) {
		return lease.ReleaseLeaseResult{}, e.write("ReleaseLease", "release lease, relaxed %t", p.Record.Relaxed)
	})
	require.Equal(t, report.Recovered, e.run(asked).Outcome)
	require.Subset(t, e.journal, []string{
		"remember fenced, relaxed true", "remember promoting, relaxed true", "remember redirected, relaxed true", "release lease, relaxed false",
	})
}
