package runbook

import (
	"fmt"
	"slices"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/workflow"
)

// The shares of the recovery-time objective at which every run speaks up, besides those at which its plan has a level of
// escalation.
var (
	allUsedUp     = plan.Percents(100)
	clockWarnings = []plan.Percent{plan.Percents(50), plan.Percents(80), allUsedUp}
)

// Objective is a recovery time of its own, which the plan has for what this run recovers. The deadline moves with it.
func (r *Run) Objective(rto time.Duration) {
	r.report.RTO.Target = rto
	r.setDeadline()
}

// setDeadline derives the deadline from when the impact started or, while nobody knows that, from the declaration.
func (r *Run) setDeadline() {
	r.report.Clocks.Deadline = r.clockStart().Add(r.report.RTO.Target)
}

func (r *Run) clockStart() time.Time {
	if !r.report.Clocks.ImpactStarted.IsZero() {
		return r.report.Clocks.ImpactStarted
	}
	return r.report.Clocks.Declared
}

// startClock warns at each share of the objective and climbs the plan's levels with it. A breach never stops a recovery.
func (r *Run) startClock(root workflow.Context) (stop func()) {
	ctx, cancel := workflow.NewDisconnectedContext(root)
	if r.Rehearsing() || r.child { // the clock of the run that began it is the one that counts
		return cancel
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for _, share := range r.sharesToWarnAt() {
			if !r.awaitShare(ctx, share) {
				return
			}
			warning := fmt.Sprintf("%s of the recovery-time objective of %s is used up, deadline %s",
				share, r.report.RTO.Target, r.report.Clocks.Deadline.UTC().Format(time.RFC3339))
			r.note(workflow.Now(ctx), KindClock, r.stepName(), "%s", warning)
			r.climbTo(ctx, r.levelAt(share), warning)
			r.publish(ctx)
		}
	})
	r.startForecast(ctx)
	return cancel
}

// sharesToWarnAt are those of the engine and of the plan, in their order. What is used up from the start is no warning.
func (r *Run) sharesToWarnAt() []plan.Percent {
	shares := slices.Clone(clockWarnings)
	for _, level := range r.Plan.Escalation {
		if level.At > 0 {
			shares = append(shares, level.At)
		}
	}
	slices.Sort(shares)
	return slices.Compact(shares)
}

// awaitShare returns true when a share of the objective is used up while service is not back, false when that cannot happen any more.
func (r *Run) awaitShare(ctx workflow.Context, share plan.Percent) bool {
	at := func() time.Time { return r.clockStart().Add(share.Of(r.report.RTO.Target)) }
	return r.awaitUnlessRecovered(ctx, at, fmt.Sprintf("%s of the RTO", share))
}

// awaitUnlessRecovered returns true at a moment that may move while it is waited for, and false as soon as service is back.
func (r *Run) awaitUnlessRecovered(ctx workflow.Context, at func() time.Time, summary string) bool {
	for {
		due := at()
		left := due.Sub(workflow.Now(ctx))
		if left <= 0 {
			return r.report.Clocks.Recovered.IsZero()
		}
		over := func() bool { return !at().Equal(due) || !r.report.Clocks.Recovered.IsZero() }
		early, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: left, TimerOptions: workflow.TimerOptions{Summary: summary}}, over)
		switch {
		case err != nil || !r.report.Clocks.Recovered.IsZero():
			return false
		case !early:
			return true
		}
	}
}

func (r *Run) late() bool {
	recovered := r.report.Clocks.Recovered
	return !recovered.IsZero() && recovered.After(r.report.Clocks.Deadline)
}

func (r *Run) measureRTO() {
	clocks := r.report.Clocks
	if clocks.Recovered.IsZero() {
		r.report.RTO.How = "not measured: service was not seen to be back"
		return
	}
	measured := clocks.Recovered.Sub(r.clockStart())
	r.report.RTO.Measured = &measured
	r.report.RTO.How = "from the declaration to the first write acknowledged through the application; when the impact started is not known"
	if !clocks.ImpactStarted.IsZero() {
		r.report.RTO.How = "from the start of the impact to the first write acknowledged through the application"
	}
}
