package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// openRuns is a Temporal in which these runs are open.
type openRuns struct {
	client.Client
	ids []string
}

func info(id string) *workflow.WorkflowExecutionInfo {
	return &workflow.WorkflowExecutionInfo{Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "run of " + id}, Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING}
}

func (o openRuns) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range o.ids {
		answer.Executions = append(answer.Executions, info(id))
	}
	return answer, nil
}

func (o openRuns) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	for _, open := range o.ids {
		if open == id {
			return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info(id)}, nil
		}
	}
	if len(o.ids) == 0 {
		return nil, serviceerror.NewUnavailable("connection refused")
	}
	return nil, serviceerror.NewNotFound("workflow not found")
}

func (openRuns) GetWorkflow(context.Context, string, string) client.WorkflowRun {
	return &scriptedRun{}
}

func TestWorkflowOf_NoName_IsTheOnlyOpenRunOrSaysWhichThereAre(t *testing.T) {
	s := &session{}
	id, err := s.workflowOf(t.Context(), openRuns{ids: []string{"database-failover/shodo"}}, nil)
	require.NoError(t, err)
	require.Equal(t, "database-failover/shodo", id)

	_, err = s.workflowOf(t.Context(), openRuns{ids: []string{"database-failover/shodo", "rejoin/shodo"}}, nil)
	require.ErrorContains(t, err, "name one: database-failover/shodo, rejoin/shodo")
	require.Equal(t, exitUsage, codeOf(err))

	_, err = s.workflowOf(t.Context(), openRuns{}, nil)
	require.ErrorContains(t, err, "no recovery is running")
	require.Equal(t, exitRefused, codeOf(err))
}

func TestRunOf_ARunThatNobodyKnows_IsRefusedAndASilentTemporalIsNotThat(t *testing.T) {
	run, running, err := runOf(t.Context(), openRuns{ids: []string{"database-failover/shodo"}}, "database-failover/shodo")
	require.NoError(t, err)
	require.True(t, running)
	require.Equal(t, "run-1", run.GetRunID())

	_, _, err = runOf(t.Context(), openRuns{ids: []string{"database-failover/shodo"}}, "database-failover/other")
	require.Equal(t, exitRefused, codeOf(err))
	require.ErrorContains(t, err, "fukkyu list")

	_, _, err = runOf(t.Context(), openRuns{}, "database-failover/shodo")
	require.Equal(t, exitFailed, codeOf(err), "that Temporal does not answer says nothing about the run")
}

func TestCanDraw_WithoutATerminalOrForAProgram_IsLines(t *testing.T) {
	t.Setenv("TERM", "xterm")
	require.False(t, (&session{output: outputJSON}).canDraw())
	t.Setenv("TERM", "dumb")
	require.False(t, (&session{output: outputText}).canDraw())
}
