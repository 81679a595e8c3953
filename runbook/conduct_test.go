package runbook_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// bench conducts a runbook of three steps in Temporal's test environment and keeps the ordered list of what was changed.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	steps   []runbook.Step
	journal []string
	handed  bool
	planned bool
	stages  []runbook.Stage
	started *runbook.Run // the last one that began

	escalation []plan.EscalationLevel
	notices    []runbook.Notice
	notify     func(workflow.Context, runbook.Notice) (runbook.Delivery, error) // what becomes of each of them
	experience runbook.Experience
}

var objectives = plan.Objectives{RTO: 30 * time.Minute, RPO: 5 * time.Minute}

// newBench has three steps, each of which takes a minute and can be undone; the third is the point of no return.
func newBench(t *testing.T) *bench {
	t.Helper()
	return newMeasuredBench(t, client.MetricsNopHandler)
}

func newMeasuredBench(t *testing.T, metrics client.MetricsHandler) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetMetricsHandler(metrics)
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	for _, name := range []string{"one", "two", "three"} {
		b.steps = append(b.steps, runbook.Step{Name: name, Do: b.do(name), Undo: b.undo(name)})
	}
	b.steps[2].PointOfNoReturn = true
	b.steps[2].Undo = nil
	b.RegisterWorkflowWithOptions(b.workflow, workflow.RegisterOptions{Name: "Bench"})
	return b
}

func (b *bench) do(name string) func(workflow.Context) (string, error) {
	return func(ctx workflow.Context) (string, error) {
		b.journal = append(b.journal, "do "+name)
		return name + " is done", workflow.Sleep(ctx, time.Minute)
	}
}

func (b *bench) undo(name string) func(workflow.Context) error {
	return func(ctx workflow.Context) error {
		b.journal = append(b.journal, "undo "+name)
		return workflow.Sleep(ctx, time.Second)
	}
}

func (b *bench) workflow(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request runbook.Request
	if err := runbook.Decode(input, &request, runbook.Request{By: "yuki"}); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: "Bench", Guards: []string{"data-loss"}, Planned: b.planned}, request, b.ports())
	if err != nil {
		return report.Report{}, err
	}
	b.started = run
	return run.Conduct(ctx, runbook.Runbook{Steps: b.steps, Stages: b.stages, HandOver: func(workflow.Context, *report.Report) error {
		b.handed = true
		return nil
	}})
}

func (b *bench) ports() runbook.Ports {
	return runbook.Ports{
		Pin: b.pin,
		Notify: func(ctx workflow.Context, notice runbook.Notice) (runbook.Delivery, error) {
			b.notices = append(b.notices, notice)
			if b.notify != nil {
				return b.notify(ctx, notice)
			}
			return runbook.Delivery{Kind: "webhook", To: "sink"}, nil
		},
		Recall: func(workflow.Context, string, string) (runbook.Experience, error) { return b.experience, nil },
	}
}

func (b *bench) pin(workflow.Context) (runbook.Pinned, error) {
	people := []plan.Person{{Name: "yuki", Role: "on-call"}, {Name: "aiko", Role: "cto"}, {Name: "ken", Role: "cto"}}
	return runbook.Pinned{Pinned: plan.Pinned{Plan: plan.Plan{Name: "test", Version: "1", Objectives: objectives, People: people, Escalation: b.escalation}, Hash: "sha256:0"}, Build: "test"}, nil
}

// run starts the workflow and returns its report.
func (b *bench) run(request runbook.Request) report.Report {
	b.t.Helper()
	b.ExecuteWorkflow("Bench", request)
	require.True(b.t, b.IsWorkflowCompleted())
	require.NoError(b.t, b.GetWorkflowError())
	var got report.Report
	require.NoError(b.t, b.GetWorkflowResult(&got))
	return got
}

// status is what the query answers.
func (b *bench) status() report.Report {
	b.t.Helper()
	answer, err := b.QueryWorkflow(runbook.StatusQuery)
	require.NoError(b.t, err)
	var got report.Report
	require.NoError(b.t, answer.Get(&got))
	return got
}

// after sends something to the run when it has lasted that long.
func (b *bench) after(delay time.Duration, send func()) { b.RegisterDelayedCallback(send, delay) }

// update sends a verb as an Update and returns how it was answered.
func (b *bench) update(verb string, message any) *answer {
	got := &answer{}
	b.UpdateWorkflow(verb, fmt.Sprintf("%s-%v-%d", verb, message, len(b.journal)), got, message)
	return got
}

// answer records what became of an Update.
type answer struct {
	accepted bool
	rejected error
	failed   error
}

