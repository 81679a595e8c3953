package main

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// frontend is a Temporal server as far as a worker sees it: it hands out the tasks that a test gives it, and answers what runs
// there are.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	address string

	workflowTasks chan *workflowservice.PollWorkflowTaskQueueResponse
	activityTasks chan *workflowservice.PollActivityTaskQueueResponse
	done          chan string // how each task was answered

	mutex   sync.Mutex
	down    bool
	runs    []*workflowpb.WorkflowExecutionInfo
	closing map[string]*historypb.HistoryEvent // by run ID: the last event of its history
	status  map[string]report.Report           // by run ID: how it answers the status query
	counts  counts
}

// counts are how often a server was asked.
type counts struct{ queries, histories int }

// serveTemporal starts a server that ends with the test.
func serveTemporal(t *testing.T) *frontend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &frontend{
		address:       listener.Addr().String(),
		workflowTasks: make(chan *workflowservice.PollWorkflowTaskQueueResponse, 100),
		activityTasks: make(chan *workflowservice.PollActivityTaskQueueResponse, 100),
		done:          make(chan string, 200),
		closing:       map[string]*historypb.HistoryEvent{}, status: map[string]report.Report{},
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	healthpb.RegisterHealthServer(server, grpchealth.NewServer())
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return f
}

func (f *frontend) dial(t *testing.T) client.Client {
	t.Helper()
	connection, err := client.DialContext(t.Context(), client.Options{HostPort: f.address})
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	return connection
}

// setDown has the server refuse to tell anything about runs, or tell it again.
func (f *frontend) setDown(down bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.down = down
}

// say has a run answer the status query with a report.
func (f *frontend) say(run string, answer report.Report) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.status[run] = answer
}

func (f *frontend) counted() counts {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.counts
}

// open adds a run that goes on.
func (f *frontend) open(t *testing.T, workflowID string, attributes map[string]any) string {
	t.Helper()
	return f.add(t, workflowID, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, attributes, nil)
}

// add adds a run, closed by its last event.
func (f *frontend) add(t *testing.T, workflowID string, status enums.WorkflowExecutionStatus, attributes map[string]any, last *historypb.HistoryEvent) string {
	t.Helper()
	f.mutex.Lock()
	defer f.mutex.Unlock()
	run := uuid.NewString()
	fields := map[string]*commonpb.Payload{}
	for name, value := range attributes {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		fields[name] = payload
	}
	f.runs = append(f.runs, &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: run},
		Type:      &commonpb.WorkflowType{Name: "DatabaseFailover"}, Status: status,
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields}, CloseTime: last.GetEventTime(),
	})
	f.closing[run] = last
	return run
}

// close ends a run by something else than its engine's report.
func (f *frontend) close(run string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for i, info := range f.runs {
		if info.GetExecution().GetRunId() == run {
			f.runs = append(f.runs[:i:i], f.runs[i+1:]...)
			return
		}
	}
}

// GetSystemInfo and the others up to ShutdownWorker are what a worker needs to be content.
func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (f *frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (f *frontend) PollWorkflowTaskQueue(ctx context.Context, request *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	tasks := f.workflowTasks
	if request.GetTaskQueue().GetKind() == enums.TASK_QUEUE_KIND_STICKY || request.GetTaskQueue().GetName() != runbook.Queue {
		tasks = nil
	}
	select {
	case task := <-tasks:
		return task, nil
	case <-ctx.Done():
		return &workflowservice.PollWorkflowTaskQueueResponse{}, nil
	}
}

func (f *frontend) RespondWorkflowTaskCompleted(context.Context, *workflowservice.RespondWorkflowTaskCompletedRequest) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	f.done <- "workflow task completed"
	return &workflowservice.RespondWorkflowTaskCompletedResponse{}, nil
}

func (f *frontend) RespondWorkflowTaskFailed(_ context.Context, request *workflowservice.RespondWorkflowTaskFailedRequest) (*workflowservice.RespondWorkflowTaskFailedResponse, error) {
	f.done <- "workflow task failed: " + request.GetFailure().GetMessage()
	return &workflowservice.RespondWorkflowTaskFailedResponse{}, nil
}

