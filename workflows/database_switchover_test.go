package workflows_test

import (
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// healthyEstate is one whose primary lives and has two replicas that stream from it.
func healthyEstate(t *testing.T) *estate {
	t.Helper()
	e := newEstate(t)
	e.plan.Runbooks.DatabaseSwitchover.Approval.Needed = 0
	for i := range e.servers {
		e.servers[i].Receiving = true
	}
	primary := e.replica("postgres-primary-0", 0x5000200)
	primary.InRecovery = false
	e.servers = append(e.servers, primary)
	e.shutDown, e.comesBack = true, true
	return e
}

func switchOver(e *estate, request workflows.DatabaseSwitchoverRequest) report.Report {
	e.t.Helper()
	e.ExecuteWorkflow(workflows.DatabaseSwitchoverName, request)
	require.True(e.t, e.IsWorkflowCompleted())
	require.NoError(e.t, e.GetWorkflowError())
	var got report.Report
	require.NoError(e.t, e.GetWorkflowResult(&got))
	return got
}

func handOver() workflows.DatabaseSwitchoverRequest {
	return workflows.DatabaseSwitchoverRequest{Request: runbook.Request{By: "yuki"}, Database: "shodo"}
}

// wholeSwitchover is every write of a switchover, in the only order that loses nothing.
var wholeSwitchover = []string{
	"take lease",
	"remember fenced",
	"write checkpoints",
	"close gate from postgres-primary-0 epoch 7",
	"fast shutdown of postgres-primary-0",
	"remember promoting",
	"open gate for postgres-replica-0",
	"promote postgres-replica-0 from timeline 1",
	"point service at postgres-replica-0",
	"canary",
	"remember redirected",
	"canary",
	"release lease finished",
}

// whollyUndone is what a switchover leaves that could not prove that the replica has everything.
var whollyUndone = []string{
	"take lease",
	"remember fenced",
	"write checkpoints",
	"close gate from postgres-primary-0 epoch 7",
	"fast shutdown of postgres-primary-0",
	"open gate for postgres-primary-0",
	"release lease ",
}

func TestDatabaseSwitchover_HealthyPrimary_LosesNothingAndWritesInTheSafeOrder(t *testing.T) {
	e := healthyEstate(t)
	got := switchOver(e, handOver())
	require.Equal(t, wholeSwitchover, e.journal)
	require.Equal(t, report.Recovered, got.Outcome)
	require.NotNil(t, got.RPO.Measured)
	require.Zero(t, *got.RPO.Measured)
	require.Contains(t, got.RPO.How, "shutdown checkpoint")
}

func TestDatabaseSwitchover_ToANamedReplica_HandsOverToThatOne(t *testing.T) {
	e := healthyEstate(t)
	request := handOver()
	request.To = "postgres-replica-1"
	require.Contains(t, switchOver(e, request).Summary, "postgres-replica-1 took over")
	require.Contains(t, e.journal, "promote postgres-replica-1 from timeline 1")
}

func TestDatabaseSwitchover_NoProofThatTheReplicaHasEverything_StartsTheOldPrimaryAgain(t *testing.T) {
	e := healthyEstate(t)
	e.shutDown = false
	got := switchOver(e, handOver())
	require.Equal(t, whollyUndone, e.journal)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.False(t, got.Clocks.Recovered.IsZero(), "the report says when writes came back")
}

func TestDatabaseSwitchover_AFailureWhileNobodyCanWrite_UndoesWithoutAskingAnybody(t *testing.T) {
	e := healthyEstate(t)
	e.before["StopServer"] = func() error { return failure.Permanent(failure.Unexpected, "no such container") }
	got := switchOver(e, handOver())
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, e.journal, "open gate for postgres-primary-0")
	require.Zero(t, got.Question)
}

func TestDatabaseSwitchover_TheShutdownHangs_TheUndoEndsItHard(t *testing.T) {
	e := healthyEstate(t)
	e.shutDown, e.comesBack = false, false
	e.after["StopServer"] = func() {
		if e.journal[len(e.journal)-1] == "immediate shutdown of postgres-primary-0" {
			e.comesBack = true
		}
	}
	require.Equal(t, report.RolledBack, switchOver(e, handOver()).Outcome)
	require.Contains(t, e.journal, "immediate shutdown of postgres-primary-0")
}

