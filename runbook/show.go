package runbook

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// The search attributes by which runs are found and alerted on. `fukkyu setup` registers them.
var (
	AttributePlan     = temporal.NewSearchAttributeKeyKeyword("FukkyuPlan")
	AttributeScenario = temporal.NewSearchAttributeKeyKeyword("FukkyuScenario")
	AttributeMode     = temporal.NewSearchAttributeKeyKeyword("FukkyuMode")
	AttributePhase    = temporal.NewSearchAttributeKeyKeyword("FukkyuPhase")
	AttributeOutcome  = temporal.NewSearchAttributeKeyKeyword("FukkyuOutcome")
	AttributeDeadline = temporal.NewSearchAttributeKeyTime("FukkyuDeadline")
)

// enter moves the run to a phase and shows it.
func (r *Run) enter(ctx workflow.Context, phase string) {
	if r.report.Phase != phase {
		r.report.Phase = phase
		r.upsert(ctx)
	}
	r.publish(ctx)
}

func (r *Run) upsert(ctx workflow.Context) {
	updates := []temporal.SearchAttributeUpdate{
		AttributePlan.ValueSet(r.report.Plan),
		AttributeScenario.ValueSet(r.report.Scenario),
		AttributeMode.ValueSet(r.report.Mode),
		AttributePhase.ValueSet(r.report.Phase),
		AttributeDeadline.ValueSet(r.report.Clocks.Deadline),
	}
	if r.report.Outcome != "" {
		updates = append(updates, AttributeOutcome.ValueSet(string(r.report.Outcome)))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("search attributes not written", "error", err)
	}
}

// publish shows the report as it stands on the workflow's page in the Temporal UI.
func (r *Run) publish(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, r.report.Status())
}

// Attributes lists the search attributes.
func Attributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{AttributePlan, AttributeScenario, AttributeMode, AttributePhase, AttributeOutcome, AttributeDeadline}
}
