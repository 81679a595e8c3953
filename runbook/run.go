package runbook

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/workflow"
)

// The phases of a run: what it is doing, in one word.
const (
	PhaseStarting  = "starting"
	PhaseExecuting = "executing"
	PhaseWaiting   = "waiting"  // a guard waits for the estate
	PhaseAsking    = "asking"   // a person is asked to agree
	PhaseStanding  = "standing" // a step failed and a person must say what next
	PhasePaused    = "paused"
	PhaseUndoing   = "undoing"
	PhaseFinished  = "finished"
)

// The kinds of timeline entries.
const (
	KindRun      = "run"
	KindStep     = "step"
	KindGuard    = "guard"
	KindQuestion = "question"
	KindDecision = "decision"
	KindRejected = "rejected"
	KindOverride = "override"
	KindClock    = "clock"
	KindNotice   = "notice"
	KindUndo     = "undo"
)

// Scenario is what the engine must know of a scenario before it has a plan.
type Scenario struct {
	Name   string   // the Temporal workflow type
	Guards []string // the names of the guards that a person may override
	// Planned says that nothing is broken when it begins: nobody is called before it asks something, takes long, or goes wrong.
	Planned bool
}

// Run is one run of one scenario: what it knows, and what people can say to it.
type Run struct {
	Plan    plan.Plan
	Request Request

	planned bool // nothing is broken when it begins, or another run tells of it
	child   bool // another run began it
	stage   stageClock
	broken  bool // something could not be recovered
	ports   Ports
	report  report.Report
	cancel  workflow.CancelFunc // stops the steps, not the undoing

	step       int // index of the step being performed, in the report; -1 before the first
	undos      []undo
	approved   map[string]bool // bindings that people have agreed to
	questions  int             // how many were asked
	answer     string          // the verb that closed the open question
	paused     bool
	abortedBy  string
	rejectedBy string
	undoing    bool
	closing    bool // nothing a person says can change the run any more
	changed    bool // the estate was changed, perhaps
	past       bool // the point of no return
	unproven   bool

	experience Experience          // of earlier runs, empty while nobody has told it
	level      int                 // how many levels of the plan's escalation have been told, from the first on
	outbox     map[string][]letter // by channel, in the order of sending
	unsent     int                 // how many letters are in it
}

// Begin starts a run: people can speak to it from here on, and its plan is pinned. The error is a refusal.
func Begin(ctx workflow.Context, scenario Scenario, request Request, ports Ports) (*Run, error) {
	if request.Mode == "" {
		request.Mode = Live
	}
	info := workflow.GetInfo(ctx)
	now := workflow.Now(ctx)
	run := &Run{Request: request, planned: scenario.Planned, ports: ports, step: -1, approved: map[string]bool{}, outbox: map[string][]letter{}, cancel: func() {}}
	run.report = report.Report{
		Scenario: scenario.Name, Mode: string(request.Mode), WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID,
		RequestedBy: request.By, Reason: request.Reason, Phase: PhaseStarting,
		Clocks: report.Clocks{Declared: info.WorkflowStartTime, ImpactStarted: request.ImpactStarted, Detected: request.Detected},
		Steps:  []report.Step{}, Timeline: []report.Entry{},
	}
	if info.ParentWorkflowExecution != nil {
		run.child, run.planned = true, true
	}
	if err := run.listen(ctx); err != nil {
		return nil, err
	}
	if request.DecidedBy != "" && !run.child {
		return nil, Refuse("decidedBy is for runs that another run begins")
	}
	if err := request.validate(scenario.Guards); err != nil {
		return nil, Refuse("%s", err)
	}
	pinned, err := ports.Pin(ctx)
	if err != nil {
		return nil, err
	}
	if request.Plan != "" && request.Plan != pinned.Plan.Name {
		return nil, Refuse("plan %q is not the worker's: it runs plan %q", request.Plan, pinned.Plan.Name)
	}
	if err := request.validateClocks(now); err != nil {
		return nil, Refuse("%s", err)
	}
	run.Plan = pinned.Plan
	run.report.Plan, run.report.PlanVersion, run.report.PlanHash, run.report.Build = pinned.Plan.Name, pinned.Plan.Version, pinned.Hash, pinned.Build
	run.report.RTO.Target, run.report.RPO.Target = pinned.Plan.Objectives.RTO, pinned.Plan.Objectives.RPO
	run.setDeadline()
	run.note(now, KindRun, "", "%s asked for by %s, plan %s %s pinned as %s", scenario.Name, request.By, run.Plan.Name, run.Plan.Version, pinned.Hash)
	return run, nil
}

// Target names in the report what is recovered.
func (r *Run) Target(target string) { r.report.Target = target }

