package runbook

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"
)

// The shares of the recovery-time objective at which the run speaks up.
var clockWarnings = []int{50, 80, 100}

// setDeadline derives the deadline from when the impact started or, while nobody knows that, from the declaration.
func (r *Run) setDeadline() {
	r.report.Clocks.Deadline = r.clockStart().Add(r.Plan.Objectives.RTO)
	r.clockMoved = true
}

func (r *Run) clockStart() time.Time {
	if !r.report.Clocks.ImpactStarted.IsZero() {
		return r.report.Clocks.ImpactStarted
	}
	return r.report.Clocks.Declared
}

// startClock warns in the timeline at each share of the objective. A breach never stops a recovery.
func (r *Run) startClock(root workflow.Context) (stop func()) {
	ctx, cancel := workflow.NewDisconnectedContext(root)
	if r.Rehearsing() {
		return cancel
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for _, share := range clockWarnings {
			if !r.awaitShare(ctx, share) {
				return
			}
			now := workflow.Now(ctx)
			r.note(now, KindClock, r.stepName(), "%d %% of the recovery-time objective of %s is used up, deadline %s",
				share, r.report.RTO.Target, r.report.Clocks.Deadline.UTC().Format(time.RFC3339))
			r.publish(ctx)
		}
	})
	return cancel
}

// awaitShare returns true when share percent of the objective is used up while service is not back, false when that cannot happen any more.
func (r *Run) awaitShare(ctx workflow.Context, share int) bool {
	for {
		r.clockMoved = false
		left := r.clockStart().Add(r.report.RTO.Target * time.Duration(share) / 100).Sub(workflow.Now(ctx))
		if left <= 0 {
			return r.report.Clocks.Recovered.IsZero()
		}
		over := func() bool { return r.clockMoved || !r.report.Clocks.Recovered.IsZero() }
		timer := workflow.TimerOptions{Summary: fmt.Sprintf("%d %% of the RTO", share)}
		early, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: left, TimerOptions: timer}, over)
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