func (a *answer) Accept()                      { a.accepted = true }
func (a *answer) Reject(err error)             { a.rejected = err }
func (a *answer) Complete(_ any, failed error) { a.failed = failed }

func by(name string) runbook.Request { return runbook.Request{By: name} }

func TestConduct_AllStepsSucceed_EndsRecoveredWithEveryStepDone(t *testing.T) {
	b := newBench(t)
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{"do one", "do two", "do three"}, b.journal)
	for _, step := range got.Steps {
		require.Equal(t, report.Done, step.State)
		require.Equal(t, time.Minute, step.Took())
	}
}

// Cancelling and aborting at every boundary: what was done is undone in reverse, up to the point of no return, and never after it.
func TestConduct_StoppedDuringEachStep_UndoesInReverseUntilThePointOfNoReturn(t *testing.T) {
	cases := []struct {
		during  time.Duration
		journal []string
		outcome report.Outcome
		handed  bool
	}{
		{30 * time.Second, []string{"do one", "undo one"}, report.RolledBack, false},
		{90 * time.Second, []string{"do one", "do two", "undo two", "undo one"}, report.RolledBack, false},
		{150 * time.Second, []string{"do one", "do two", "do three"}, report.Incomplete, true},
	}
	stops := map[string]func(*bench){
		"cancel":       func(b *bench) { b.CancelWorkflow() },
		"abort update": func(b *bench) { b.update(runbook.Abort, runbook.Decision{By: "yuki"}) },
		"abort signal": func(b *bench) { b.SignalWorkflow(runbook.Abort, runbook.Decision{By: "yuki"}) },
	}
	for name, stop := range stops {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s after %s", name, c.during), func(t *testing.T) {
				b := newBench(t)
				b.after(c.during, func() { stop(b) })
				got := b.run(by("yuki"))
				require.Equal(t, c.journal, b.journal)
				require.Equal(t, c.outcome, got.Outcome)
				require.Equal(t, c.handed, b.handed)
			})
		}
	}
}

func TestConduct_StepFails_StandsUntilAPersonRetries(t *testing.T) {
	b := newBench(t)
	do, failed := b.steps[1].Do, false
	b.steps[1].Do = func(ctx workflow.Context) (string, error) {
		if !failed {
			failed = true
			return "", temporal.NewNonRetryableApplicationError("the disk is full", "Unexpected", nil)
		}
		return do(ctx)
	}
	b.after(time.Hour, func() {
		question := b.status().Question
		require.Equal(t, []string{runbook.Retry, runbook.Skip, runbook.Abort}, question.Answers)
		require.Contains(t, question.Text, "the disk is full")
		b.update(runbook.Retry, runbook.Decision{Question: question.Number, By: "yuki"})
	})
	got := b.run(by("yuki"))
	require.Equal(t, []string{"do one", "do two", "do three"}, b.journal)
	require.Equal(t, 2, got.Steps[1].Attempts)
	require.Equal(t, report.Recovered, got.Outcome)
}

func TestConduct_FailedStepSkipped_NeedsAReasonWhichStandsInTheReport(t *testing.T) {
	b := newBench(t)
	b.steps[1].Do = func(workflow.Context) (string, error) { return "", errors.New("no room") }
	var without *answer
	b.after(time.Hour, func() { without = b.update(runbook.Skip, runbook.Decision{Question: 1, By: "yuki"}) })
	b.after(2*time.Hour, func() {
		b.update(runbook.Skip, runbook.Decision{Question: 1, By: "yuki", Comment: "done by hand"})
	})
	got := b.run(by("yuki"))
	require.ErrorContains(t, without.rejected, "reason")
	require.Equal(t, report.Skipped, got.Steps[1].State)
	require.Contains(t, got.Missing[0], "done by hand")
}

func TestConduct_GuardRefusesBeforeAnyChange_FailsAsRefused(t *testing.T) {
	b := newBench(t)
	b.steps[0].Guard = never("data-loss", "600 s would be lost")
	b.ExecuteWorkflow("Bench", by("yuki"))
	require.True(t, runbook.IsRefused(b.GetWorkflowError()))
	require.ErrorContains(t, b.GetWorkflowError(), "--override data-loss")
	require.Empty(t, b.journal)
}

func TestConduct_GuardRefusesAfterAChange_RollsBackWithAReport(t *testing.T) {
	b := newBench(t)
	b.steps[1].Guard = never("data-loss", "600 s would be lost")
	got := b.run(by("yuki"))
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"do one", "undo one"}, b.journal)
}

