package runbook

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// recheckInterval is how long a guard that waits is left alone. Guards that can watch do so themselves, this is for the rest.
const recheckInterval = time.Second

// Why a run stops before its last step. Which of them it was decides the outcome.
var (
	errCancelled = errors.New("the run was cancelled")
	errAborted   = errors.New("the run was aborted")
	errRejected  = errors.New("the approval was refused")
)

// refusal is a guard that said never.
type refusal struct {
	step       string
	objections []Objection
}

func (r *refusal) Error() string {
	var said []string
	for _, objection := range r.objections {
		said = append(said, objection.String())
	}
	return fmt.Sprintf("%s: %s", r.step, strings.Join(said, "; "))
}

// String is the objection with what would help.
func (o Objection) String() string {
	text := o.Why
	if o.Unblock != "" {
		text += "; " + o.Unblock
	}
	if o.Guard != "" {
		text += fmt.Sprintf(" (guard %s: --override %s --reason …)", o.Guard, o.Guard)
	}
	return text
}

// Conduct performs the steps and returns the report. The error is a refusal before anything was changed; whatever else
// happens to a run that has begun its steps, it ends with a report.
func (r *Run) Conduct(root workflow.Context, book Runbook) (report.Report, error) {
	ctx, cancel := workflow.WithCancel(root)
	r.cancel = cancel
	r.list(book.Steps)
	r.stage.stages = book.Stages
	r.countStart(ctx)
	r.enter(ctx, PhaseExecuting)
	stopClock := r.startClock(root)

	err := r.performAll(ctx, book.Steps)

	stopClock()
	r.leaveStage()
	after, _ := workflow.NewDisconnectedContext(root)
	if err == nil {
		return r.finish(after, r.succeed(), book)
	}
	return r.stop(after, err, book)
}

// list puts the steps into the report, so that people see from the start what will happen.
func (r *Run) list(steps []Step) {
	for _, step := range steps {
		r.report.Steps = append(r.report.Steps, report.Step{
			Name: step.Name, State: report.Pending, Budget: step.Budget, Undoable: step.Undo != nil,
			PointOfNoReturn: step.PointOfNoReturn, Asks: step.Approval != nil && step.Approval.Needed > 0,
		})
	}
}

func (r *Run) performAll(ctx workflow.Context, steps []Step) error {
	for i := range steps {
		r.step = i
		r.enterStage(ctx, steps[i].Stage)
		if err := r.awaitResume(ctx); err != nil {
			return err
		}
		if err := r.perform(ctx, &steps[i]); err != nil {
			return r.why(ctx, err)
		}
	}
	return nil
}

// why tells apart the ways in which a step did not come to its end.
func (r *Run) why(ctx workflow.Context, err error) error {
	switch {
	case r.abortedBy != "":
		return errAborted
	case ctx.Err() != nil || temporal.IsCanceledError(err):
		return errCancelled
	default:
		return err
	}
}

// awaitResume holds the run while a person has paused it.
func (r *Run) awaitResume(ctx workflow.Context) error {
	if !r.paused {
		return nil
	}
	r.enter(ctx, PhasePaused)
	if err := workflow.Await(ctx, func() bool { return !r.paused }); err != nil {
		return r.why(ctx, err)
	}
	r.enter(ctx, PhaseExecuting)
	return nil
}

// perform takes one step to its end: done, skipped by a person, or an error that stops the run. What fails stands still
// until a person says how to go on.
func (r *Run) perform(ctx workflow.Context, step *Step) error {
	shown := r.current()
	shown.Started = workflow.Now(ctx)
	if step.Settled != nil {
		if reason := step.Settled(); reason != "" {
			r.complete(ctx, report.Skipped, reason)
			return nil
		}
	}
	r.updateForecast(ctx)
	for {
		shown.State, shown.Attempts = report.Running, shown.Attempts+1
		r.publish(ctx)
		result, err := r.attempt(ctx, step)
		if err == nil {
			state := report.Done
			if r.Rehearsing() {
				state = r.rehearsed(step)
			}
			r.complete(ctx, state, result)
			return nil
		}
		if r.mustStop(ctx, err) || !r.past && (step.UndoOnFailure || r.failsToItsParent()) {
			shown.State, shown.Finished, shown.Result = report.Failed, workflow.Now(ctx), plain(err)
			r.measureStep(ctx, shown)
			return err
		}
		if skipped, err := r.stand(ctx, err); err != nil || skipped {
			return err
		}
	}
}

// mustStop says that no answer of a person could take the step further.
func (r *Run) mustStop(ctx workflow.Context, err error) bool {
	var never *refusal
	if ctx.Err() != nil || temporal.IsCanceledError(err) || errors.Is(err, errRejected) || errors.Is(err, errAborted) {
		return true
	}
	// Before the point of no return a guard that says never ends the run with the estate as it was found. After it
	// somebody has to decide, because going back is not possible.
	return errors.As(err, &never) && !r.past
}