func TestDatabaseSwitchover_CancelledAtEachWrite_UndoesBeforeThePromotionAndHandsOverAfterIt(t *testing.T) {
	for name, undone := range map[string]bool{"CloseRole": true, "StopServer": true, "Promote": false, "PointService": false} {
		t.Run(name, func(t *testing.T) {
			e := healthyEstate(t)
			var once sync.Once
			e.after[name] = func() { once.Do(e.CancelWorkflow) }
			got := switchOver(e, handOver())
			if undone {
				require.Equal(t, report.RolledBack, got.Outcome)
				requireAsFound(t, e.journal)
				return
			}
			require.Equal(t, report.Incomplete, got.Outcome)
			require.Contains(t, got.Next[0], "fukkyu run database-switchover --database shodo --by NAME --continue")
		})
	}
}

func TestDatabaseSwitchover_WhatCannotBeHandedOver_IsRefusedAndNothingIsTouched(t *testing.T) {
	cases := map[string]struct {
		damage func(*estate, *workflows.DatabaseSwitchoverRequest)
		says   string
	}{
		"the primary does not answer": {func(e *estate, _ *workflows.DatabaseSwitchoverRequest) {
			e.servers[2] = postgres.Server{Pod: "postgres-primary-0", Error: "no answer in time"}
		}, "fukkyu run database-failover"},
		"no start gate": {func(e *estate, _ *workflows.DatabaseSwitchoverRequest) { e.plan.Databases[0].StartGate = false }, "start gate"},
		"the named replica is not there": {func(_ *estate, r *workflows.DatabaseSwitchoverRequest) { r.To = "postgres-replica-9" },
			"another was asked for"},
		"no replica streams": {func(e *estate, _ *workflows.DatabaseSwitchoverRequest) {
			e.servers[0].Receiving, e.servers[1].Receiving = false, false
		}, "does not receive from the primary"},
		"the replica never catches up": {func(e *estate, _ *workflows.DatabaseSwitchoverRequest) { e.servers[2].ReceiveLSN = 0x9000000 }, "still"},
		"applications use another": {func(e *estate, _ *workflows.DatabaseSwitchoverRequest) { e.found.ServicePod = "postgres-replica-1" },
			"Service postgres sends applications to postgres-replica-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := healthyEstate(t)
			request := handOver()
			c.damage(e, &request)
			e.ExecuteWorkflow(workflows.DatabaseSwitchoverName, request)
			require.True(t, runbook.IsRefused(e.GetWorkflowError()), e.GetWorkflowError())
			require.ErrorContains(t, e.GetWorkflowError(), c.says)
			require.Equal(t, []string{"take lease", "release lease "}, e.journal)
		})
	}
}

func TestDatabaseSwitchover_ThePrimaryDiesWhilePeopleThink_IsRefused(t *testing.T) {
	e := healthyEstate(t)
	e.plan.Runbooks.DatabaseSwitchover.Approval.Needed = 1
	e.RegisterDelayedCallback(func() { e.servers[2] = postgres.Server{Pod: "postgres-primary-0", Error: "no answer in time"} }, 5*time.Second)
	e.approve(10*time.Second, 1)
	e.ExecuteWorkflow(workflows.DatabaseSwitchoverName, handOver())
	require.ErrorContains(t, e.GetWorkflowError(), "does not answer")
	require.NotContains(t, e.journal, "write checkpoints")
}

func TestDatabaseSwitchover_ThePromotionFails_StandsWithTheFacts(t *testing.T) {
	e := healthyEstate(t)
	failures := 0
	e.before["Promote"] = func() error {
		if failures++; failures == 1 {
			return failure.Permanent(failure.Unexpected, "it belongs to another system")
		}
		return nil
	}
	var said string
	e.RegisterDelayedCallback(func() {
		if question := e.status().Question; question != nil {
			said = question.Text
		}
	}, time.Minute)
	e.decide(2*time.Minute, runbook.Retry, 1)
	e.approve(3*time.Minute, 2)
	got := switchOver(e, handOver())
	require.Contains(t, said, "it belongs to another system")
	require.Contains(t, []report.Outcome{report.Recovered, report.RecoveredLate}, got.Outcome)
	require.NotContains(t, e.journal, "open gate for postgres-primary-0", "after a promotion that may have happened the old primary never starts again")
}
