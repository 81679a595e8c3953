package runbook

import (
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/workflow"
)

// Ports are what the engine itself needs of the world. It knows no system, so the scenarios hand them in.
type Ports struct {
	// Pin reads the plan once, for the whole run.
	Pin func(workflow.Context) (Pinned, error)
	// Notify brings a notice to its channel. It returns when the channel has taken it, or when it never will.
	Notify func(workflow.Context, Notice) (Delivery, error)
	// Recall says how long the steps of earlier runs of this scenario took for this target.
	Recall func(ctx workflow.Context, scenario, target string) (Experience, error)
}

// Pinned is the plan that a run holds on to, and the build that read it.
type Pinned struct {
	plan.Pinned
	Build string `json:"build"`
}

// The events that a notice tells of, in the words of those who are on call.
const (
	Trigger     = "trigger"     // somebody must look
	Acknowledge = "acknowledge" // somebody does
	Resolve     = "resolve"     // nobody need look any more
)

// The severities of a notice.
const (
	SeverityCritical = "critical" // the objective is missed
	SeverityError    = "error"    // it is in danger
	SeverityWarning  = "warning"
	SeverityInfo     = "info"
)

// Notice is what one channel is told of a run.
type Notice struct {
	Channel  string // as the plan names it
	Event    string // trigger, acknowledge or resolve
	Incident string // the same in all notices of a run, and in those of no other
	Severity string
	Level    string // of the escalation, for whose people it is
	Summary  string // in a sentence
	Details  []report.Fact
	Commands []string // what a reader can do about it
	Drill    bool
	At       time.Time
}

// Delivery is what became of a notice that did not fail.
type Delivery struct {
	Kind     string // what the channel is, for example email
	To       string // where it went, without secrets
	Withheld string // why it was not sent; empty: it was
}

// Experience is how long the steps of earlier runs took.
type Experience struct {
	Runs     int                      // how many there were
	Steps    map[string]time.Duration // the median by the step's name; steps that are never performed are missing
	Recovers string                   // the step in which service came back
}
