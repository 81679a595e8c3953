package runbook_test

import (
	"errors"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// begin has another run begin the bench's, after a decision of its own, and returns what became of it.
func (b *bench) begin() (report.Report, error) {
	b.t.Helper()
	parent := func(ctx workflow.Context) (report.Report, error) {
		var child report.Report
		request := runbook.Request{By: "yuki", DecidedBy: "full-outage/test/1"}
		err := workflow.ExecuteChildWorkflow(runbook.Child(ctx, "bench/test", "a part of everything"), "Bench", request).Get(ctx, &child)
		return child, err
	}
	b.RegisterWorkflowWithOptions(parent, workflow.RegisterOptions{Name: "Parent"})
	b.ExecuteWorkflow("Parent")
	require.True(b.t, b.IsWorkflowCompleted())
	var got report.Report
	if err := b.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(b.t, b.GetWorkflowResult(&got))
	return got, nil
}

var oneOfCTO = plan.Approval{Needed: 1, From: []string{"cto"}, Unanswered: plan.Unanswered{After: time.Minute, Then: plan.Hold}}

func TestChild_WhatTheRunThatBeganItDecided_IsNotAskedAgainAndNobodyIsCalled(t *testing.T) {
	b := newLadder(t)
	b.steps[1].Guard = func(workflow.Context) (runbook.Verdict, error) {
		return runbook.Verdict{Question: "Go on?", Binding: "two"}, nil
	}
	b.steps[1].Approval = &oneOfCTO
	got, err := b.begin()
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome)
	require.Empty(t, b.told(), "whoever began it tells of it")
	require.Contains(t, timeline(got), "decided by full-outage/test/1")
}

func TestChild_WhatNoDefaultMayDecide_IsAskedAllTheSame(t *testing.T) {
	b := newLadder(t)
	b.steps[1].Guard = func(workflow.Context) (runbook.Verdict, error) {
		return runbook.Verdict{Question: "Lose data?", Binding: "two", Undefaultable: true}, nil
	}
	b.steps[1].Approval = &oneOfCTO
	b.RegisterDelayedCallback(func() {
		require.NoError(t, b.SignalWorkflowByID("bench/test", runbook.Approve, runbook.Decision{Question: 1, By: "aiko"}))
	}, 3*time.Minute)
	got, err := b.begin()
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, "aiko", got.Decisions[0].By)
	require.Contains(t, b.told(), "pager trigger L1", "a question that nobody hears of is never answered")
}

func TestChild_AStepThatFails_UndoesItAllAndWaitsForNobody(t *testing.T) {
	b := newBench(t)
	b.steps[1].Do = func(workflow.Context) (string, error) { return "", errors.New("forbidden") }
	got, err := b.begin()
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, got.Summary, "forbidden")
	require.Empty(t, got.Decisions)
}

func TestChild_AClaimThatAnotherRunDecided_IsRefusedFromAnybodyElse(t *testing.T) {
	b := newBench(t)
	b.ExecuteWorkflow("Bench", runbook.Request{By: "yuki", DecidedBy: "full-outage/test/1"})
	require.ErrorContains(t, b.GetWorkflowError(), "decidedBy is for runs that another run begins")
}

func TestChild_RefusedByOneGuard_SaysByWhich(t *testing.T) {
	b := newBench(t)
	b.steps[0].Guard = func(workflow.Context) (runbook.Verdict, error) {
		return runbook.Verdict{Objections: []runbook.Objection{{Guard: "data-loss", Why: "too much"}}}, nil
	}
	_, err := b.begin()
	require.True(t, runbook.RefusedBy(err, "data-loss"), "%v", err)
	require.False(t, runbook.RefusedBy(err, "healthy"))
	require.False(t, runbook.RefusedBy(errors.New("data-loss"), "data-loss"))
}

func TestBroken_APartThatCannotBeRecovered_StopsNothingAndIsIncomplete(t *testing.T) {
	b := newLadder(t)
	b.steps[1].Do = func(ctx workflow.Context) (string, error) {
		b.started.Broken(ctx, "frontend: no image")
		return "the rest is well", nil
	}
	got := b.run(by("yuki"))
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Equal(t, []string{"do one", "do three"}, b.journal)
	require.Contains(t, got.Missing, "frontend: no image")
	require.Contains(t, b.told(), "cto-pager trigger L2", "it climbs at once")
}

func TestStage_ThatTakesLongerThanItsBudget_ClimbsALevelAndStopsNothing(t *testing.T) {
	b := newLadder(t)
	b.stages = []runbook.Stage{{Name: "diagnose", Budget: 90 * time.Second}, {Name: "recover", Budget: 90 * time.Second}}
	b.steps[0].Stage, b.steps[1].Stage, b.steps[2].Stage = "diagnose", "diagnose", "recover"
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Contains(t, timeline(got), "stage diagnose takes longer than its budget of 1m30s")
	require.NotContains(t, timeline(got), "stage recover")
	require.Contains(t, b.told(), "cto-pager trigger L2")
}

// timeline is everything that a report says happened.
func timeline(r report.Report) string {
	var said string
	for _, entry := range r.Timeline {
		said += entry.Text + "\n"
	}
	return said
}
