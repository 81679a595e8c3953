package runbook_test

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// asking makes the second step ask the two CTOs, with a binding that the test can change.
func asking(b *bench, needed int, unanswered plan.Unanswered) *runbook.Verdict {
	verdict := &runbook.Verdict{Question: "Replace it?", Binding: "a", Facts: []report.Fact{{Name: "loss", Value: "0 bytes"}}}
	b.steps[1].Approval = &plan.Approval{Needed: needed, From: []string{"cto"}, Unanswered: unanswered}
	b.steps[1].Guard = func(workflow.Context) (runbook.Verdict, error) { return *verdict, nil }
	return verdict
}

var hold = plan.Unanswered{After: 10 * time.Minute, Then: plan.Hold}

func TestApproval_AgreedBySomebodyOnTheList_GoesOn(t *testing.T) {
	b := newBench(t)
	asking(b, 1, hold)
	b.after(2*time.Minute, func() {
		question := b.status().Question
		require.Equal(t, []string{"aiko", "ken"}, question.From)
		require.Equal(t, "0 bytes", question.Facts[0].Value)
		require.Equal(t, []string{"do one"}, b.journal)
		b.update(runbook.Approve, runbook.Decision{Question: question.Number, By: "aiko"})
	})
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, "aiko", got.Decisions[0].By)
	require.Equal(t, runbook.Claimed, got.Decisions[0].Identity)
}

// Each of these Updates must leave the run where it is, and say why.
func TestApproval_UpdateThatDoesNotCount_IsRejectedAndChangesNothing(t *testing.T) {
	cases := []struct {
		name    string
		verb    string
		message any
		why     string
	}{
		{"not on the list", runbook.Approve, runbook.Decision{Question: 1, By: "yuki"}, "aiko, ken"},
		{"not in the plan", runbook.Approve, runbook.Decision{Question: 1, By: "mallory"}, "not among the people"},
		{"old question", runbook.Approve, runbook.Decision{Question: 7, By: "aiko"}, "open is question 1"},
		{"no question", runbook.Approve, runbook.Decision{By: "aiko"}, "open is question 1"},
		{"nobody", runbook.Approve, runbook.Decision{Question: 1}, "by is missing"},
		{"wrong verb", runbook.Retry, runbook.Decision{Question: 1, By: "aiko"}, "approve, reject"},
		{"unknown field", runbook.Approve, map[string]any{"question": 1, "by": "aiko", "force": true}, `unknown field "force"`},
		{"a string", runbook.Approve, "yes", "JSON string"},
		{"a question in words", runbook.Approve, map[string]any{"question": "one", "by": "aiko"}, "field question"},
		{"resume what is not paused", runbook.Resume, runbook.Decision{By: "yuki"}, "not paused"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			asking(b, 1, hold)
			var sent *answer
			b.after(2*time.Minute, func() { sent = b.update(c.verb, c.message) })
			b.after(3*time.Minute, func() {
				require.ErrorContains(t, sent.rejected, c.why)
				require.Equal(t, 1, b.status().Question.Number)
				require.Empty(t, b.status().Decisions)
				b.SignalWorkflow(runbook.Approve, runbook.Decision{Question: 1, By: "ken"})
			})
			require.Equal(t, report.Recovered, b.run(by("yuki")).Outcome)
		})
	}
}

func TestApproval_SignalThatDoesNotCount_IsShownAsRejected(t *testing.T) {
	b := newBench(t)
	asking(b, 1, hold)
	b.after(2*time.Minute, func() { b.SignalWorkflow(runbook.Approve, "yes please") })
	b.after(3*time.Minute, func() { b.SignalWorkflow(runbook.Approve, runbook.Decision{Question: 1, By: "yuki"}) })
	b.after(4*time.Minute, func() { b.SignalWorkflow(runbook.Approve, runbook.Decision{Question: 1, By: "ken"}) })
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Len(t, got.Rejected, 2)
	require.Contains(t, got.Rejected[0].Why, "JSON string")
	require.Contains(t, got.Rejected[1].Why, "may not answer")
}

