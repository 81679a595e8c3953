package runbook

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// HeartbeatTimeout is how soon a worker that died is noticed. Workers beat for every activity, four times as often.
const HeartbeatTimeout = 2 * time.Second

// LongestActivity is how long an activity that nobody hears of any more may still act: the wait before a lease passes on.
const LongestActivity = HeartbeatTimeout + 3*time.Second

// What an activity may take. All of them outlive an API server that restarts or answers 500 for a while.
const (
	attemptTimeout = 30 * time.Second // one attempt: above every patience that a scenario gives
	patience       = 2 * time.Minute  // all attempts together, before a person is asked
)

// Act prepares ctx for an activity that reads or changes the estate, on the task queue of the place where it acts. The
// summary is what people see of it in the Temporal UI.
func Act(ctx workflow.Context, queue, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              queue,
		Summary:                summary,
		StartToCloseTimeout:    attemptTimeout,
		ScheduleToCloseTimeout: patience,
		HeartbeatTimeout:       HeartbeatTimeout,
		// A change that is under way is waited for: what became of it must be known before anything is undone.
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    100 * time.Millisecond, // the first retry after a lost connection should cost nothing
			BackoffCoefficient: 1.5,
			MaximumInterval:    time.Second, // a recovery has no time for long pauses
		},
	})
}

// Within gives an activity less patience than the usual: users wait, and something better can be done than to try again.
func Within(ctx workflow.Context, patience time.Duration) workflow.Context {
	return workflow.WithScheduleToCloseTimeout(ctx, patience)
}

// Queue is the Temporal task queue of workflows, and of activities that are tied to no place.
const Queue = "fukkyu"

// RegionQueue is the queue of the activities that act in a region.
func RegionQueue(region string) string { return Queue + "-" + region }
