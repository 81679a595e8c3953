// Package history reads from Temporal how earlier runs went.
package history

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// mostRuns is how many earlier runs are looked at, the latest first: an estate changes, and what it took years ago says little.
const mostRuns = 10

// Activities read a Temporal namespace.
type Activities struct {
	Client    client.Client
	Namespace string

	mutex sync.Mutex
	known map[string]report.Report // by run ID: what a run left never changes, and reading it again would slow a recovery down
}

// StepTimesParams say which runs count.
type StepTimesParams struct {
	Scenario string `json:"scenario"` // the Temporal workflow type
	Target   string `json:"target"`   // what was recovered, as in the report
}

// StepTimesResult is how long the steps took in the runs that brought service back.
type StepTimesResult struct {
	Runs     int                      `json:"runs"`
	Steps    map[string]time.Duration `json:"steps"`    // the median by the step's name, with the time in which people were asked
	Recovers string                   `json:"recovers"` // the step in which service came back most often
}

// StepTimes reads the reports of the latest runs of a scenario. A run whose report cannot be read does not count; without any,
// Runs is 0. The error says that Temporal could not be asked, and may be retried. It changes nothing.
func (a *Activities) StepTimes(ctx context.Context, p StepTimesParams) (StepTimesResult, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Completed' AND FukkyuMode != 'rehearse'", p.Scenario)
	answer, err := a.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: a.Namespace, Query: query, PageSize: mostRuns})
	if err != nil {
		return StepTimesResult{}, fmt.Errorf("list earlier runs of %s: %w", p.Scenario, err)
	}
	var reports []report.Report
	for _, info := range answer.GetExecutions() {
		if left, ok := a.reportOf(ctx, info); ok && left.Target == p.Target && left.Outcome.ServiceIsBack() {
			reports = append(reports, left)
		}
	}
	return timesOf(reports), nil
}

func (a *Activities) reportOf(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (report.Report, bool) {
	execution := info.GetExecution()
	a.mutex.Lock()
	left, known := a.known[execution.GetRunId()]
	a.mutex.Unlock()
	if known {
		return left, true
	}
	if err := a.Client.GetWorkflow(ctx, execution.GetWorkflowId(), execution.GetRunId()).Get(ctx, &left); err != nil {
		return left, false
	}
	left.Timeline, left.Facts, left.Notifications = nil, nil, nil // which say nothing of times, and may be long
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.known == nil {
		a.known = map[string]report.Report{}
	}
	a.known[execution.GetRunId()] = left
	return left, true
}

// timesOf is the median of each step over those runs that performed it.
func timesOf(reports []report.Report) StepTimesResult {
	taken := map[string][]time.Duration{}
	recovered := map[string]int{}
	for _, left := range reports {
		for _, step := range left.Steps {
			if step.State == report.Done {
				taken[step.Name] = append(taken[step.Name], step.Took())
			}
			if at := left.Clocks.Recovered; !at.IsZero() && !at.Before(step.Started) && !at.After(step.Finished) {
				recovered[step.Name]++
			}
		}
	}
	result := StepTimesResult{Runs: len(reports), Steps: map[string]time.Duration{}}
	for name, durations := range taken {
		slices.Sort(durations)
		result.Steps[name] = durations[len(durations)/2]
	}
	for name, times := range recovered {
		if best := recovered[result.Recovers]; times > best || times == best && name < result.Recovers {
			result.Recovers = name
		}
	}
	return result
}
