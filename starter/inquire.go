package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// inquiry is a workflow that only looks: it takes no lease, asks nobody and changes nothing, so it may run at any time and be cut at any.
type inquiry struct {
	name     string // of the command, and in front of the workflow's ID
	workflow string
	summary  string
	timeout  time.Duration
	request  any
}

// inquire has a worker look, and waits for what it saw. Whoever waits for longer than a moment is told for what.
func (s *session) inquire(command *cobra.Command, q inquiry, seen any) error {
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	run, err := connection.ExecuteWorkflow(command.Context(), client.StartWorkflowOptions{
		ID: q.name + "/" + uuid.NewString(), TaskQueue: runbook.Queue, WorkflowTaskTimeout: taskTimeout,
		StaticSummary: q.summary, WorkflowExecutionTimeout: q.timeout,
	}, q.workflow, q.request)
	if err != nil {
		return fmt.Errorf("start %s: %w", q.name, err)
	}
	return q.ended(command.Context(), await(command.Context(), connection, run, command.ErrOrStderr(), seen))
}

// ended turns what an inquiry ended with into what the person is told.
func (q inquiry) ended(ctx context.Context, err error) error {
	var terminated *temporal.TerminatedError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &exit{code: exitWaiting, err: fmt.Errorf("%s: stopped waiting; it changes nothing and ends by itself", q.name)}
	case temporal.IsTimeoutError(err):
		return fmt.Errorf("%s: no worker has made it within %s; is fukkyu-worker running, and is the region in its site?", q.name, q.timeout)
	case away(err):
		return &exit{code: exitUnreachable, err: fmt.Errorf("%s: %s: %w", q.name, temporalIsSilent, err)}
	case errors.As(err, &terminated):
		return fmt.Errorf("%s: it was terminated before its end", q.name)
	}
	return endedBy(err)
}

// await waits for what a run returns, and tells once what each silence is waited for.
func await(ctx context.Context, connection client.Client, run client.WorkflowRun, talk io.Writer, result any) error {
	ended := make(chan error, 1)
	go func() { ended <- run.Get(ctx, result) }()
	ticker := time.NewTicker(silence)
	defer ticker.Stop()
	told := ""
	for {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
			if now := waitedFor(ctx, connection, run); now != "" && now != told {
				fmt.Fprintln(talk, printable(now))
				told = now
			}
		}
	}
}

const temporalIsSilent = "Temporal does not answer"

// waitedFor is what a run waits for: Temporal, a worker, or what one does. Empty between two of its steps.
func waitedFor(ctx context.Context, connection client.Client, run client.WorkflowRun) string {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	now, err := connection.DescribeWorkflowExecution(asking, run.GetID(), run.GetRunID())
	if err != nil {
		return temporalIsSilent
	}
	if task := now.GetPendingWorkflowTask(); task.GetState() == enums.PENDING_WORKFLOW_TASK_STATE_SCHEDULED {
		return fmt.Sprintf("no worker takes tasks of queue %s; is fukkyu-worker running?", runbook.Queue)
	}
	var untaken, under []string
	for _, activity := range now.GetPendingActivities() {
		if activity.GetState() == enums.PENDING_ACTIVITY_STATE_SCHEDULED && activity.GetAttempt() <= 1 {
			untaken = append(untaken, activity.GetActivityType().GetName())
			continue
		}
		under = append(under, activity.GetActivityType().GetName())
	}
	switch {
	case len(untaken) > 0:
		return fmt.Sprintf("no worker takes %s; is its region in the site of one?", eachOnce(untaken))
	case len(under) > 0:
		return "under way: " + eachOnce(under)
	}
	return ""
}

// eachOnce is each name once, in a stable order.
func eachOnce(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
