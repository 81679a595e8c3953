// Package pin gives a run the plan that it holds on to.
package pin

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Activities know the plan that this worker was started with.
type Activities struct {
	Pinned plan.Pinned
	Build  string // version of this worker
}

// Params has no fields yet.
type Params struct{}

// Result is a plan, by its hash, and the build that read it.
type Result struct {
	plan.Pinned
	Build string `json:"build"`
}

// PinPlan returns the worker's plan. It reads nothing else and never fails: a worker without a valid plan does not start.
func (a *Activities) PinPlan(context.Context, Params) (Result, error) {
	return Result{Pinned: a.Pinned, Build: a.Build}, nil
}
