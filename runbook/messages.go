package runbook

import (
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// listen registers what people can send. It must run before the workflow blocks for the first time: an Update that arrives
// earlier is refused by the SDK, a Signal only waits.
func (r *Run) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (report.Report, error) { return r.report, nil }); err != nil {
		return err
	}
	for _, verb := range Verbs() {
		if err := r.listenForUpdate(ctx, verb); err != nil {
			return err
		}
	}
	r.listenForSignals(ctx)
	return nil
}

// listenForUpdate takes the raw payload, because what does not fit a Go type would otherwise fail before this code is asked.
func (r *Run) listenForUpdate(ctx workflow.Context, verb string) error {
	handle := func(ctx workflow.Context, input converter.RawValue) (Accepted, error) {
		decision, err := decodeDecision(input)
		if err != nil {
			return Accepted{}, err
		}
		return Accepted{Said: r.take(ctx, verb, decision)}, nil
	}
	validate := func(_ workflow.Context, input converter.RawValue) error {
		decision, err := decodeDecision(input)
		if err != nil {
			return err
		}
		return r.judge(verb, decision)
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, verb, handle, workflow.UpdateHandlerOptions{Validator: validate})
}

// listenForSignals takes the same messages where no worker was up to validate them: what cannot be taken is shown, not dropped.
func (r *Run) listenForSignals(ctx workflow.Context) {
	selector := workflow.NewSelector(ctx)
	for _, verb := range Verbs() {
		selector.AddReceive(workflow.GetSignalChannel(ctx, verb), func(channel workflow.ReceiveChannel, _ bool) {
			var input converter.RawValue
			channel.Receive(ctx, &input)
			decision, err := decodeDecision(input)
			if err == nil {
				err = r.judge(verb, decision)
			}
			if err != nil {
				r.reject(workflow.Now(ctx), verb, decision.By, err.Error())
				r.publish(ctx)
				return
			}
			r.take(ctx, verb, decision)
		})
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			selector.Select(ctx)
		}
	})
}

func decodeDecision(input converter.RawValue) (Decision, error) {
	var decision Decision
	err := decodeStrict(input, &decision)
	return decision, err
}

// take carries out a decision that was judged, and says what it did.
func (r *Run) take(ctx workflow.Context, verb string, decision Decision) string {
	now := workflow.Now(ctx)
	step := r.stepName()
	r.report.Decisions = append(r.report.Decisions, report.Decision{
		At: now, Verb: verb, Question: decision.Question, By: decision.By, Identity: Claimed, Comment: decision.Comment, Step: step,
	})
	r.note(now, KindDecision, step, "%s by %s%s", verb, decision.By, withComment(decision.Comment))
	said := r.carryOut(now, verb, decision)
	r.publish(ctx)
	return said
}

func (r *Run) carryOut(now time.Time, verb string, decision Decision) string {
	switch verb {
	case Pause:
		r.paused = true
		return "the run pauses before its next step"
	case Resume:
		r.paused = false
		return "the run goes on"
	case Abort:
		r.abortedBy = decision.By
		r.closeQuestion(Abort)
		r.cancel()
		return "the run stops; " + r.whatStoppingDoes()
	case Approve:
		question := r.report.Question
		question.Agreed = append(question.Agreed, decision.By)
		if len(question.Agreed) < question.Needed {
			return missingVoices(question)
		}
		r.report.Clocks.Decided = now
	case Reject:
		r.rejectedBy = decision.By
	}
	r.closeQuestion(verb)
	return "taken"
}

// Claimed is how an identity counts that nobody checked: a Temporal message carries whatever name its sender writes.
const Claimed = "claimed"
