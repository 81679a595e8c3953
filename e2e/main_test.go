//go:build e2e

// Package e2e_test runs the real programs on the lab: what a person types, on real Kubernetes, PostgreSQL and Temporal, with
// real faults, and holds every run to the referee's verdict.
package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

// This lab stands beside one that a person may have up: other addresses, other ports.
const (
	network      = "10.97.0.0/16"
	temporalPort = "17233"
	uiPort       = "18233"
)

var labFlags = []string{"--network", network, "--temporal-port", temporalPort, "--temporal-ui-port", uiPort}

// lab is the estate that all tests share; each puts it back before it begins.
var lab estate.Estate

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	ctx := context.Background()
	err := os.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:"+temporalPort)
	if err == nil {
		lab, err = estate.Up(ctx, labFlags...)
	}
	if err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// pristine says that the estate is in its first state, so that the next test need not put it there.
var pristine bool

// touchesNothing is for a test that leaves the estate as it found it.
func touchesNothing(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { pristine = !t.Failed() })
}

// fresh puts the estate into its first state. A run that a test before has left behind is ended, so that one failure is not many.
func fresh(t *testing.T) {
	t.Helper()
	if pristine {
		pristine = false
		return
	}
	do(t, "mend", "all")
	do(t, "mend", "temporal")
	for _, scenario := range workflows.Scenarios() {
		err := connect(t).TerminateWorkflow(t.Context(), scenario.ID("", "shodo", runbook.Live), "", "left behind by a test")
		var gone *serviceerror.NotFound
		if !errors.As(err, &gone) {
			require.NoError(t, err)
		}
	}
	_, _ = lab.Lab(t.Context(), "referee", "stop") // left at work by a test that failed; otherwise there is none
	do(t, "reset")
}

// do runs a command of the lab.
func do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := lab.Lab(t.Context(), args...)
	require.NoError(t, err)
	return out
}

// automatic is the estate with a plan that asks nobody, and other changes of it.
func automatic(t *testing.T, changes ...estate.Changes) estate.Estate {
	t.Helper()
	e, err := lab.WithPlan(append(changes, estate.Automatic)...)
	require.NoError(t, err)
	return e
}

// staff starts a worker for the length of the test.
func staff(t *testing.T, e estate.Estate, crew estate.Crew) *estate.Worker {
	t.Helper()
	worker, err := e.StartWorker(t.Context(), crew)
	require.NoError(t, err)
	t.Cleanup(worker.Kill)
	return worker
}

// failOver runs a failover to its end.
func failOver(t *testing.T, flags ...string) report.Report {
	t.Helper()
	got, result, err := lab.Recover(t.Context(), workflows.Failover, flags...)
	require.NoError(t, err)
	require.NotEmpty(t, got.Outcome, result.Stderr)
	return got
}

// refused runs a failover that must be refused, and returns what it said.
func refused(t *testing.T, flags ...string) string {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", "database-failover", "--database", "shodo", "--by", "yuki"}, flags...)...)
	require.NoError(t, err)
	require.Equal(t, 3, result.Exit, result.Stderr)
	return result.Stderr
}

// kubectl asks the real API server as its administrator.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	said, err := lab.Kubectl(t.Context(), args...)
	require.NoError(t, err)
	return said
}

// found is what of the estate a recovery that was undone must leave as it was.
type found struct{ role, primary, replica, service string }

func look(t *testing.T) found {
	t.Helper()
	return found{
		role:    kubectl(t, "get", "configmap", "postgres-role", "-o", "jsonpath={.data.primary}"),
		primary: kubectl(t, "get", "statefulset", "postgres-primary", "-o", "jsonpath={.spec.replicas}"),
		replica: kubectl(t, "get", "statefulset", "postgres-replica", "-o", "jsonpath={.spec.replicas}"),
		service: kubectl(t, "get", "service", "postgres", "-o", "jsonpath={.spec.selector}"),
	}
}

// awaitQuestion returns the question of the running recovery.
func awaitQuestion(t *testing.T) report.Question {
	t.Helper()
	var question report.Question
	require.NoError(t, estate.Await(t.Context(), "a question", 30*time.Second, func() (bool, string) {
		now, readable := statusNow(t)
		if !readable || now.Question == nil {
			return false, now.Phase
		}
		question = *now.Question
		return true, ""
	}))
	return question
}

// statusNow is how the only running recovery stands; false while there is none, or no worker answers.
func statusNow(t *testing.T) (report.Report, bool) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), "status", "--output", "json")
	require.NoError(t, err)
	var now report.Report
	readable := json.Unmarshal([]byte(result.Stdout), &now) == nil
	return now, readable
}

// detached starts a failover without waiting for it.
func detached(t *testing.T, flags ...string) {
	t.Helper()
	detachedRun(t, workflows.Failover, flags...)
}

func detachedRun(t *testing.T, scenario workflows.Scenario, flags ...string) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", scenario.Name, "--database", "shodo", "--by", "yuki", "--detach"}, flags...)...)
	require.NoError(t, err)
	require.Equal(t, 6, result.Exit, result.Stderr)
}

// awaitEnd returns the report of the last failover when it has ended, awaitEndOf that of another scenario.
func awaitEnd(t *testing.T) report.Report {
	t.Helper()
	return awaitEndOf(t, workflows.Failover)
}

func awaitEndOf(t *testing.T, scenario workflows.Scenario) report.Report {
	t.Helper()
	return awaitEndAt(t, scenario.ID("", "shodo", runbook.Live))
}

// awaitEndAt returns the report of the last run with a workflow ID.
func awaitEndAt(t *testing.T, id string) report.Report {
	t.Helper()
	var got report.Report
	require.NoError(t, estate.Await(t.Context(), "the end of the recovery", 6*time.Minute, func() (bool, string) {
		result, err := lab.Fukkyu(t.Context(), "report", id, "--output", "json")
		require.NoError(t, err)
		got = report.Report{}
		if result.Exit == 3 { // a refused run leaves an error and no report
			got = report.Report{Outcome: report.Refused, Summary: result.Stderr}
			return true, ""
		}
		if json.Unmarshal([]byte(result.Stdout), &got) != nil {
			return false, result.Stderr
		}
		if got.Question != nil {
			return false, got.Question.Text
		}
		return got.Outcome != "" && got.Phase == runbook.PhaseFinished, got.Phase
	}))
	return got
}

var failoverID = workflows.Failover.ID("", "shodo", runbook.Live)
