// Package report is what a run leaves behind: its timeline, clocks, decisions and measurements, and how they read.
//
// A Report grows while the run goes on, is what the status query answers, and is the workflow's result in the end.
// It holds facts only; it is made by the engine and by the scenarios, and rendered anywhere.
package report

import (
	"fmt"
	"strings"
	"time"
)

// Outcome is how a run ended, in one word.
type Outcome string

// The outcomes. A run that still goes on has none.
const (
	Recovered         Outcome = "recovered"
	RecoveredLate     Outcome = "recovered-late"     // service is back, after the recovery-time objective
	RecoveredUnproven Outcome = "recovered-unproven" // service is back, without proof that the old primary is stopped
	RolledBack        Outcome = "rolled-back"        // everything that was changed is as it was found
	Incomplete        Outcome = "incomplete"         // stopped after the point of no return, or undo did not succeed: action needed
	Rehearsed         Outcome = "rehearsed"          // nothing was changed
	Refused           Outcome = "refused"            // nothing was changed, a guard said never
)

// ServiceIsBack says whether the run reached what it was for.
func (o Outcome) ServiceIsBack() bool {
	return o == Recovered || o == RecoveredLate || o == RecoveredUnproven
}

// Report is one run of one scenario.
type Report struct {
	Scenario   string `json:"scenario"` // the Temporal workflow type
	Target     string `json:"target"`   // what is recovered, for example "database shodo"
	Mode       string `json:"mode"`     // live or rehearse
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`

	Plan        string `json:"plan"`
	PlanVersion string `json:"planVersion"`
	PlanHash    string `json:"planHash"`
	Build       string `json:"build"` // version of the worker that began the run

	RequestedBy string `json:"requestedBy"`
	Reason      string `json:"reason,omitempty"`

	Phase   string  `json:"phase"`             // what the run is doing, in one word: see package runbook
	Outcome Outcome `json:"outcome,omitempty"` // empty while the run goes on
	Summary string  `json:"summary,omitempty"` // the outcome in a sentence

	Clocks Clocks  `json:"clocks"`
	RTO    Measure `json:"rto"`
	RPO    Measure `json:"rpo"`

	Steps     []Step     `json:"steps"`
	Question  *Question  `json:"question,omitempty"` // the one that is open now
	Decisions []Decision `json:"decisions,omitempty"`
	Overrides []Override `json:"overrides,omitempty"`
	Rejected  []Rejected `json:"rejected,omitempty"`
	Facts     []Fact     `json:"facts,omitempty"`
	Checks    []Check    `json:"checks,omitempty"` // of the data, after the service was back
	Timeline  []Entry    `json:"timeline"`

	Forecast      *Forecast      `json:"forecast,omitempty"`      // nil: nothing is known to make one from
	Notifications []Notification `json:"notifications,omitempty"` // in the order in which they were to be sent

	Holds   []string `json:"holds,omitempty"`   // what stands as it should, when the run stopped early
	Missing []string `json:"missing,omitempty"` // what does not, redundancy above all
	Next    []string `json:"next,omitempty"`    // commands that continue
}

// Clocks are the moments of a recovery, kept apart. A zero time is not known.
type Clocks struct {
	ImpactStarted time.Time `json:"impactStarted,omitzero"`
	Detected      time.Time `json:"detected,omitzero"`
	Declared      time.Time `json:"declared,omitzero"`  // a person or a machine asked for the recovery
	Decided       time.Time `json:"decided,omitzero"`   // the approval was complete
	Executing     time.Time `json:"executing,omitzero"` // the first change was made
	Recovered     time.Time `json:"recovered,omitzero"` // the service did its work again
	Finished      time.Time `json:"finished,omitzero"`
	Deadline      time.Time `json:"deadline,omitzero"` // when the recovery-time objective is missed
}

// Measure is an objective beside what was measured.
type Measure struct {
	Target   time.Duration  `json:"target"`
	Measured *time.Duration `json:"measured,omitempty"` // nil: not measured
	How      string         `json:"how,omitempty"`      // how it was measured, or why it was not
}

// Forecast is when a run will be through if its steps take as long as in earlier runs.
type Forecast struct {
	Recovered time.Time `json:"recovered,omitzero"` // service is back; zero once it is
	Finished  time.Time `json:"finished"`
	Runs      int       `json:"runs"` // how many earlier runs it is made from
}

// String is the forecast in a sentence.
func (f Forecast) String() string {
	pace := fmt.Sprintf("by the pace of %d earlier runs", f.Runs)
	if f.Runs == 1 {
		pace = "by the pace of 1 earlier run"
	}
	if f.Recovered.IsZero() {
		return fmt.Sprintf("Forecast: the run ends at %s, %s", f.Finished.UTC().Format(time.RFC3339), pace)
	}
	return fmt.Sprintf("Forecast: service is back at %s and the run ends at %s, %s", f.Recovered.UTC().Format(time.RFC3339), f.Finished.UTC().Format(time.RFC3339), pace)
}

// NotificationState is what became of a message.
type NotificationState string

// The states of a message.
const (
	Sending     NotificationState = "sending"
	Sent        NotificationState = "sent"
	Withheld    NotificationState = "withheld"    // it was not to be sent
	Undelivered NotificationState = "undelivered" // the channel did not take it
)

// Notification is what one channel was told of the run.
type Notification struct {
	At      time.Time         `json:"at"`
	Channel string            `json:"channel"` // as the plan names it
	Kind    string            `json:"kind,omitempty"`
	To      string            `json:"to,omitempty"` // where it went, without secrets
	Event   string            `json:"event"`        // trigger, acknowledge or resolve
	Level   string            `json:"level,omitempty"`
	Text    string            `json:"text"`
	State   NotificationState `json:"state"`
	Why     string            `json:"why,omitempty"` // it was withheld, or not delivered
	Done    time.Time         `json:"done,omitzero"` // when its state became final
}

// Address is the channel with where it leads, as far as that is known.
func (n Notification) Address() string {
	if n.Kind == "" {
		return n.Channel
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s %s", n.Channel, n.Kind, n.To)) + ")"
}

// StepState is how far a step is.
type StepState string

// The states of a step.
const (
	Pending   StepState = "pending"
	Running   StepState = "running"
	Waiting   StepState = "waiting"  // its guard waits for something
	Asking    StepState = "asking"   // a person is asked
	Standing  StepState = "standing" // it failed and needs an operator
	Done      StepState = "done"
	Skipped   StepState = "skipped"
	Failed    StepState = "failed"
	Undone    StepState = "undone"
	UndoFails StepState = "undo-failed"
	Would     StepState = "would" // rehearsed: it would be done
	Blocked   StepState = "blocked"
)

// Step is one step of the run.
type Step struct {
	Name            string        `json:"name"`
	State           StepState     `json:"state"`
	Budget          time.Duration `json:"budget"`
	Started         time.Time     `json:"started,omitzero"`
	Finished        time.Time     `json:"finished,omitzero"`
	Attempts        int           `json:"attempts"` // how often it was begun; retries inside an activity are Temporal's
	Changes         []string      `json:"changes,omitempty"`
	Undoable        bool          `json:"undoable"`
	PointOfNoReturn bool          `json:"pointOfNoReturn,omitempty"`
	Asks            bool          `json:"asks,omitempty"`
	Result          string        `json:"result,omitempty"` // what was done or seen, or why not
}

// Took is how long the step lasted, 0 while it goes on.
func (s Step) Took() time.Duration {
	if s.Started.IsZero() || s.Finished.IsZero() {
		return 0
	}
	return s.Finished.Sub(s.Started)
}

// Fact is one figure or finding under a question or in the report.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Question is what a person is asked. Its number is never used again in the run.
type Question struct {
	Number  int       `json:"number"`
	Step    string    `json:"step"`
	Text    string    `json:"text"`
	Facts   []Fact    `json:"facts,omitempty"`
	Answers []string  `json:"answers"` // approve and reject, or retry, skip and abort
	From    []string  `json:"from,omitempty"`
	Needed  int       `json:"needed"`
	Asked   time.Time `json:"asked"`
	// Unanswered says what happens when nobody answers, in a sentence.
	Unanswered string   `json:"unanswered,omitempty"`
	Agreed     []string `json:"agreed,omitempty"` // who has agreed so far
}

// Decision is one message of a person that was taken.
type Decision struct {
	At       time.Time `json:"at"`
	Verb     string    `json:"verb"`
	Question int       `json:"question,omitempty"` // 0: not an answer to a question
	By       string    `json:"by"`
	Identity string    `json:"identity"` // claimed or verified
	Comment  string    `json:"comment,omitempty"`
	Step     string    `json:"step,omitempty"`
}

// Override is a guard that a person lifted.
type Override struct {
	At     time.Time `json:"at"`
	Guard  string    `json:"guard"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Step   string    `json:"step"`
	Said   string    `json:"said"` // what the guard had said
}

// Rejected is a message that changed nothing, and why.
type Rejected struct {
	At   time.Time `json:"at"`
	Verb string    `json:"verb"`
	By   string    `json:"by,omitempty"`
	Why  string    `json:"why"`
}

// Entry is one line of the timeline.
type Entry struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // run, step, guard, question, decision, rejected, override, clock, notice, undo
	Step string    `json:"step,omitempty"`
	Text string    `json:"text"`
}
