package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

const (
	// readInterval is how old the figures about runs may be: shorter than the interval at which Prometheus asks.
	readInterval = 10 * time.Second
	// readTimeout bounds one reading of the runs, the first with all reports that Temporal still has among them.
	readTimeout = time.Minute
	// statusTimeout bounds the question to one run whether service is back.
	statusTimeout = 2 * time.Second
	// remembered is how many ended runs of each mode are looked at: those of a bad night, and the drills of a year.
	remembered = 100
)

// The outcomes of runs that left no report, because something else than the engine ended them.
const (
	outcomeTerminated report.Outcome = "terminated"
	outcomeFailed     report.Outcome = "failed"
	outcomeUnreadable report.Outcome = "unreadable" // of a version that this one does not understand
)

// runs knows which recoveries are open and how the last ones ended. It reads that from Temporal, so that every worker says the
// same, a worker that has just started knows it too, and nothing stands for ever because the worker that said it died.
type runs struct {
	connection client.Client
	namespace  string
	rto        time.Duration // the plan's objective
	logger     *slog.Logger

	mutex   sync.Mutex
	read    time.Time // when Temporal last answered, zero before it has
	open    []openRun
	last    map[string]endedRun // by workflow ID: the last run that ended otherwise than by a refusal
	success map[string]endedRun // by workflow ID: the last one that reached its aim

	// By run ID, what need not be asked again. Only the reader looks at them.
	ended     map[string]endedRun
	recovered map[string]bool
}

// openRun is a run that goes on.
type openRun struct {
	workflowID, scenario, mode, phase string
	deadline                          time.Time // zero when it cannot be missed any more, or nobody knows it
}

// asks says that the run waits for a person's answer.
func (o openRun) asks() bool {
	return o.phase == runbook.PhaseAsking || o.phase == runbook.PhaseStanding
}

// endedRun is a run that is over, as far as it is measured.
type endedRun struct {
	workflowID, scenario, mode, target string

	outcome  report.Outcome
	closed   time.Time
	missing  int
	rto, rpo report.Measure
}

// succeeded says that the run reached its aim, if late.
func (e endedRun) succeeded() bool {
	return e.outcome.ServiceIsBack() || e.outcome == report.Rehearsed
}

func newRuns(connection client.Client, namespace string, rto time.Duration, logger *slog.Logger) *runs {
	return &runs{
		connection: connection, namespace: namespace, rto: rto, logger: logger,
		last: map[string]endedRun{}, success: map[string]endedRun{}, ended: map[string]endedRun{}, recovered: map[string]bool{},
	}
}

