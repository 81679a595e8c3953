// Package workflows holds the scenarios: one file each, a list of steps that reads like the plan's runbook.
//
// What a scenario decides, it decides in pure functions; what it changes, it changes through activities; how it is
// conducted is the business of package runbook.
package workflows

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The Temporal workflow types. Their names are in histories, in schedules and in people's scripts: they never change.
const (
	DatabaseFailoverName   = "DatabaseFailover"
	DatabaseSwitchoverName = "DatabaseSwitchover"
	DatabaseCommitsName    = "DatabaseCommits"
	RejoinName             = "Rejoin"
	RedisRecoveryName      = "RedisRecovery"
	ServiceRecoveryName    = "ServiceRecovery"
	FullOutageName         = "FullOutage"
	DiagnosisName          = "Diagnosis"
	ZoneEvacuationName     = "ZoneEvacuation"
	NodeRecoveryName       = "NodeRecovery"
	VerificationName       = "Verification"
)

// Register tells a worker the scenarios.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(DatabaseFailover, workflow.RegisterOptions{Name: DatabaseFailoverName})
	registry.RegisterWorkflowWithOptions(DatabaseSwitchover, workflow.RegisterOptions{Name: DatabaseSwitchoverName})
	registry.RegisterWorkflowWithOptions(DatabaseCommits, workflow.RegisterOptions{Name: DatabaseCommitsName})
	registry.RegisterWorkflowWithOptions(Rejoin, workflow.RegisterOptions{Name: RejoinName})
	registry.RegisterWorkflowWithOptions(RedisRecovery, workflow.RegisterOptions{Name: RedisRecoveryName})
	registry.RegisterWorkflowWithOptions(ServiceRecovery, workflow.RegisterOptions{Name: ServiceRecoveryName})
	registry.RegisterWorkflowWithOptions(FullOutage, workflow.RegisterOptions{Name: FullOutageName})
	registry.RegisterWorkflowWithOptions(Diagnosis, workflow.RegisterOptions{Name: DiagnosisName})
	registry.RegisterWorkflowWithOptions(ZoneEvacuation, workflow.RegisterOptions{Name: ZoneEvacuationName})
	registry.RegisterWorkflowWithOptions(NodeRecovery, workflow.RegisterOptions{Name: NodeRecoveryName})
	registry.RegisterWorkflowWithOptions(Verify, workflow.RegisterOptions{Name: VerificationName})
}

// awaitSlack is what an activity that waits may take beside its patience.
const awaitSlack = 15 * time.Second

// patiently prepares for an activity that waits, which may be longer than activities usually take.
func patiently(act workflow.Context, patience time.Duration) workflow.Context {
	longest := patience + awaitSlack
	return workflow.WithStartToCloseTimeout(runbook.Within(act, longest+awaitSlack), longest)
}

// call is one activity under way.
type call[R any] struct{ future workflow.Future }

// begin schedules an activity without waiting for it. Its signature ties the params to the result.
func begin[P, R any](ctx workflow.Context, activity func(context.Context, P) (R, error), params P) call[R] {
	return call[R]{future: workflow.ExecuteActivity(ctx, activity, params)}
}

func (c call[R]) get(ctx workflow.Context) (R, error) {
	var result R
	err := c.future.Get(ctx, &result)
	return result, err
}
