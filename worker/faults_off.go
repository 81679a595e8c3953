//go:build !faults

package main

import "go.temporal.io/sdk/interceptor"

// faultPoints are none in a worker that is not built to die.
func faultPoints() []interceptor.WorkerInterceptor { return nil }
