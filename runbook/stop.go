package runbook

import (
	"errors"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// undo takes back what one step did.
type undo struct {
	step int
	run  func(workflow.Context) error
}

// register remembers an undo, once for each step however often it is tried.
func (r *Run) register(entry undo) {
	for _, known := range r.undos {
		if known.step == entry.step {
			return
		}
	}
	r.undos = append(r.undos, entry)
}

// stop ends a run that did not come to its last step: by undoing what it did, or, past the point of no return, by handing over.
func (r *Run) stop(ctx workflow.Context, cause error, book Runbook) (report.Report, error) {
	r.note(workflow.Now(ctx), KindRun, r.stepName(), "stops: %s", r.whyStopped(cause))
	if r.past {
		return r.handOver(ctx, cause, book)
	}
	complete := r.undoAll(ctx)
	switch {
	case !complete:
		r.report.Summary = fmt.Sprintf("%s; not everything could be undone", r.whyStopped(cause))
		return r.finish(ctx, report.Incomplete, book)
	case r.changed:
		r.report.Summary = fmt.Sprintf("%s; the estate is as it was found", r.whyStopped(cause))
		return r.finish(ctx, report.RolledBack, book)
	}
	r.report.Summary = fmt.Sprintf("%s; nothing was changed", r.whyStopped(cause))
	var never *refusal
	if errors.As(cause, &never) {
		finished, _ := r.finish(ctx, report.Refused, book)
		return finished, temporal.NewNonRetryableApplicationError("refused, nothing was changed: "+never.Error(), RefusedType, nil, never.guards())
	}
	return r.finish(ctx, report.RolledBack, book)
}

func (r *Run) whyStopped(cause error) string {
	switch {
	case errors.Is(cause, errAborted):
		return "aborted by " + r.abortedBy
	case errors.Is(cause, errRejected):
		if r.rejectedBy == "" {
			return "nobody agreed in time"
		}
		return "rejected by " + r.rejectedBy
	case errors.Is(cause, errCancelled):
		return "cancelled"
	default:
		return plain(cause)
	}
}

// handOver leaves the estate as it stands and says what that is.
func (r *Run) handOver(ctx workflow.Context, cause error, book Runbook) (report.Report, error) {
	r.report.Summary = fmt.Sprintf("%s after the point of no return, during step %q", r.whyStopped(cause), r.stepName())
	if book.HandOver != nil {
		if err := book.HandOver(ctx, &r.report); err != nil {
			r.report.Missing = append(r.report.Missing, "handing over failed: "+plain(err))
		}
	}
	return r.finish(ctx, report.Incomplete, book)
}

// undoAll runs the undos in reverse, each until it is done or a person leaves it, and says whether all are done.
func (r *Run) undoAll(ctx workflow.Context) bool {
	if len(r.undos) == 0 {
		return true
	}
	r.undoing = true
	r.enter(ctx, PhaseUndoing)
	complete := true
	for i := len(r.undos) - 1; i >= 0; i-- {
		r.step = r.undos[i].step
		complete = r.undoOne(ctx, r.undos[i]) && complete
	}
	return complete
}

func (r *Run) undoOne(ctx workflow.Context, entry undo) bool {
	shown := r.current()
	for {
		err := entry.run(ctx)
		if err == nil {
			shown.State = report.Undone
			r.note(workflow.Now(ctx), KindUndo, shown.Name, "undone")
			r.publish(ctx)
			return true
		}
		shown.State = report.UndoFails
		r.note(workflow.Now(ctx), KindUndo, shown.Name, "undo failed: %s", plain(err))
		verb, askErr := r.ask(ctx, PhaseStanding, report.Question{
			Text: fmt.Sprintf("Undoing %q failed: %s. How to go on?", shown.Name, plain(err)), Answers: []string{Retry, Skip}, Needed: 1, Unanswered: "the run waits",
		}, fallback{})
		if askErr != nil || verb == Skip {
			r.report.Missing = append(r.report.Missing, fmt.Sprintf("%s was not undone: %s", shown.Name, plain(err)))
			return false
		}
		r.enter(ctx, PhaseUndoing)
	}
}

// succeed is the outcome of a run whose last step is done.
func (r *Run) succeed() report.Outcome {
	switch {
	case r.Rehearsing():
		return report.Rehearsed
	case r.broken:
		return report.Incomplete
	case r.unproven:
		return report.RecoveredUnproven
	case r.late():
		return report.RecoveredLate
	default:
		return report.Recovered
	}
}

// Unproven records that the run goes on without proof that the old primary is stopped.
func (r *Run) Unproven() { r.unproven = true }

// finish closes the report.
func (r *Run) finish(ctx workflow.Context, outcome report.Outcome, book Runbook) (report.Report, error) {
	r.closing = true
	r.report.Question, r.report.Forecast = nil, nil
	r.report.Outcome = outcome
	r.report.Clocks.Finished = workflow.Now(ctx)
	r.measureRTO()
	if book.Conclude != nil {
		book.Conclude(&r.report)
	}
	r.nameUnsound()
	r.note(r.report.Clocks.Finished, KindRun, "", "%s: %s", r.report.Outcome, r.report.Summary)
	r.countEnd(ctx)
	r.takeLeave(ctx)
	r.enter(ctx, PhaseFinished)
	// An answer to an Update that is still on its way would be lost if the run ended first.
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return r.report, err
	}
	return r.report, nil
}
