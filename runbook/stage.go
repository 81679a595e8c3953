package runbook

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"
)

// stageClock watches the stage that a run is in.
type stageClock struct {
	stages []Stage
	name   string // of the stage under way
	stop   workflow.CancelFunc
}

// enterStage ends the clock of the stage before when a step is the first of another one, and starts its own.
func (r *Run) enterStage(ctx workflow.Context, name string) {
	if r.stage.name == name || r.Rehearsing() {
		return
	}
	r.leaveStage()
	r.stage.name = name
	at := slices.IndexFunc(r.stage.stages, func(s Stage) bool { return s.Name == name })
	if at < 0 {
		return
	}
	stage := r.stage.stages[at]
	beside, stop := workflow.WithCancel(ctx)
	r.stage.stop = stop
	workflow.Go(beside, func(ctx workflow.Context) {
		timer := workflow.TimerOptions{Summary: fmt.Sprintf("budget of stage %s", stage.Name)}
		if workflow.NewTimerWithOptions(ctx, stage.Budget, timer).Get(ctx, nil) != nil {
			return // it is over, or the run is
		}
		warning := fmt.Sprintf("stage %s takes longer than its budget of %s", stage.Name, stage.Budget)
		r.note(workflow.Now(ctx), KindClock, r.stepName(), "%s", warning)
		r.climbTo(ctx, r.level+1, warning)
		r.publish(ctx)
	})
}

func (r *Run) leaveStage() {
	if r.stage.stop != nil {
		r.stage.stop()
	}
	r.stage.stop = nil
}
