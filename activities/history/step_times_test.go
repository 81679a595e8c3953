package history_test

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/history"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
)

var began = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// left is the report of a run whose first step took so many seconds and whose second, of one second, brought service back.
func left(outcome report.Outcome, target string, seconds int) report.Report {
	middle := began.Add(time.Duration(seconds) * time.Second)
	return report.Report{Outcome: outcome, Target: target, Clocks: report.Clocks{Recovered: middle.Add(500 * time.Millisecond)}, Steps: []report.Step{
		{Name: "fence", State: report.Done, Started: began, Finished: middle},
		{Name: "promote", State: report.Done, Started: middle, Finished: middle.Add(time.Second)},
		{Name: "power off", State: report.Skipped, Started: middle, Finished: middle},
	}}
}

// temporal is a client of a namespace in which these runs have ended. A nil report cannot be read.
func temporal(t *testing.T, reports ...*report.Report) client.Client {
	t.Helper()
	found := &mocks.Client{}
	var infos []*workflowpb.WorkflowExecutionInfo
	for i, left := range reports {
		id := string(rune('a' + i))
		infos = append(infos, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: id}})
		run := &mocks.WorkflowRun{}
		if left == nil {
			run.On("Get", mock.Anything, mock.Anything).Return(serviceerror.NewNotFound("history is gone"))
		} else {
			run.On("Get", mock.Anything, mock.Anything).Run(func(arguments mock.Arguments) { *arguments.Get(1).(*report.Report) = *left }).Return(nil)
		}
		found.On("GetWorkflow", mock.Anything, id, id).Return(run)
	}
	found.On("ListWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.ListWorkflowExecutionsResponse{Executions: infos}, nil)
	return found
}

func ask(t *testing.T, reports ...*report.Report) history.StepTimesResult {
	t.Helper()
	got, err := (&history.Activities{Client: temporal(t, reports...)}).StepTimes(t.Context(), history.StepTimesParams{Scenario: "DatabaseFailover", Target: "database shodo"})
	require.NoError(t, err)
	return got
}

func TestStepTimes_SeveralRuns_AreTheMedianOfThoseThatBroughtServiceBack(t *testing.T) {
	three, nine, five := left(report.Recovered, "database shodo", 3), left(report.RecoveredLate, "database shodo", 9), left(report.Recovered, "database shodo", 5)
	stopped, other := left(report.Incomplete, "database shodo", 500), left(report.Recovered, "database other", 700)
	got := ask(t, &three, &nine, nil, &stopped, &five, &other)
	require.Equal(t, 3, got.Runs)
	require.Equal(t, map[string]time.Duration{"fence": 5 * time.Second, "promote": time.Second}, got.Steps, "a step that was skipped took nothing")
	require.Equal(t, "promote", got.Recovers)
}

func TestStepTimes_NoEarlierRun_SaysNothing(t *testing.T) {
	got := ask(t)
	require.Zero(t, got.Runs)
	require.Empty(t, got.Recovers)
}

func TestStepTimes_AskedAgain_ReadsNoReportTwice(t *testing.T) {
	three := left(report.Recovered, "database shodo", 3)
	found := temporal(t, &three)
	activities := &history.Activities{Client: found}
	for range 3 {
		got, err := activities.StepTimes(t.Context(), history.StepTimesParams{Scenario: "DatabaseFailover", Target: "database shodo"})
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, got.Steps["fence"])
	}
	found.(*mocks.Client).AssertNumberOfCalls(t, "GetWorkflow", 1)
}
