package runbook_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ledger keeps the product's own metrics as lines of "name{labels} value".
type ledger struct {
	labels map[string]string
	lines  *[]string
}

func newLedger() ledger { return ledger{lines: &[]string{}} }

func (l ledger) WithTags(labels map[string]string) client.MetricsHandler {
	all := maps.Clone(l.labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	return ledger{labels: all, lines: l.lines}
}

func (l ledger) write(name string, value any) {
	if !strings.HasPrefix(name, "fukkyu_") {
		return
	}
	var labels []string
	for _, label := range []string{"scenario", "mode", "outcome", "step", "state"} {
		if value, given := l.labels[label]; given {
			labels = append(labels, label+"="+value)
		}
	}
	*l.lines = append(*l.lines, fmt.Sprintf("%s{%s} %v", name, strings.Join(labels, ","), value))
}

type sink struct {
	ledger
	name string
}

func (s sink) Inc(count int64)           { s.write(s.name, count) }
func (s sink) Update(value float64)      { s.write(s.name, value) }
func (s sink) Record(took time.Duration) { s.write(s.name, took) }

func (l ledger) Counter(name string) client.MetricsCounter { return sink{l, name} }
func (l ledger) Gauge(name string) client.MetricsGauge     { return sink{l, name} }
func (l ledger) Timer(name string) client.MetricsTimer     { return sink{l, name} }

func TestMetrics_ARunThatRecovers_IsCountedWithTheDurationOfEachStep(t *testing.T) {
	measured := newLedger()
	b := newMeasuredBench(t, measured)

	b.run(by("yuki"))

	require.Equal(t, []string{
		"fukkyu_runs_started{scenario=Bench,mode=live} 1",
		"fukkyu_step_duration{scenario=Bench,mode=live,step=one,state=done} 1m0s",
		"fukkyu_step_duration{scenario=Bench,mode=live,step=two,state=done} 1m0s",
		"fukkyu_step_duration{scenario=Bench,mode=live,step=three,state=done} 1m0s",
		"fukkyu_runs_ended{scenario=Bench,mode=live,outcome=recovered} 1",
	}, *measured.lines)
}

func TestMetrics_ARehearsal_IsToldApartFromARecovery(t *testing.T) {
	measured := newLedger()
	b := newMeasuredBench(t, measured)

	b.run(runbook.Request{By: "yuki", Mode: runbook.Rehearse})

	require.Contains(t, *measured.lines, "fukkyu_step_duration{scenario=Bench,mode=rehearse,step=one,state=would} 0s")
	require.Contains(t, *measured.lines, "fukkyu_runs_ended{scenario=Bench,mode=rehearse,outcome=rehearsed} 1")
}

func TestMetrics_AStepThatFails_IsMeasuredOnceAndTheRunCountedByItsOutcome(t *testing.T) {
	measured := newLedger()
	b := newMeasuredBench(t, measured)
	b.steps[1].UndoOnFailure = true
	b.steps[1].Do = func(ctx workflow.Context) (string, error) {
		_ = workflow.Sleep(ctx, time.Minute)
		return "", temporal.NewNonRetryableApplicationError("broken", "Broken", nil)
	}

	got := b.run(by("yuki"))

	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, *measured.lines, "fukkyu_step_duration{scenario=Bench,mode=live,step=two,state=failed} 1m0s")
	require.Contains(t, *measured.lines, "fukkyu_runs_ended{scenario=Bench,mode=live,outcome=rolled-back} 1")
	require.Len(t, slices.DeleteFunc(*measured.lines, func(line string) bool { return !strings.Contains(line, "step=two") }), 1)
}

func TestMetrics_ARequestThatIsNotAccepted_IsNoRun(t *testing.T) {
	measured := newLedger()
	b := newMeasuredBench(t, measured)

	b.ExecuteWorkflow("Bench", runbook.Request{})

	require.True(t, runbook.IsRefused(b.GetWorkflowError()))
	require.Empty(t, *measured.lines)
}
