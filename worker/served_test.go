package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// patience is how long a test waits for a worker to do what it does in milliseconds.
const patience = time.Minute

// families are metrics by name.
type families map[string]*dto.MetricFamily

// scraped reads a page as Prometheus does.
func scraped(t *testing.T, page io.Reader) families {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(page)
	require.NoError(t, err)
	return found
}

// startWorker runs the program against a server until the test ends, and returns the address of its metrics.
func startWorker(t *testing.T, server *frontend) string {
	t.Helper()
	folder := t.TempDir()
	kubeconfig := `{apiVersion: v1, kind: Config, current-context: nowhere, contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}],
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: nobody, user: {}}]}`
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kubeconfig"), []byte(kubeconfig), 0o600))
	site := filepath.Join(folder, "site.yaml")
	require.NoError(t, os.WriteFile(site, []byte(aSite), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	settings := settings{plan: "../plans/shodo.yaml", site: site, listen: address, temporal: temporalclient.Options{Address: server.address}}
	go func() { ended <- run(ctx, cancel, settings, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return "http://" + address + "/metrics"
}

const aSite = `site: test
plan: shodo
regions:
  - {name: ap-northeast-1, kubernetes: {kubeconfig: kubeconfig}}
  - {name: us-west-2, kubernetes: {kubeconfig: kubeconfig}}
databases: [{name: shodo, secret: postgres-fukkyu}]
services:
  - {name: shodo-backend, url: "http://127.0.0.1:1"}
  - {name: shodo-frontend, url: "http://127.0.0.1:1"}
  - {name: shodo-ai-server, url: "http://127.0.0.1:1"}
dependencies: [{name: object-store, tcp: "127.0.0.1:1"}]
`

// page asks for the metrics until they are served and satisfy enough.
func page(t *testing.T, url string, enough func(families) bool) families {
	t.Helper()
	var found families
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		found = scraped(t, response.Body)
		return response.StatusCode == http.StatusOK && enough(found)
	}, patience, 50*time.Millisecond)
	return found
}

// served is everything that workers tell Prometheus, each metric told by the code that tells it in production: the program
// performs a recorded recovery, runs of every kind are known, and replicas are read.
func served(t *testing.T) families {
	t.Helper()
	server := serveTemporal(t)
	server.open(t, failover, map[string]any{"FukkyuMode": "live", "FukkyuPhase": "asking", "FukkyuDeadline": time.Now().Add(time.Hour)})
	server.add(t, failover, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, live(), completed(t, moment, recovery()))
	history := recorded(t)
	handed := tasks(history)
	broken := tasks(history)[1]
	broken.WorkflowType = &commonpb.WorkflowType{Name: "Unheard"} // fails the task, as a version without this scenario would
	handed = append(handed, broken)
	for _, task := range handed {
		server.workflowTasks <- task
	}
	for _, name := range []string{"PinPlan", "Unheard"} {
		server.activityTasks <- anActivity(name)
	}
	url := startWorker(t, server)
	for range len(handed) + 2 {
		select {
		case <-server.done:
		case <-time.After(patience):
			require.FailNow(t, "the worker leaves tasks undone")
		}
	}
	all := page(t, url, func(found families) bool {
		for _, late := range []string{ // these are told after their task was answered, or now and then
			"fukkyu_runs_open", "temporal_num_pollers", "temporal_worker_task_slots_available",
			"temporal_activity_execution_failed_total", "temporal_workflow_task_execution_failed_total",
		} {
			if found[late] == nil {
				return false
			}
		}
		return true
	})
	maps.Copy(all, replicated(t))
	return all
}

func anActivity(name string) *workflowservice.PollActivityTaskQueueResponse {
	now := timestamppb.Now()
	return &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: []byte(name), ActivityId: name, Attempt: 1, ActivityType: &commonpb.ActivityType{Name: name},
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: failover, RunId: "r"}, WorkflowType: &commonpb.WorkflowType{Name: "DatabaseFailover"},
		ScheduledTime: now, StartedTime: now, CurrentAttemptScheduledTime: now,
		StartToCloseTimeout: durationpb.New(time.Minute), ScheduleToCloseTimeout: durationpb.New(time.Minute),
	}
}