func TestApproval_TwoNeeded_OnePersonNeverCountsTwice(t *testing.T) {
	b := newBench(t)
	asking(b, 2, hold)
	var again *answer
	b.after(2*time.Minute, func() { b.update(runbook.Approve, runbook.Decision{Question: 1, By: "aiko"}) })
	b.after(3*time.Minute, func() { again = b.update(runbook.Approve, runbook.Decision{Question: 1, By: "aiko", Comment: "again"}) })
	b.after(4*time.Minute, func() {
		require.ErrorContains(t, again.rejected, "already")
		require.Equal(t, []string{"do one"}, b.journal)
		b.update(runbook.Approve, runbook.Decision{Question: 1, By: "ken"})
	})
	require.Equal(t, report.Recovered, b.run(by("yuki")).Outcome)
}

func TestApproval_Rejected_UndoesWhatWasDone(t *testing.T) {
	b := newBench(t)
	asking(b, 1, hold)
	b.after(2*time.Minute, func() { b.update(runbook.Reject, runbook.Decision{Question: 1, By: "ken"}) })
	got := b.run(by("yuki"))
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"do one", "undo one"}, b.journal)
	require.Contains(t, got.Summary, "rejected by ken")
}

func TestApproval_FactsChangedWhileAsking_AsksAgain(t *testing.T) {
	b := newBench(t)
	verdict := asking(b, 1, hold)
	b.after(2*time.Minute, func() {
		verdict.Binding = "b"
		b.update(runbook.Approve, runbook.Decision{Question: 1, By: "aiko"})
	})
	b.after(3*time.Minute, func() {
		require.Equal(t, 2, b.status().Question.Number)
		require.Equal(t, []string{"do one"}, b.journal)
		b.update(runbook.Approve, runbook.Decision{Question: 2, By: "aiko"})
	})
	require.Equal(t, report.Recovered, b.run(by("yuki")).Outcome)
}

func TestApproval_NobodyAnswers_TakesThePlansDefaultOnlyAfterItsMinutes(t *testing.T) {
	cases := []struct {
		name          string
		then          string
		undefaultable bool
		outcome       report.Outcome
	}{
		{"proceed", plan.Proceed, false, report.Recovered},
		{"abort", plan.Abort, false, report.RolledBack},
		{"hold", plan.Hold, false, report.RolledBack},
		{"proceed, but data would be lost", plan.Proceed, true, report.RolledBack},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			asking(b, 1, plan.Unanswered{After: 10 * time.Minute, Then: c.then}).Undefaultable = c.undefaultable
			b.after(10*time.Minute, func() { require.NotNil(t, b.status().Question) })
			b.after(24*time.Hour, func() { b.CancelWorkflow() })
			require.Equal(t, c.outcome, b.run(by("yuki")).Outcome)
		})
	}
}

func TestBegin_RequestThatCannotBeTaken_IsRefusedWithAnExample(t *testing.T) {
	cases := []struct {
		name  string
		input []any
		why   string
	}{
		{"nothing", nil, "the input is empty"},
		{"empty object", []any{map[string]any{}}, "by is missing"},
		{"null", []any{nil}, "the input is empty"},
		{"a string", []any{"shodo"}, "JSON string"},
		{"an unknown field", []any{map[string]any{"by": "yuki", "databse": "shodo"}}, `unknown field "databse"`},
		{"an unknown mode", []any{map[string]any{"by": "yuki", "mode": "dry"}}, "live, rehearse, drill"},
		{"an unknown guard", []any{map[string]any{"by": "yuki", "overrides": []any{map[string]any{"guard": "all", "reason": "x"}}}}, "data-loss"},
		{"an override without reason", []any{map[string]any{"by": "yuki", "overrides": []any{map[string]any{"guard": "data-loss"}}}}, "no reason"},
		{"an impact to come", []any{map[string]any{"by": "yuki", "impactStarted": "2999-01-01T00:00:00Z"}}, "impactStarted 2999-01-01T00:00:00Z lies in the future"},
		{"detected before it began", []any{map[string]any{"by": "yuki", "impactStarted": "2020-01-01T00:01:00Z", "detected": "2020-01-01T00:00:00Z"}}, "lies before impactStarted"},
		{"another plan", []any{map[string]any{"by": "yuki", "plan": "other"}}, `plan "test"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.ExecuteWorkflow("Bench", c.input...)
			require.True(t, b.IsWorkflowCompleted())
			require.ErrorContains(t, b.GetWorkflowError(), c.why)
			require.True(t, runbook.IsRefused(b.GetWorkflowError()))
			require.Empty(t, b.journal)
		})
	}
}
