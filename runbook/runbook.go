// Package runbook conducts a recovery: it performs steps in order, asks people where the plan says so, keeps the clock,
// undoes what was done when a run stops early, and leaves a report.
//
// A scenario is a list of steps. The engine owns the loop around each of them, so that no scenario repeats it:
//
//	paused? → guard → approval → guard again → register the undo → do → verify → record
//
// Everything here is deterministic workflow code. It knows the plan and the report, and no system that is recovered.
package runbook

import (
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/workflow"
)

// Runbook is one recovery, ready to be conducted.
type Runbook struct {
	Steps []Step
	// Stages are parts of the runbook with a budget of their own. A stage that takes longer climbs the plan's escalation by a level.
	Stages []Stage
	// Conclude adds what only the scenario knows to the finished report: measurements and the outcome in a sentence. It may judge
	// the outcome anew.
	Conclude func(*report.Report)
	// HandOver runs when the run stops after the point of no return. It gives back what the run holds and says in the
	// report what stands, what does not, and which command continues.
	HandOver func(workflow.Context, *report.Report) error
}

// Stage is a part of a runbook: the steps that name it.
type Stage struct {
	Name   string
	Budget time.Duration
}

// Step is one step of a runbook. Every function may be nil, and may run more than once.
type Step struct {
	Name   string        // what a person would call it
	Budget time.Duration // how long it may take before the report says that it was slow
	Stage  string        // that it is a part of, if any

	// Settled says why the step need not be performed at all, for example because an earlier run did it. Empty: it must be.
	Settled func() string
	// Guard judges whether the step may start, and says what it would change. It only reads.
	Guard func(workflow.Context) (Verdict, error)
	// Approval says whose agreement the step needs, to the facts of its verdict.
	Approval *plan.Approval
	// Do makes the change. What it returns is the step's result in a sentence.
	Do func(workflow.Context) (string, error)
	// Verify reads back from the target whether it really happened. What it returns, if anything, replaces Do's result.
	Verify func(workflow.Context) (string, error)
	// Undo puts back what Do changed, wholly or in part done. It is registered before Do and gets a context that a
	// cancelled run does not cancel.
	Undo func(workflow.Context) error

	// PointOfNoReturn marks the step after which nothing is undone. It is passed when Do is scheduled, not when it returns.
	PointOfNoReturn bool
	// UndoOnFailure marks a step during which users are without service: when it fails nobody is asked, the run is undone.
	UndoOnFailure bool
	// Bookkeeping marks a Do that changes only what Fukkyu itself keeps: a run that did no more than that has changed nothing.
	Bookkeeping bool
}

// Verdict is a guard's answer. Without an objection and without anything to wait for it says go.
type Verdict struct {
	// Seen is what the guard found, in a sentence.
	Seen string
	// Changes are what Do would change, a sentence each.
	Changes []string
	// Question is what an approval asks, and Binding what it binds: whoever agreed need not be asked again while Binding
	// stays the same, and is asked again as soon as it differs.
	Question string
	Binding  string
	// Facts stand under the question, and in the report.
	Facts []report.Fact
	// Idle says that there is nothing to do, so that nobody is asked.
	Idle bool
	// Undefaultable keeps the plan's default from answering for people: data would be lost, or a fence is unproven.
	Undefaultable bool
	// Waiting says what has to happen first. The guard is asked again until it does.
	Waiting string
	// Objections are the reasons why the step must not start.
	Objections []Objection
}

// Objection is one reason of a guard to say never.
type Objection struct {
	// Guard is the name by which a person may override it. Empty: nobody may.
	Guard string
	// Why is what was seen, with its figures.
	Why string
	// Unblock is what a person can do about it: a command, or a fact to bring about.
	Unblock string
}
