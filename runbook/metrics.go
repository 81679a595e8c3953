package runbook

import (
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
)

// What the engine counts, for docs/metrics.md. Only what happens is told from here, once, by the worker that performs it and
// never by a replay. What is true of a run for a while, like a question that is open, is read from Temporal instead: the
// worker that told it might die, or lose the run to another, before it could take it back.
const (
	metricRunsStarted  = "fukkyu_runs_started"
	metricRunsEnded    = "fukkyu_runs_ended"
	metricStepDuration = "fukkyu_step_duration"
)

func (r *Run) meter(ctx workflow.Context, labels map[string]string) client.MetricsHandler {
	labels["scenario"], labels["mode"] = r.report.Scenario, r.report.Mode
	return workflow.GetMetricsHandler(ctx).WithTags(labels)
}

// countStart counts a run that begins its steps.
func (r *Run) countStart(ctx workflow.Context) {
	r.meter(ctx, map[string]string{}).Counter(metricRunsStarted).Inc(1)
}

// countEnd counts a run by its outcome.
func (r *Run) countEnd(ctx workflow.Context) {
	r.meter(ctx, map[string]string{"outcome": string(r.report.Outcome)}).Counter(metricRunsEnded).Inc(1)
}

// measureStep records how long a step that has come to its end took, with the time in which people were asked.
func (r *Run) measureStep(ctx workflow.Context, step *report.Step) {
	labels := map[string]string{"step": step.Name, "state": string(step.State)}
	r.meter(ctx, labels).Timer(metricStepDuration).Record(step.Took())
}
