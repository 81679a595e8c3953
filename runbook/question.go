package runbook

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// seekApproval returns when those have agreed whom the plan wants to agree.
func (r *Run) seekApproval(ctx workflow.Context, step *Step, verdict Verdict) error {
	approval := step.Approval
	if approval.Needed == 0 {
		now := workflow.Now(ctx)
		r.approved[verdict.Binding] = true
		r.report.Clocks.Decided = now
		r.note(now, KindDecision, step.Name, "approved by plan %s, which asks nobody: %s", r.Plan.Name, verdict.Question)
		return nil
	}
	if r.Request.DecidedBy != "" && !verdict.Undefaultable {
		r.approved[verdict.Binding] = true
		r.report.Clocks.Decided = workflow.Now(ctx)
		r.note(r.report.Clocks.Decided, KindDecision, step.Name, "decided by %s, which began this run: %s", r.Request.DecidedBy, verdict.Question)
		return nil
	}
	r.current().State = report.Asking
	question := report.Question{
		Text: verdict.Question, Facts: verdict.Facts, Answers: []string{Approve, Reject},
		From: r.names(approval.From), Needed: approval.Needed, Unanswered: unanswered(approval, verdict),
	}
	verb, err := r.ask(ctx, PhaseAsking, question, approvalDefault(approval, verdict))
	if err != nil {
		return err
	}
	r.current().State = report.Running
	if verb == Reject {
		return errRejected
	}
	r.approved[verdict.Binding] = true
	return nil
}

// fallback is what becomes of a question that nobody answers. A zero fallback leaves it open.
type fallback struct {
	after time.Duration
	verb  string
}

func approvalDefault(approval *plan.Approval, verdict Verdict) fallback {
	switch {
	case approval.Unanswered.Then == plan.Abort:
		return fallback{after: approval.Unanswered.After, verb: Reject}
	case approval.Unanswered.Then == plan.Proceed && !verdict.Undefaultable:
		return fallback{after: approval.Unanswered.After, verb: Approve}
	default:
		return fallback{}
	}
}

func unanswered(approval *plan.Approval, verdict Verdict) string {
	switch {
	case approval.Unanswered.Then == plan.Abort:
		return fmt.Sprintf("after %s without an answer the run stops and undoes what it did", approval.Unanswered.After)
	case approval.Unanswered.Then == plan.Proceed && verdict.Undefaultable:
		return "the run waits: the plan's default does not decide about lost data or an unproven fence"
	case approval.Unanswered.Then == plan.Proceed:
		return fmt.Sprintf("after %s without an answer the run proceeds", approval.Unanswered.After)
	default:
		return "the run waits"
	}
}

// stand brings a failed step before a person, who has it tried again, skips it or stops the run.
func (r *Run) stand(ctx workflow.Context, cause error) (skipped bool, err error) {
	shown := r.current()
	shown.State, shown.Result = report.Standing, plain(cause)
	r.note(workflow.Now(ctx), KindStep, shown.Name, "needs an operator: %s", plain(cause))
	verb, err := r.ask(ctx, PhaseStanding, report.Question{
		Text: fmt.Sprintf("%s: %s. How to go on?", shown.Name, plain(cause)), Answers: []string{Retry, Skip, Abort}, Needed: 1, Unanswered: "the run waits",
	}, fallback{})
	if err != nil {
		return false, err
	}
	switch verb {
	case Skip:
		reason := r.lastComment()
		r.complete(ctx, report.Skipped, fmt.Sprintf("skipped: %s; it had failed: %s", reason, plain(cause)))
		r.report.Missing = append(r.report.Missing, fmt.Sprintf("%s was skipped: %s", shown.Name, reason))
		return true, nil
	case Abort:
		return false, errAborted
	default:
		return false, nil
	}
}

// ask shows a question until somebody has answered it, and returns the verb that did.
func (r *Run) ask(ctx workflow.Context, phase string, question report.Question, otherwise fallback) (string, error) {
	now := workflow.Now(ctx)
	r.questions++
	question.Number, question.Step, question.Asked = r.questions, r.stepName(), now
	r.report.Question, r.answer = &question, ""
	r.note(now, KindQuestion, question.Step, "question %d: %s", question.Number, question.Text)
	r.enter(ctx, phase)
	r.tellOfQuestion(ctx, question)

	answered := func() bool { return r.answer != "" }
	var err error
	if otherwise.after > 0 {
		err = r.askUntil(ctx, otherwise, answered)
	} else {
		err = workflow.Await(ctx, answered)
	}
	if err != nil && r.answer == "" {
		r.report.Question = nil
		return "", err
	}
	r.tellEverybody(ctx, Acknowledge, fmt.Sprintf("question %d is answered: %s", question.Number, r.answer))
	r.enter(ctx, PhaseExecuting)
	return r.answer, nil
}

func (r *Run) askUntil(ctx workflow.Context, otherwise fallback, answered func() bool) error {
	timer := workflow.TimerOptions{Summary: fmt.Sprintf("question %d unanswered: the plan's default is %s", r.report.Question.Number, otherwise.verb)}
	inTime, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: otherwise.after, TimerOptions: timer}, answered)
	if err != nil || inTime {
		return err
	}
	now := workflow.Now(ctx)
	r.note(now, KindDecision, r.stepName(), "nobody answered question %d within %s: the plan's default is %s", r.report.Question.Number, otherwise.after, otherwise.verb)
	if otherwise.verb == Approve {
		r.report.Clocks.Decided = now
	}
	r.closeQuestion(otherwise.verb)
	return nil
}

// closeQuestion answers the open question, if there is one.
func (r *Run) closeQuestion(verb string) {
	if r.report.Question != nil {
		r.answer, r.report.Question = verb, nil
	}
}

func (r *Run) lastComment() string {
	if len(r.report.Decisions) == 0 {
		return ""
	}
	return r.report.Decisions[len(r.report.Decisions)-1].Comment
}

func missingVoices(question *report.Question) string {
	return fmt.Sprintf("%d of %d needed have agreed: %s", len(question.Agreed), question.Needed, strings.Join(question.Agreed, ", "))
}

// plain is what a person needs of an error: the activity's own words, without Temporal's wrapping.
func plain(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return application.Message()
	}
	return err.Error()
}
