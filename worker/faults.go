//go:build faults

package main

import (
	"context"
	"os"
	"syscall"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// The environment of a worker that is to die at one exact point, once.
const (
	crashAt     = "FUKKYU_CRASH_AT"     // "<activity> before" or "<activity> after"
	crashMarker = "FUKKYU_CRASH_MARKER" // a file whose existence says that it has died already
)

// faultPoints kill the worker like a power failure, right before or right after its activity has acted. They exist only in
// the build for the crash matrix.
func faultPoints() []interceptor.WorkerInterceptor {
	if os.Getenv(crashAt) == "" {
		return nil
	}
	return []interceptor.WorkerInterceptor{&faults{}}
}

type faults struct {
	interceptor.WorkerInterceptorBase
}

func (f *faults) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &dying{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type dying struct {
	interceptor.ActivityInboundInterceptorBase
}

func (d *dying) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	name := activity.GetInfo(ctx).ActivityType.Name
	dieAt(name + " before")
	result, err := d.Next.ExecuteActivity(ctx, in)
	if err == nil {
		dieAt(name + " after")
	}
	return result, err
}

// dieAt kills this process if the point is the one asked for and it has not died there before.
func dieAt(point string) {
	if os.Getenv(crashAt) != point {
		return
	}
	marker, err := os.OpenFile(os.Getenv(crashMarker), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return // it has died already
	}
	_ = marker.Close() // nothing was written
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