// attempt goes once through the step: guard, approval, guard again, undo registered, do, verify.
func (r *Run) attempt(ctx workflow.Context, step *Step) (string, error) {
	verdict, err := r.clear(ctx, step)
	if err != nil {
		return "", err
	}
	r.current().Changes = verdict.Changes
	if r.Rehearsing() {
		return r.foresee(step, verdict), nil
	}
	result := verdict.Seen
	if step.Do != nil {
		r.commit(ctx, step)
		if result, err = step.Do(ctx); err != nil {
			return "", err
		}
	}
	if step.Verify != nil {
		seen, err := step.Verify(ctx)
		if err != nil {
			return "", fmt.Errorf("verify: %w", err)
		}
		if seen != "" {
			result = seen
		}
	}
	return result, nil
}

// commit is the moment before a change: its undo is known, its clock runs, and the point of no return counts as passed.
func (r *Run) commit(ctx workflow.Context, step *Step) {
	if step.Undo != nil && !r.past {
		r.register(undo{step: r.step, run: step.Undo})
	}
	if step.Bookkeeping {
		return
	}
	r.changed = true
	if !r.planned {
		r.speakUp(ctx, "it begins to change the estate")
	}
	if r.report.Clocks.Executing.IsZero() {
		r.report.Clocks.Executing = workflow.Now(ctx)
	}
	if step.PointOfNoReturn {
		r.past = true
		r.undos = nil
		r.note(workflow.Now(ctx), KindRun, step.Name, "point of no return passed: nothing is undone from here on")
		r.publish(ctx)
	}
}

// clear asks the guard until it says go: it waits with it, refuses with it, and brings its question before people.
func (r *Run) clear(ctx workflow.Context, step *Step) (Verdict, error) {
	if step.Guard == nil {
		return Verdict{}, nil
	}
	for {
		verdict, err := step.Guard(ctx)
		if err != nil {
			return verdict, err
		}
		for _, fact := range verdict.Facts {
			r.Fact(fact.Name, fact.Value)
		}
		standing := r.lift(ctx, verdict.Objections)
		switch {
		case r.Rehearsing():
			return verdict, nil
		case len(standing) > 0:
			return verdict, &refusal{step: step.Name, objections: standing}
		case verdict.Waiting != "":
			if err := r.wait(ctx, verdict.Waiting); err != nil {
				return verdict, err
			}
		case step.Approval == nil || verdict.Idle || r.approved[verdict.Binding]:
			return verdict, nil
		default:
			if err := r.seekApproval(ctx, step, verdict); err != nil {
				return verdict, err
			}
			if step.Approval.Needed == 0 {
				return verdict, nil // the plan has agreed at once: no time has passed in which the facts could change
			}
		}
	}
}

// lift takes out the objections that the request overrides, each of them recorded once, and returns the rest.
func (r *Run) lift(ctx workflow.Context, objections []Objection) []Objection {
	var standing []Objection
	for _, objection := range objections {
		if objection.Guard == "" || !r.Overridden(objection.Guard) {
			standing = append(standing, objection)
			continue
		}
		r.recordOverride(ctx, objection)
	}
	return standing
}

func (r *Run) recordOverride(ctx workflow.Context, objection Objection) {
	for _, override := range r.report.Overrides {
		if override.Guard == objection.Guard && override.Step == r.stepName() {
			return
		}
	}
	for _, override := range r.Request.Overrides {
		if override.Guard == objection.Guard {
			now := workflow.Now(ctx)
			r.report.Overrides = append(r.report.Overrides, report.Override{
				At: now, Guard: override.Guard, By: r.Request.By, Reason: override.Reason, Step: r.stepName(), Said: objection.Why,
			})
			r.note(now, KindOverride, r.stepName(), "guard %s lifted by %s: %s; it had said: %s", override.Guard, r.Request.By, override.Reason, objection.Why)
		}
	}
}

func (r *Run) wait(ctx workflow.Context, what string) error {
	shown := r.current()
	if shown.State != report.Waiting {
		shown.State = report.Waiting
		r.note(workflow.Now(ctx), KindGuard, shown.Name, "waits for %s", what)
		r.enter(ctx, PhaseWaiting)
	}
	shown.Result = "waits for " + what
	if err := workflow.NewTimerWithOptions(ctx, recheckInterval, workflow.TimerOptions{Summary: "ask the guard again: " + what}).Get(ctx, nil); err != nil {
		return err
	}
	if err := r.awaitResume(ctx); err != nil {
		return err
	}
	return nil
}

// complete records the end of a step.
func (r *Run) complete(ctx workflow.Context, state report.StepState, result string) {
	shown := r.current()
	shown.State, shown.Finished, shown.Result = state, workflow.Now(ctx), result
	r.measureStep(ctx, shown)
	r.updateForecast(ctx)
	r.note(shown.Finished, KindStep, shown.Name, "%s", orState(result, state))
	if shown.Budget > 0 && shown.Took() > shown.Budget {
		r.note(shown.Finished, KindClock, shown.Name, "took %s of a budget of %s", shown.Took().Round(time.Millisecond), shown.Budget)
	}
	r.enter(ctx, PhaseExecuting)
}

func orState(result string, state report.StepState) string {
	if result == "" {
		return string(state)
	}
	return result
}