func TestConduct_GuardOverridden_GoesOnAndRecordsWhoAndWhy(t *testing.T) {
	b := newBench(t)
	b.steps[1].Guard = never("data-loss", "600 s would be lost")
	request := by("yuki")
	request.Overrides = []runbook.Override{{Guard: "data-loss", Reason: "the old disk is ash"}}
	got := b.run(request)
	require.Equal(t, report.Recovered, got.Outcome)
	require.Len(t, got.Overrides, 1)
	require.Equal(t, "the old disk is ash", got.Overrides[0].Reason)
	require.Equal(t, "600 s would be lost", got.Overrides[0].Said)
}

func TestConduct_ObjectionWithoutAName_CannotBeOverridden(t *testing.T) {
	b := newBench(t)
	b.steps[0].Guard = never("", "no replica")
	request := by("yuki")
	request.Overrides = []runbook.Override{{Guard: "data-loss", Reason: "go"}}
	b.ExecuteWorkflow("Bench", request)
	require.True(t, runbook.IsRefused(b.GetWorkflowError()))
}

func TestConduct_GuardWaits_GoesOnWhenItMay(t *testing.T) {
	b := newBench(t)
	asked := 0
	b.steps[0].Guard = func(workflow.Context) (runbook.Verdict, error) {
		if asked++; asked < 5 {
			return runbook.Verdict{Waiting: "the lease"}, nil
		}
		return runbook.Verdict{}, nil
	}
	got := b.run(by("yuki"))
	require.Equal(t, 5, asked)
	require.Equal(t, report.Recovered, got.Outcome)
}

func TestConduct_Rehearsal_JudgesEveryGuardAndChangesNothing(t *testing.T) {
	b := newBench(t)
	b.steps[1].Guard = never("data-loss", "600 s would be lost")
	request := by("yuki")
	request.Mode = runbook.Rehearse
	got := b.run(request)
	require.Equal(t, report.Rehearsed, got.Outcome)
	require.Empty(t, b.journal)
	require.Equal(t, []report.StepState{report.Would, report.Blocked, report.Would}, states(got))
	require.Contains(t, got.Steps[1].Result, "600 s would be lost")
}

func TestConduct_Paused_HoldsBeforeTheNextStepUntilResumed(t *testing.T) {
	b := newBench(t)
	b.after(30*time.Second, func() { b.update(runbook.Pause, runbook.Decision{By: "yuki"}) })
	b.after(time.Hour, func() {
		require.Equal(t, []string{"do one"}, b.journal)
		require.Equal(t, runbook.PhasePaused, b.status().Phase)
		b.SignalWorkflow(runbook.Resume, runbook.Decision{By: "yuki"})
	})
	require.Equal(t, report.Recovered, b.run(by("yuki")).Outcome)
}

func TestConduct_UndoFails_IsRetriedUntilAPersonLeavesIt(t *testing.T) {
	b := newBench(t)
	b.steps[0].Undo = func(workflow.Context) error { return errors.New("the API server is gone") }
	b.after(30*time.Second, func() { b.CancelWorkflow() })
	b.after(time.Minute, func() { b.update(runbook.Retry, runbook.Decision{Question: 1, By: "yuki"}) })
	b.after(2*time.Minute, func() {
		b.update(runbook.Skip, runbook.Decision{Question: 2, By: "yuki", Comment: "by hand tomorrow"})
	})
	got := b.run(by("yuki"))
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, got.Missing[0], "the API server is gone")
}

func TestConduct_Deadline_WarnsAtEachShareAndNeverStopsTheRun(t *testing.T) {
	b := newBench(t)
	b.steps[0].Do = func(ctx workflow.Context) (string, error) { return "", workflow.Sleep(ctx, time.Hour) }
	b.steps[0].Budget = time.Minute
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	var warnings []string
	for _, entry := range got.Timeline {
		if entry.Kind == runbook.KindClock {
			warnings = append(warnings, entry.Text)
		}
	}
	require.Len(t, warnings, 4)
	require.Contains(t, warnings[0], "50%")
	require.Contains(t, warnings[2], "100%")
	require.Contains(t, warnings[3], "took 1h0m0s of a budget of 1m0s")
}

func never(guard, why string) func(workflow.Context) (runbook.Verdict, error) {
	return func(workflow.Context) (runbook.Verdict, error) {
		return runbook.Verdict{Objections: []runbook.Objection{{Guard: guard, Why: why}}}, nil
	}
}

func states(got report.Report) []report.StepState {
	var states []report.StepState
	for _, step := range got.Steps {
		states = append(states, step.State)
	}
	return states
}
