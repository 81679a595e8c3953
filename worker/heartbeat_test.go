package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
)

// What an activity has said of its progress stands until it says something else.
func TestHeartbeats_BetweenThoseOfTheActivity_RepeatItsProgress(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&heartbeats{}}})
	heard := make(chan string, 100)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var said string
		if details.HasValues() {
			_ = details.Get(&said)
		}
		heard <- said
	})
	work := func(ctx context.Context) error {
		activity.RecordHeartbeat(ctx, "half of it")
		for range 3 { // its own beat, and two of those in between
			select {
			case said := <-heard:
				if said != "half of it" {
					t.Errorf("a beat said %q", said)
				}
			case <-time.After(10 * time.Second):
				t.Error("no beat")
			}
		}
		return nil
	}
	env.RegisterActivityWithOptions(work, activity.RegisterOptions{Name: "work"})
	_, err := env.ExecuteActivity("work")
	require.NoError(t, err)
}
