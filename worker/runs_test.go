package main

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const failover = "database-failover/shodo/shodo"

// moment is when runs of these tests ended.
var moment = time.Date(2026, 3, 11, 3, 0, 0, 0, time.UTC)

// watched is what Prometheus sees of the runs of a server.
type watched struct {
	t    *testing.T
	runs *runs
	page func() string
}

func watch(t *testing.T, server *frontend) watched {
	t.Helper()
	metrics, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	objectives := plan.Objectives{RTO: 30 * time.Minute, RPO: 5 * time.Minute}
	runs := newRuns(server.dial(t), "default", objectives.RTO, slog.New(slog.DiscardHandler))
	pinned := plan.Pinned{Plan: plan.Plan{Name: "shodo", Version: "1.0.0", Objectives: objectives}, Hash: "sha256:0"}
	require.NoError(t, measure(metrics.Meter(), pinned, plan.Site{Name: "test"}, runs))
	return watched{t: t, runs: runs, page: func() string {
		answer := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		return answer.Body.String()
	}}
}

// refreshed reads the runs, and returns the lines about them.
func (w watched) refreshed() string {
	w.t.Helper()
	require.NoError(w.t, w.runs.refresh(w.t.Context()))
	return w.page()
}

// completed ends a history with a report.
func completed(t *testing.T, at time.Time, left any) *historypb.HistoryEvent {
	t.Helper()
	result, err := converter.GetDefaultDataConverter().ToPayloads(left)
	require.NoError(t, err)
	return &historypb.HistoryEvent{
		EventTime: timestamppb.New(at), EventType: enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: result},
		},
	}
}

// failed ends a history with an error of a type.
func failed(at time.Time, kind string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventTime: timestamppb.New(at), EventType: enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: &failurepb.Failure{
				Message: "said no", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
					ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind, NonRetryable: true},
				},
			}},
		},
	}
}

func terminated(at time.Time) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventTime: timestamppb.New(at), EventType: enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED}
}

func live() map[string]any { return map[string]any{"FukkyuMode": "live"} }

// recovery is a report of a failover that was fast enough.
func recovery() report.Report {
	rto, rpo := 90*time.Second, 250*time.Millisecond
	return report.Report{
		Scenario: "DatabaseFailover", Target: "database shodo", Mode: "live", Outcome: report.Recovered,
		RTO: report.Measure{Target: 30 * time.Minute, Measured: &rto}, RPO: report.Measure{Target: 5 * time.Minute, Measured: &rpo},
	}
}

const ofFailover = `{mode="live",scenario="DatabaseFailover",target="database shodo",workflow_id="database-failover/shodo/shodo"}`

func TestRuns_BeforeTemporalHasAnswered_NothingIsSaidOfThem(t *testing.T) {
	page := watch(t, serveTemporal(t)).page()
	require.Contains(t, page, `fukkyu_objective_rto_seconds{plan="shodo"} 1800`)
	require.NotContains(t, page, "fukkyu_runs_open")
}

func TestRuns_NoneIsOpen_AreCountedAsZero(t *testing.T) {
	page := watch(t, serveTemporal(t)).refreshed()
	require.Contains(t, page, `fukkyu_runs_open{mode="live"} 0`)
	require.Contains(t, page, `fukkyu_questions_open{mode="live"} 0`)
}

func TestRuns_AQuestionIsOpen_IsToldUntilTheRunIsClosed(t *testing.T) {
	server := serveTemporal(t)
	deadline := time.Now().Add(25 * time.Minute).Truncate(time.Millisecond)
	run := server.open(t, failover, map[string]any{"FukkyuMode": "live", "FukkyuPhase": "asking", "FukkyuDeadline": deadline})
	seen := watch(t, server)

	page := seen.refreshed()
	require.Contains(t, page, `fukkyu_runs_open{mode="live"} 1`)
	require.Contains(t, page, `fukkyu_questions_open{mode="live"} 1`)
	require.Contains(t, page, `fukkyu_questions_open{mode="rehearse"} 0`)
	require.Contains(t, page, `fukkyu_run_info{mode="live",phase="asking",scenario="DatabaseFailover",workflow_id="database-failover/shodo/shodo"} 1`)
	require.Contains(t, page, "fukkyu_run_deadline_timestamp_seconds{")
	require.Zero(t, server.counted().queries, "a run with much time left is not disturbed")

	server.close(run)
	page = seen.refreshed()
	require.Contains(t, page, `fukkyu_questions_open{mode="live"} 0`)
	require.NotContains(t, page, "fukkyu_run_info")
	require.NotContains(t, page, "fukkyu_run_deadline_timestamp_seconds")
}

func TestRuns_NoWorkerHasBegunARun_ItIsOpenAllTheSame(t *testing.T) {
	server := serveTemporal(t)
	server.open(t, failover, nil)
	require.Contains(t, watch(t, server).refreshed(), `fukkyu_run_info{mode="live",phase="starting"`)
}

