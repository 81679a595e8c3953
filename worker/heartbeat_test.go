package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
)

// wire stands where heartbeats leave the worker.
type wire struct {
	interceptor.ActivityOutboundInterceptorBase
	heard chan []any
}

func (w *wire) RecordHeartbeat(_ context.Context, details ...any) { w.heard <- details }

// working is an activity that speaks once and then works in silence until it has been heard three times.
type working struct {
	interceptor.ActivityInboundInterceptorBase
	outbound interceptor.ActivityOutboundInterceptor
	heard    chan []any
	said     [][]any
}

func (w *working) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	w.outbound = outbound
	return nil
}

func (w *working) ExecuteActivity(ctx context.Context, _ *interceptor.ExecuteActivityInput) (any, error) {
	w.outbound.RecordHeartbeat(ctx, "half of it")
	for len(w.said) < 3 {
		select {
		case details := <-w.heard:
			w.said = append(w.said, details)
		case <-time.After(10 * time.Second):
			return nil, context.DeadlineExceeded
		}
	}
	return nil, nil
}

// What an activity has said of its progress stands until it says something else.
func TestHeartbeats_BetweenThoseOfTheActivity_RepeatItsProgress(t *testing.T) {
	heard := make(chan []any, 1)
	activity := &working{heard: heard}
	beating := (&heartbeats{}).InterceptActivity(t.Context(), activity)
	require.NoError(t, beating.Init(&wire{heard: heard}))
	_, err := beating.ExecuteActivity(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, [][]any{{"half of it"}, {"half of it"}, {"half of it"}}, activity.said)
}
