package runbook

import (
	"strings"

	"github.com/shodo-ecosystem/fukkyu/report"
)

// foresee says what the step would do, from its guard's verdict alone.
func (r *Run) foresee(step *Step, verdict Verdict) string {
	var said []string
	if verdict.Seen != "" {
		said = append(said, verdict.Seen)
	}
	for _, objection := range verdict.Objections {
		switch {
		case objection.Guard != "" && r.Overridden(objection.Guard):
			said = append(said, "overridden: "+objection.Why)
		default:
			r.current().State = report.Blocked
			said = append(said, "would refuse: "+objection.String())
		}
	}
	if verdict.Waiting != "" {
		said = append(said, "would wait for "+verdict.Waiting)
	}
	if step.Approval != nil && verdict.Question != "" {
		said = append(said, r.whoWouldBeAsked(step, verdict))
	}
	return strings.Join(said, "; ")
}

func (r *Run) whoWouldBeAsked(step *Step, verdict Verdict) string {
	if step.Approval.Needed == 0 {
		return "would ask nobody, the plan approves: " + verdict.Question
	}
	return "would ask " + strings.Join(r.names(step.Approval.From), ", ") + ": " + verdict.Question
}

// rehearsed is the state of a rehearsed step: blocked when its guard objected, done when there is nothing to do but look.
func (r *Run) rehearsed(step *Step) report.StepState {
	switch {
	case r.current().State == report.Blocked:
		return report.Blocked
	case step.Do == nil:
		return report.Done
	default:
		return report.Would
	}
}
