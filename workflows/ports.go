package workflows

import (
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/history"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/activities/pin"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// The activities that the engine itself needs, on the queue that is tied to no place.
var (
	pinning   *pin.Activities
	recalling *history.Activities
	notifying *notify.Activities
)

// ports connect the engine to them.
func ports() runbook.Ports {
	return runbook.Ports{Pin: pinPlan, Notify: notifyChannel, Recall: recallRuns}
}

func pinPlan(ctx workflow.Context) (runbook.Pinned, error) {
	result, err := begin(runbook.Act(ctx, runbook.Queue, "pin the plan"), pinning.PinPlan, pin.Params{}).get(ctx)
	return runbook.Pinned{Pinned: result.Pinned, Build: result.Build}, err
}

// recallPatience is how long a forecast is worth waiting for.
const recallPatience = 20 * time.Second

func recallRuns(ctx workflow.Context, scenario, target string) (runbook.Experience, error) {
	act := runbook.Within(runbook.Act(ctx, runbook.Queue, "read how long earlier runs took"), recallPatience)
	result, err := begin(act, recalling.StepTimes, history.StepTimesParams{Scenario: scenario, Target: target}).get(ctx)
	return runbook.Experience{Runs: result.Runs, Steps: result.Steps, Recovers: result.Recovers}, err
}

// How long a message is tried for. Nobody waits for it, so it may be patient: a channel that is down for some minutes is told after all.
const (
	notifyAttempt  = 15 * time.Second
	notifyPatience = 10 * time.Minute
)

func notifyChannel(ctx workflow.Context, notice runbook.Notice) (runbook.Delivery, error) {
	message := notify.Message{
		Channel: notice.Channel, Event: notify.Event(notice.Event), Incident: notice.Incident, Severity: notice.Severity, Level: notice.Level,
		Summary: notice.Summary, Commands: notice.Commands, Drill: notice.Drill, At: notice.At,
	}
	for _, fact := range notice.Details {
		message.Details = append(message.Details, notify.Detail(fact))
	}
	act := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: runbook.Queue, Summary: "tell " + notice.Channel, HeartbeatTimeout: runbook.HeartbeatTimeout,
		StartToCloseTimeout: notifyAttempt, ScheduleToCloseTimeout: notifyPatience,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
	})
	sent, err := begin(act, notifying.Send, message).get(ctx)
	return runbook.Delivery{Kind: sent.Kind, To: sent.To, Withheld: sent.Withheld}, err
}
