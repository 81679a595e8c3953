package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"
)

func (c *scriptedConnection) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.described, c.silent
}

func pending(name string, state enums.PendingActivityState, attempt int32) *workflow.PendingActivityInfo {
	return &workflow.PendingActivityInfo{ActivityType: &common.ActivityType{Name: name}, State: state, Attempt: attempt}
}

func TestAwait_WhatASilenceIsWaitedFor_IsToldOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connection, run := &scriptedConnection{}, &scriptedRun{ended: make(chan error)}
		var talk bytes.Buffer
		var seen report.Report
		ended := make(chan error)
		go func() { ended <- await(t.Context(), connection, run, &talk, &seen) }()
		told := func(now *workflowservice.DescribeWorkflowExecutionResponse) string {
			talk.Reset()
			connection.set(func(c *scriptedConnection) { c.described = now })
			pass(3 * silence)
			return talk.String()
		}
		require.Empty(t, told(&workflowservice.DescribeWorkflowExecutionResponse{}))
		require.Equal(t, "no worker takes tasks of queue fukkyu; is fukkyu-worker running?\n", told(&workflowservice.DescribeWorkflowExecutionResponse{
			PendingWorkflowTask: &workflow.PendingWorkflowTaskInfo{State: enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED},
		}))
		require.Equal(t, "no worker takes Diagnose; is its region in the site of one?\n", told(&workflowservice.DescribeWorkflowExecutionResponse{
			PendingActivities: []*workflow.PendingActivityInfo{
				pending("Diagnose", enums.PENDING_ACTIVITY_STATE_SCHEDULED, 1), pending("CheckHealth", enums.PENDING_ACTIVITY_STATE_STARTED, 1),
			},
		}))
		require.Equal(t, "under way: CheckHealth, Diagnose\n", told(&workflowservice.DescribeWorkflowExecutionResponse{
			PendingActivities: []*workflow.PendingActivityInfo{
				pending("Diagnose", enums.PENDING_ACTIVITY_STATE_SCHEDULED, 2), pending("CheckHealth", enums.PENDING_ACTIVITY_STATE_STARTED, 1), pending("CheckHealth", enums.PENDING_ACTIVITY_STATE_STARTED, 1),
			},
		}))
		connection.set(func(c *scriptedConnection) { c.silent = errors.New("connection refused") })
		require.Equal(t, "Temporal does not answer\n", told(nil))
		run.ended <- errors.New("its history is gone")
		require.EqualError(t, <-ended, "its history is gone")
	})
}

func TestInquiry_EachWayToEnd_HasItsExitCodeAndItsReason(t *testing.T) {
	q := inquiry{name: "diagnose", timeout: diagnosisTimeout}
	left, leave := context.WithCancel(t.Context())
	leave()
	require.NoError(t, q.ended(t.Context(), nil))
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code int
		says string
	}{
		{left, context.Canceled, exitWaiting, "ends by itself"},
		{t.Context(), runbook.Refuse("region %q is not in the plan", "mars"), exitRefused, `region "mars" is not in the plan`},
		{t.Context(), temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil), exitFailed, "no worker has made it within 40s"},
		{t.Context(), context.DeadlineExceeded, exitUnreachable, "Temporal does not answer"},
		{t.Context(), serviceerror.NewUnavailable("connection refused"), exitUnreachable, "Temporal does not answer"},
		{t.Context(), fmt.Errorf("run: %w", &temporal.TerminatedError{}), exitFailed, "terminated before its end"},
		{t.Context(), temporal.NewApplicationError("its plan cannot be read", "Broken"), exitFailed, "the run failed: its plan cannot be read"},
	} {
		err := q.ended(c.ctx, c.err)
		require.Equal(t, c.code, codeOf(err), c.says)
		require.ErrorContains(t, err, c.says)
	}
}
