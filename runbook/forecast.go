package runbook

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"go.temporal.io/sdk/workflow"
)

// startForecast asks how long earlier runs took, beside the steps and never in their way, and from then on warns once as soon
// as the objective is going to be missed: while there is still time to do something about it.
func (r *Run) startForecast(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		experience, err := r.ports.Recall(ctx, r.report.Scenario, r.report.Target)
		if err != nil {
			r.note(workflow.Now(ctx), KindClock, "", "no forecast: how long earlier runs took cannot be read: %s", plain(err))
			return
		}
		if experience.Runs == 0 {
			return
		}
		r.experience = experience
		r.updateForecast(ctx)
		r.warnOfForecast(ctx)
	})
}

// updateForecast shows when the run will be through, as far as is known at a step's beginning or end.
func (r *Run) updateForecast(ctx workflow.Context) {
	if r.experience.Runs == 0 {
		return
	}
	now := workflow.Now(ctx)
	forecast := &report.Forecast{Runs: r.experience.Runs, Finished: r.experience.endOf(now, r.report.Steps)}
	if r.report.Clocks.Recovered.IsZero() {
		forecast.Recovered = r.experience.endOf(now, r.experience.untilService(r.report.Steps))
	}
	r.report.Forecast = forecast
}

// warnOfForecast waits for the moment from which on service cannot be back in time if the rest goes as usual.
func (r *Run) warnOfForecast(ctx workflow.Context) {
	due := func() time.Time {
		return r.experience.missedFrom(r.report.Clocks.Deadline, r.experience.untilService(r.report.Steps))
	}
	if !r.awaitUnlessRecovered(ctx, due, "the RTO is going to be missed") || r.used(workflow.Now(ctx)) >= allUsedUp {
		return
	}
	r.updateForecast(ctx)
	warning := fmt.Sprintf("by the pace of %d earlier runs service is back at %s, after the deadline of %s",
		r.experience.Runs, clockTime(r.report.Forecast.Recovered), clockTime(r.report.Clocks.Deadline))
	r.note(workflow.Now(ctx), KindClock, r.stepName(), "%s", warning)
	r.climbTo(ctx, r.level+1, warning)
	r.publish(ctx)
}

// used is the share of the objective that is used up.
func (r *Run) used(now time.Time) plan.Percent {
	return plan.ShareOf(now.Sub(r.clockStart()), r.report.RTO.Target)
}

func clockTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// untilService are the steps up to the one in which service came back in earlier runs; all of them where that is not known.
func (e Experience) untilService(steps []report.Step) []report.Step {
	for i, step := range steps {
		if step.Name == e.Recovers {
			return steps[:i+1]
		}
	}
	return steps
}

// endOf is when the steps will be through: the one that is under way takes as long as it usually does, or ends now if it has
// taken longer already.
func (e Experience) endOf(now time.Time, steps []report.Step) time.Time {
	end := now
	for _, step := range steps {
		usual := e.Steps[step.Name]
		switch {
		case !step.Finished.IsZero():
		case step.Started.IsZero():
			end = end.Add(usual)
		case step.Started.Add(usual).After(end):
			end = step.Started.Add(usual)
		}
	}
	return end
}

// missedFrom is the moment from which on the steps cannot end by the deadline any more, if what is to come takes as long as it
// usually does and the step under way has not ended. A moment that is past: they cannot now.
func (e Experience) missedFrom(deadline time.Time, steps []report.Step) time.Time {
	latest := deadline
	var underWay report.Step
	for _, step := range steps {
		switch {
		case !step.Finished.IsZero():
		case step.Started.IsZero():
			latest = latest.Add(-e.Steps[step.Name])
		default:
			underWay = step
		}
	}
	if !underWay.Started.IsZero() && underWay.Started.Add(e.Steps[underWay.Name]).After(latest) {
		return underWay.Started
	}
	return latest
}