func TestRuns_ServiceIsBackWhileTheRunGoesOn_ItsDeadlineIsNoLongerTold(t *testing.T) {
	server := serveTemporal(t)
	run := server.open(t, failover, map[string]any{"FukkyuMode": "live", "FukkyuPhase": "executing", "FukkyuDeadline": time.Now().Add(time.Minute)})
	seen := watch(t, server)
	require.Contains(t, seen.refreshed(), "fukkyu_run_deadline_timestamp_seconds{", "it cannot say that service is back")

	server.say(run, report.Report{})
	require.Contains(t, seen.refreshed(), "fukkyu_run_deadline_timestamp_seconds{", "service is not back")

	server.say(run, report.Report{Clocks: report.Clocks{Recovered: time.Now()}})
	require.NotContains(t, seen.refreshed(), "fukkyu_run_deadline_timestamp_seconds{")
	asked := server.counted().queries
	require.NotContains(t, seen.refreshed(), "fukkyu_run_deadline_timestamp_seconds{")
	require.Equal(t, asked, server.counted().queries, "what was said need not be asked again")
}

func TestRuns_TemporalIsSilent_WhatItSaidLastStandsAndGrowsOld(t *testing.T) {
	server := serveTemporal(t)
	server.open(t, failover, map[string]any{"FukkyuMode": "live", "FukkyuPhase": "standing"})
	seen := watch(t, server)
	before := seen.refreshed()
	server.setDown(true)

	require.Error(t, seen.runs.refresh(t.Context()))

	require.Contains(t, seen.page(), `fukkyu_questions_open{mode="live"} 1`)
	require.Equal(t, line(t, before, "fukkyu_runs_read_timestamp_seconds"), line(t, seen.page(), "fukkyu_runs_read_timestamp_seconds"))
}

func TestRuns_ARecoveryHasEnded_ItsReportIsMeasuredAndReadOnce(t *testing.T) {
	server := serveTemporal(t)
	server.add(t, failover, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, live(), completed(t, moment, recovery()))
	seen := watch(t, server)
	seen.refreshed()

	page := seen.refreshed()

	for _, wanted := range []string{
		"fukkyu_rto_target_seconds" + ofFailover + " 1800", "fukkyu_rto_measured_seconds" + ofFailover + " 90",
		"fukkyu_rpo_target_seconds" + ofFailover + " 300", "fukkyu_rpo_measured_seconds" + ofFailover + " 0.25",
		"fukkyu_last_success_timestamp_seconds" + ofFailover + " 1.773198e+09", "fukkyu_last_run_missing" + ofFailover + " 0",
		`fukkyu_last_run_info{mode="live",outcome="recovered",scenario="DatabaseFailover",target="database shodo",workflow_id="database-failover/shodo/shodo"} 1`,
	} {
		require.Contains(t, page, wanted)
	}
	require.Equal(t, 1, server.counted().histories)
}

func TestRuns_SomethingIsMissingAfterARun_IsCountedAndNothingIsMadeUp(t *testing.T) {
	server := serveTemporal(t)
	left := report.Report{Target: "database shodo", Outcome: report.Incomplete, Missing: []string{"a replica", "the lease"}, RTO: report.Measure{Target: time.Minute}}
	server.add(t, failover, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, live(), completed(t, moment, left))

	page := watch(t, server).refreshed()

	require.Contains(t, page, "fukkyu_last_run_missing"+ofFailover+" 2")
	require.NotContains(t, page, "fukkyu_rto_measured_seconds", "not measured is not 0")
	require.NotContains(t, page, "fukkyu_last_success_timestamp_seconds")
}

func TestRuns_AfterASuccess_TheNextEndIsTheLastRunAndTheSuccessIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		status enums.WorkflowExecutionStatus
		last   *historypb.HistoryEvent
		want   string
	}{
		"refused changes nothing":  {enums.WORKFLOW_EXECUTION_STATUS_FAILED, failed(moment.Add(time.Hour), "Refused"), "recovered"},
		"failed of something else": {enums.WORKFLOW_EXECUTION_STATUS_FAILED, failed(moment.Add(time.Hour), "Panic"), "failed"},
		"terminated":               {enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, terminated(moment.Add(time.Hour)), "terminated"},
		"a report of another age":  {enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, moment.Add(time.Hour), []int{1}), "unreadable"},
		"an earlier run":           {enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, terminated(moment.Add(-time.Hour)), "recovered"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveTemporal(t)
			server.add(t, failover, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, live(), completed(t, moment, recovery()))
			server.add(t, failover, test.status, live(), test.last)

			page := watch(t, server).refreshed()

			require.Contains(t, line(t, page, "fukkyu_last_run_info"), `outcome="`+test.want+`"`)
			require.Contains(t, page, "fukkyu_last_success_timestamp_seconds"+ofFailover)
		})
	}
}

// line is the only line of a metric on a page.
func line(t *testing.T, page, metric string) string {
	t.Helper()
	var found []string
	for text := range strings.Lines(page) {
		if strings.HasPrefix(text, metric+"{") || strings.HasPrefix(text, metric+" ") {
			found = append(found, text)
		}
	}
	require.Len(t, found, 1, metric)
	return found[0]
}