func (f *frontend) PollActivityTaskQueue(ctx context.Context, request *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	tasks := f.activityTasks
	if request.GetTaskQueue().GetName() != runbook.Queue {
		tasks = nil
	}
	select {
	case task := <-tasks:
		return task, nil
	case <-ctx.Done():
		return &workflowservice.PollActivityTaskQueueResponse{}, nil
	}
}

func (f *frontend) RespondActivityTaskCompleted(context.Context, *workflowservice.RespondActivityTaskCompletedRequest) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	f.done <- "activity completed"
	return &workflowservice.RespondActivityTaskCompletedResponse{}, nil
}

func (f *frontend) RespondActivityTaskFailed(_ context.Context, request *workflowservice.RespondActivityTaskFailedRequest) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	f.done <- "activity failed: " + request.GetFailure().GetMessage()
	return &workflowservice.RespondActivityTaskFailedResponse{}, nil
}

func (f *frontend) ShutdownWorker(context.Context, *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	return &workflowservice.ShutdownWorkerResponse{}, nil
}

// ListWorkflowExecutions understands as much of visibility queries as the worker uses, the newest first.
func (f *frontend) ListWorkflowExecutions(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.down {
		return nil, status.Error(codes.InvalidArgument, "the server is down") // an error that is not tried again
	}
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, info := range f.runs {
		mode := string(info.GetSearchAttributes().GetIndexedFields()["FukkyuMode"].GetData())
		running := info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		if running == strings.Contains(request.GetQuery(), "ExecutionStatus = 'Running'") &&
			(running || strings.Contains(request.GetQuery(), "FukkyuMode = '"+strings.Trim(mode, `"`)+"'")) {
			answer.Executions = append([]*workflowpb.WorkflowExecutionInfo{info}, answer.Executions...)
		}
	}
	return answer, nil
}

func (f *frontend) GetWorkflowExecutionHistory(_ context.Context, request *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.counts.histories++
	last := f.closing[request.GetExecution().GetRunId()]
	if last == nil {
		return nil, status.Error(codes.NotFound, "no such history")
	}
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{last}}}, nil
}

func (f *frontend) QueryWorkflow(_ context.Context, request *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.counts.queries++
	answer, known := f.status[request.GetExecution().GetRunId()]
	if !known || request.GetQuery().GetQueryType() != runbook.StatusQuery {
		return &workflowservice.QueryWorkflowResponse{QueryRejected: &querypb.QueryRejected{}}, nil
	}
	result, err := converter.GetDefaultDataConverter().ToPayloads(answer)
	return &workflowservice.QueryWorkflowResponse{QueryResult: result}, err
}

// recorded is the history of a real run.
func recorded(t *testing.T) []*historypb.HistoryEvent {
	t.Helper()
	file, err := os.Open("../workflows/testdata/database-failover-recovered.json")
	require.NoError(t, err)
	defer file.Close()
	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history.GetEvents()
}

// tasks are the workflow tasks that a server would have handed out in the course of a run, each with the history so far, as
// after the death of the worker that had the one before.
func tasks(events []*historypb.HistoryEvent) []*workflowservice.PollWorkflowTaskQueueResponse {
	var all []*workflowservice.PollWorkflowTaskQueueResponse
	var previous int64
	for i, event := range events {
		if event.GetEventType() != enums.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			continue
		}
		all = append(all, &workflowservice.PollWorkflowTaskQueueResponse{
			TaskToken: []byte(uuid.NewString()), Attempt: 1, PreviousStartedEventId: previous, StartedEventId: event.GetEventId(),
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "database-failover/shodo/shodo", RunId: uuid.NewString()},
			WorkflowType:      events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType(),
			History:           &historypb.History{Events: events[:i+1]},
			ScheduledTime:     timestamppb.Now(), StartedTime: timestamppb.Now(),
		})
		previous = event.GetEventId()
	}
	return all
}
