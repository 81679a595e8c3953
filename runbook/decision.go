package runbook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
)

// The verbs: what people can say to a run, as an Update or as a Signal of the same name.
const (
	Approve = "approve"
	Reject  = "reject"
	Retry   = "retry"
	Skip    = "skip"
	Abort   = "abort"
	Pause   = "pause"
	Resume  = "resume"
)

// Verbs lists all of them.
func Verbs() []string { return []string{Approve, Reject, Retry, Skip, Abort, Pause, Resume} }

// StatusQuery is the query that returns the report as it stands.
const StatusQuery = "status"

// Decision is the message behind every verb.
type Decision struct {
	// Question is the number of the question that is answered. Abort, pause and resume need none.
	Question int    `json:"question,omitempty"`
	By       string `json:"by"`
	Comment  string `json:"comment,omitempty"`
}

// Accepted answers an Update that was taken.
type Accepted struct {
	Said string `json:"said"`
}

// judge says why a decision cannot be taken now. It changes nothing, so that it can validate an Update.
func (r *Run) judge(verb string, decision Decision) error {
	if strings.TrimSpace(decision.By) == "" {
		return fmt.Errorf(`by is missing; for example {"question": %d, "by": "%s"}`, r.exampleQuestion(), r.exampleName())
	}
	if r.closing {
		return fmt.Errorf("the run is already ending: %s", r.report.Phase)
	}
	if !r.knows(decision.By) {
		return fmt.Errorf("%s is not among the people of plan %s: %s", decision.By, r.Plan.Name, strings.Join(r.names(nil), ", "))
	}
	switch verb {
	case Pause:
		if r.paused {
			return fmt.Errorf("the run is paused already")
		}
	case Resume:
		if !r.paused {
			return fmt.Errorf("the run is not paused")
		}
	case Abort:
		if decision.Question != 0 {
			return r.judgeAnswer(verb, decision)
		}
		if r.undoing {
			return fmt.Errorf("the run is undoing what it did already")
		}
	default:
		return r.judgeAnswer(verb, decision)
	}
	return nil
}

func (r *Run) judgeAnswer(verb string, decision Decision) error {
	question := r.report.Question
	if question == nil {
		return fmt.Errorf("no question is open")
	}
	if decision.Question != question.Number {
		return fmt.Errorf("question %d is not open; open is question %d: %s", decision.Question, question.Number, question.Text)
	}
	if !slices.Contains(question.Answers, verb) {
		return fmt.Errorf("%s does not answer question %d; it takes %s", verb, question.Number, strings.Join(question.Answers, ", "))
	}
	if len(question.From) > 0 && !slices.Contains(question.From, decision.By) {
		return fmt.Errorf("%s may not answer question %d; it is for %s", decision.By, question.Number, strings.Join(question.From, ", "))
	}
	if verb == Approve && slices.Contains(question.Agreed, decision.By) {
		return fmt.Errorf("%s has agreed to question %d already; %d of %d needed agreed", decision.By, question.Number, len(question.Agreed), question.Needed)
	}
	if verb == Skip && strings.TrimSpace(decision.Comment) == "" {
		return fmt.Errorf("skip needs a reason in comment: what is left undone stands in the report")
	}
	return nil
}

// exampleQuestion and exampleName make the examples in messages ones that would work.
func (r *Run) exampleQuestion() int {
	if r.report.Question != nil {
		return r.report.Question.Number
	}
	return 1
}

func (r *Run) exampleName() string {
	question := r.report.Question
	if question != nil && len(question.From) > 0 {
		return question.From[0]
	}
	if len(r.Plan.People) > 0 {
		return r.Plan.People[0].Name
	}
	return "yuki"
}

func (r *Run) knows(name string) bool { return slices.Contains(r.names(nil), name) }

// names lists the people of the plan who hold one of roles, or all of them.
func (r *Run) names(roles []string) []string {
	var names []string
	for _, person := range r.Plan.People {
		if roles == nil || slices.Contains(roles, person.Role) {
			names = append(names, person.Name)
		}
	}
	return names
}

// reject records a message that changed nothing.
func (r *Run) reject(at time.Time, verb, by, why string) {
	r.report.Rejected = append(r.report.Rejected, report.Rejected{At: at, Verb: verb, By: by, Why: why})
	r.note(at, KindRejected, "", "%s by %s: %s", verb, orUnknown(by), why)
}

func orUnknown(by string) string {
	if by == "" {
		return "an unnamed sender"
	}
	return by
}
