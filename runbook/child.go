package runbook

import (
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// childTaskTimeout is how long Temporal waits for a worker that took a step of the child and died; as for every run of ours.
const childTaskTimeout = 2 * time.Second

// Child prepares ctx for a run that this run starts and waits for. A run that is cancelled has its children undo what they did.
// Begun by another run, a run calls nobody but with a question of its own: what becomes of it is told by the one that began it.
func Child(ctx workflow.Context, id, summary string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: Queue, StaticSummary: summary, WorkflowTaskTimeout: childTaskTimeout,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
	})
}

// ForChild is what this run asks another one for: the same in everything that is common to all requests. What was decided here need not be
// decided there, but for what a plan's default may not decide either.
func (r *Run) ForChild() Request {
	return Request{
		Plan: r.Plan.Name, Mode: r.Request.Mode, By: r.Request.By, Reason: r.Request.Reason, ImpactStarted: r.Request.ImpactStarted,
		Detected: r.Request.Detected, DecidedBy: r.Holder(),
	}
}

// failsToItsParent says that a failed step ends the run, with the estate as it was found, rather than wait for a person: the run that began
// this one names what is not recovered and goes on with the rest.
func (r *Run) failsToItsParent() bool { return r.Request.DecidedBy != "" }

// RefusedBy says whether err, however wrapped, is the refusal of a guard of that name, and of no other.
func RefusedBy(err error, guard string) bool {
	var application *temporal.ApplicationError
	if !errors.As(err, &application) || application.Type() != RefusedType || !application.HasDetails() {
		return false
	}
	var guards []string
	return application.Details(&guards) == nil && len(guards) == 1 && guards[0] == guard
}

// guards are the names of those that objected.
func (r *refusal) guards() []string {
	names := []string{}
	for _, objection := range r.objections {
		names = append(names, objection.Guard)
	}
	return names
}