// watch reads the runs again and again until ctx ends. While Temporal does not answer, what it said last stands.
func (r *runs) watch(ctx context.Context) {
	ticker := time.NewTicker(readInterval)
	defer ticker.Stop()
	silent := false
	for {
		err := r.refresh(ctx)
		if err != nil && !silent && ctx.Err() == nil {
			r.logger.Warn("runs are not read, their metrics stand still", "error", err)
		}
		silent = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// refresh reads the runs once. The error leaves everything as it was.
func (r *runs) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	now := time.Now()
	open, err := r.readOpen(ctx)
	if err != nil {
		return err
	}
	ended, err := r.readEnded(ctx)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.read, r.open = now, open
	for _, run := range ended {
		remember(r.last, run)
		if run.succeeded() {
			remember(r.success, run)
		}
	}
	return nil
}

// remember keeps the newest run of each workflow ID. A refused run changed nothing, and does not hide the one before it.
func remember(runs map[string]endedRun, run endedRun) {
	if run.outcome != report.Refused && !run.closed.Before(runs[run.workflowID].closed) {
		runs[run.workflowID] = run
	}
}

func (r *runs) readOpen(ctx context.Context) ([]openRun, error) {
	found, err := r.list(ctx, workflows.Recoveries()+" AND ExecutionStatus = 'Running'")
	if err != nil {
		return nil, err
	}
	var open []openRun
	recovered := map[string]bool{}
	for _, info := range found {
		run := openRun{
			workflowID: info.GetExecution().GetWorkflowId(), scenario: info.GetType().GetName(),
			mode: temporalclient.Attribute[string](info, runbook.AttributeMode), phase: temporalclient.Attribute[string](info, runbook.AttributePhase),
			deadline: temporalclient.Attribute[time.Time](info, runbook.AttributeDeadline),
		}
		if run.phase == "" { // no worker has begun it yet
			run.mode, run.phase = string(runbook.Live), runbook.PhaseStarting
		}
		if id := info.GetExecution().GetRunId(); r.isRecovered(ctx, run, id) {
			run.deadline, recovered[id] = time.Time{}, true
		}
		open = append(open, run)
	}
	r.recovered = recovered
	return open, nil
}

// isRecovered says that service is back although the run goes on, for example to restore redundancy. A run is asked only when
// its deadline comes near, and no more once it has said yes.
func (r *runs) isRecovered(ctx context.Context, run openRun, id string) bool {
	if r.recovered[id] {
		return true
	}
	if run.mode != string(runbook.Live) || run.deadline.IsZero() || time.Until(run.deadline) > r.rto/2 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	answer, err := r.connection.QueryWorkflow(ctx, run.workflowID, id, runbook.StatusQuery)
	if err != nil {
		return false // nobody can say that it is
	}
	var status report.Report
	return answer.Get(&status) == nil && !status.Clocks.Recovered.IsZero()
}

// readEnded returns the last ended runs. The report of each is read once.
func (r *runs) readEnded(ctx context.Context) ([]endedRun, error) {
	var all []endedRun
	known := map[string]endedRun{}
	for _, mode := range runbook.Modes() {
		found, err := r.list(ctx, fmt.Sprintf("%s AND ExecutionStatus != 'Running' AND FukkyuMode = '%s'", workflows.Recoveries(), mode))
		if err != nil {
			return nil, err
		}
		for _, info := range found {
			id := info.GetExecution().GetRunId()
			run, read := r.ended[id]
			if !read {
				if run, err = r.readOne(ctx, info); err != nil {
					return nil, err
				}
			}
			known[id], all = run, append(all, run)
		}
	}
	r.ended = known
	return all, nil
}

// readOne reads how a run ended from its report, or from Temporal where it left none.
func (r *runs) readOne(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (endedRun, error) {
	run := endedRun{
		workflowID: info.GetExecution().GetWorkflowId(), scenario: info.GetType().GetName(),
		mode: temporalclient.Attribute[string](info, runbook.AttributeMode), closed: info.GetCloseTime().AsTime(),
	}
	switch info.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_FAILED:
	default:
		run.outcome = outcomeTerminated
		return run, nil
	}
	var left report.Report
	err := r.connection.GetWorkflow(ctx, run.workflowID, info.GetExecution().GetRunId()).Get(ctx, &left)
	if unanswered(err) {
		return run, fmt.Errorf("read the report of %s: %w", run.workflowID, err)
	}
	var failed *temporal.WorkflowExecutionError
	switch {
	case runbook.IsRefused(err):
		run.outcome = report.Refused
	case errors.As(err, &failed):
		run.outcome = outcomeFailed
	case err != nil:
		run.outcome = outcomeUnreadable
	default:
		run.outcome, run.target, run.missing, run.rto, run.rpo = left.Outcome, left.Target, len(left.Missing), left.RTO, left.RPO
	}
	return run, nil
}

// unanswered says that Temporal could not be asked. That it no longer has a history is an answer.
func unanswered(err error) bool {
	var service serviceerror.ServiceError
	var gone *serviceerror.NotFound
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &service) && !errors.As(err, &gone)
}

func (r *runs) list(ctx context.Context, query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
	answer, err := r.connection.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: r.namespace, Query: query, PageSize: remembered})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return answer.GetExecutions(), nil
}