// replicated is what is told when an activity has read servers: a primary, a replica that is behind, one that has everything
// and one that was not reached.
func replicated(t *testing.T) families {
	t.Helper()
	metrics, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetMetricsHandler(metrics.Temporal())
	environment := suite.NewTestActivityEnvironment()
	environment.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&replication{}}})
	environment.RegisterActivityWithOptions(func(context.Context, postgres.ReadServersParams) (postgres.ReadServersResult, error) {
		return postgres.ReadServersResult{At: moment, Servers: []postgres.Server{
			{Pod: "primary-0", Reached: true, ReceiveLSN: 5000},
			{Pod: "behind-0", Reached: true, InRecovery: true, Receiving: true, ReceiveLSN: 4000, ReplayLSN: 3500, PrimaryEnd: 4500, LastCommit: moment.Add(-7 * time.Second)},
			{Pod: "level-0", Reached: true, InRecovery: true, Receiving: true, ReceiveLSN: 5000, ReplayLSN: 5000, LastCommit: moment.Add(-time.Hour)},
			{Pod: "cut-off-0", Reached: true, InRecovery: true, ReceiveLSN: 5000, ReplayLSN: 5000, LastCommit: moment.Add(-time.Hour)},
			{Pod: "gone-0", InRecovery: true},
		}}, nil
	}, activity.RegisterOptions{Name: "ReadServers"})
	_, err = environment.ExecuteActivity("ReadServers", postgres.ReadServersParams{Database: "shodo"})
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return scraped(t, answer.Body)
}

// values are those of a metric by the value of one of its labels.
func values(found families, name, label string) map[string]float64 {
	by := map[string]float64{}
	for _, series := range found[name].GetMetric() {
		for _, pair := range series.GetLabel() {
			if pair.GetName() == label {
				by[pair.GetValue()] += series.GetGauge().GetValue() + series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount())
			}
		}
	}
	return by
}

func TestReplication_AnActivityHasReadServers_EachReachedReplicaIsMeasured(t *testing.T) {
	found := replicated(t)

	require.Equal(t, map[string]float64{"behind-0": 1000, "level-0": 0, "cut-off-0": 0}, values(found, "fukkyu_replication_lag_bytes", "replica"))
	require.Equal(t, map[string]float64{"behind-0": 7, "level-0": 0, "cut-off-0": 3600}, values(found, "fukkyu_replication_lag_seconds", "replica"))
	require.Equal(t, float64(moment.Unix()), values(found, "fukkyu_replication_measured_timestamp_seconds", "replica")["level-0"])
	require.Equal(t, map[string]float64{"shodo": 1000}, values(found, "fukkyu_replication_lag_bytes", "database"))
}

// A worker that takes a run over replays what others did. If it counted that again, every death of a worker would double the
// figures.
func TestWorker_EveryTaskOfARunIsDoneByAnother_TheRunAndItsStepsAreCountedOnce(t *testing.T) {
	server := serveTemporal(t)
	history := recorded(t)
	handed := tasks(history)
	for _, task := range handed {
		server.workflowTasks <- task
	}
	url := startWorker(t, server)
	for range handed {
		require.Equal(t, "workflow task completed", <-server.done)
	}

	found := page(t, url, func(found families) bool { return found["fukkyu_runs_ended_total"] != nil })

	require.Equal(t, map[string]float64{"live": 1}, values(found, "fukkyu_runs_started_total", "mode"))
	require.Equal(t, map[string]float64{"recovered": 1}, values(found, "fukkyu_runs_ended_total", "outcome"))
	var left report.Report
	result := history[len(history)-1].GetWorkflowExecutionCompletedEventAttributes().GetResult()
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(result, &left))
	measured := values(found, "fukkyu_step_duration_seconds", "step")
	require.NotEmpty(t, left.Steps)
	for _, step := range left.Steps {
		require.Contains(t, measured, step.Name)
	}
	for step, times := range measured {
		require.Equal(t, 1.0, times, step)
	}
}

func TestWorker_ItsMetrics_AreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	found := served(t)
	var ours []string
	for name := range maps.Keys(found) {
		if strings.HasPrefix(name, "fukkyu_") {
			ours = append(ours, name)
		}
	}
	slices.Sort(ours)
	var documented []string
	for row := range strings.Lines(string(text)) {
		if name, rest, isRow := strings.Cut(strings.TrimPrefix(row, "| `"), "` | "); isRow && strings.HasPrefix(name, "fukkyu_") {
			documented = append(documented, name)
			require.Equal(t, labelsInWords(found[name]), strings.Split(rest, " | ")[0], name)
		}
	}
	slices.Sort(documented)
	require.Equal(t, ours, documented)
}

// labelsInWords are the labels of a metric of ours as the documentation lists them, without those that Temporal adds.
func labelsInWords(family *dto.MetricFamily) string {
	names := labelNames(family)
	for _, added := range []string{"namespace", "client_name", "task_queue", "workflow_type", "activity_type", "worker_type"} {
		delete(names, added)
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		words = append(words, fmt.Sprintf("`%s`", name))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func labelNames(family *dto.MetricFamily) map[string]bool {
	names := map[string]bool{}
	for _, series := range family.GetMetric() {
		for _, pair := range series.GetLabel() {
			names[pair.GetName()] = true
		}
	}
	return names
}
