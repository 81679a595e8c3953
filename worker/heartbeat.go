package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/interceptor"
)

// heartbeats beats for every activity while it runs, so that Temporal notices a dead worker within the heartbeat timeout and
// gives the activity to another. Activities need not think of it.
type heartbeats struct {
	interceptor.WorkerInterceptorBase
}

func (h *heartbeats) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &beating{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type beating struct {
	interceptor.ActivityInboundInterceptorBase
	outbound interceptor.ActivityOutboundInterceptor
	last     atomic.Pointer[[]any] // what the activity has said of its progress
}

// Init hears what the activity itself says with a beat, so that the beats in between say the same again and not nothing.
func (b *beating) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	b.outbound = outbound
	listening := &listening{ActivityOutboundInterceptorBase: interceptor.ActivityOutboundInterceptorBase{Next: outbound}, last: &b.last}
	return b.ActivityInboundInterceptorBase.Init(listening)
}

type listening struct {
	interceptor.ActivityOutboundInterceptorBase
	last *atomic.Pointer[[]any]
}

// RecordHeartbeat remembers the details.
func (l *listening) RecordHeartbeat(ctx context.Context, details ...any) {
	l.last.Store(&details)
	l.Next.RecordHeartbeat(ctx, details...)
}

func (b *beating) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	done := make(chan struct{})
	defer close(done)
	go b.beat(ctx, done)
	return b.Next.ExecuteActivity(ctx, in)
}

func (b *beating) beat(ctx context.Context, done <-chan struct{}) {
	ticker := time.NewTicker(runbook.HeartbeatTimeout / 4)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.outbound.RecordHeartbeat(ctx, b.details()...)
		}
	}
}

func (b *beating) details() []any {
	if said := b.last.Load(); said != nil {
		return *said
	}
	return nil
}