// Rehearsing says that nothing may be changed.
func (r *Run) Rehearsing() bool { return r.Request.Mode == Rehearse }

// Holder names this run where it leaves its name in the estate.
func (r *Run) Holder() string { return r.report.WorkflowID + "/" + r.report.RunID }

// Build is the version of the worker that began the run.
func (r *Run) Build() string { return r.report.Build }

// Impact records since when users are without service, if nobody has said so before, and moves the deadline with it.
func (r *Run) Impact(at time.Time) {
	if at.IsZero() || !r.report.Clocks.ImpactStarted.IsZero() {
		return
	}
	r.report.Clocks.ImpactStarted = at
	r.setDeadline()
}

// Detected records when the fault was first seen.
func (r *Run) Detected(at time.Time) {
	if r.report.Clocks.Detected.IsZero() {
		r.report.Clocks.Detected = at
	}
}

// Recovered records when the service did its work again.
func (r *Run) Recovered(at time.Time) {
	if r.report.Clocks.Recovered.IsZero() {
		r.report.Clocks.Recovered = at
	}
}

// Fact adds a finding to the report; a later one of the same name replaces it.
func (r *Run) Fact(name, value string) {
	for i := range r.report.Facts {
		if r.report.Facts[i].Name == name {
			r.report.Facts[i].Value = value
			return
		}
	}
	r.report.Facts = append(r.report.Facts, report.Fact{Name: name, Value: value})
}

// Broken records what could not be recovered: the run goes on with the rest, and its outcome is incomplete. The first time people of one
// more level are told, after that those who know.
func (r *Run) Broken(ctx workflow.Context, what string) {
	r.Missing(what)
	r.note(workflow.Now(ctx), KindStep, r.stepName(), "not recovered: %s", what)
	switch {
	case r.child || r.Rehearsing(): // who began it tells of it; nothing happened
	case r.broken:
		r.tellEverybody(ctx, Trigger, what)
	default:
		r.climbTo(ctx, r.level+1, what)
	}
	r.broken = true
	r.publish(ctx)
}

// Progress shows how far the step under way is.
func (r *Run) Progress(ctx workflow.Context, text string) {
	r.current().Result = text
	r.publish(ctx)
}

// Note adds a line to the timeline.
func (r *Run) Note(ctx workflow.Context, text string) {
	r.note(workflow.Now(ctx), KindStep, r.stepName(), "%s", text)
	r.publish(ctx)
}

// Checked records what the integrity checks showed, in place of an earlier answer. What did not pass is named when the run ends, and does
// not change how it ended.
func (r *Run) Checked(ctx workflow.Context, checks []report.Check) {
	r.report.Checks = checks
	for _, check := range r.report.Unsound() {
		r.note(workflow.Now(ctx), KindStep, r.stepName(), "integrity check: %s", check)
	}
	r.publish(ctx)
}

// nameUnsound says of a report that is otherwise finished which integrity checks did not pass.
func (r *Run) nameUnsound() {
	unsound := r.report.Unsound()
	if len(unsound) == 0 {
		return
	}
	var names []string
	for _, check := range unsound {
		names = append(names, fmt.Sprintf("%s, %s", check.Target, check.Name))
		r.Missing("integrity: " + check.String())
	}
	said := fmt.Sprintf("%d of %d integrity checks did not pass: %s", len(unsound), len(r.report.Checks), strings.Join(names, "; "))
	if r.report.Summary != "" {
		said = r.report.Summary + "; " + said
	}
	r.report.Summary = said
}

// Missing adds to what does not stand as it should when the run ends.
func (r *Run) Missing(text string) { r.report.Missing = append(r.report.Missing, text) }

// Overridden says whether the request lifts a guard.
func (r *Run) Overridden(guard string) bool {
	for _, override := range r.Request.Overrides {
		if override.Guard == guard {
			return true
		}
	}
	return false
}

func (r *Run) note(at time.Time, kind, step, format string, args ...any) {
	r.report.Timeline = append(r.report.Timeline, report.Entry{At: at, Kind: kind, Step: step, Text: fmt.Sprintf(format, args...)})
}

func (r *Run) current() *report.Step { return &r.report.Steps[r.step] }

func (r *Run) stepName() string {
	if r.step < 0 || r.step >= len(r.report.Steps) {
		return ""
	}
	return r.report.Steps[r.step].Name
}

func withComment(comment string) string {
	if strings.TrimSpace(comment) == "" {
		return ""
	}
	return ": " + comment
}

func (r *Run) whatStoppingDoes() string {
	if r.past {
		return "it is past the point of no return and undoes nothing"
	}
	return "what it did is undone"
}
