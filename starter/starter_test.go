package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// try runs the command line as a person does, and returns the exit code and what it said.
func try(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	root := newRoot()
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		said = err.Error()
	}
	return codeOf(err), stdout.String(), said + stderr.String()
}

func TestCommands_WrongUsage_IsToldWithAnExampleAndExitCode2(t *testing.T) {
	cases := map[string]struct {
		args []string
		says string
	}{
		"an unknown flag":            {[]string{"run", "database-failover", "--force"}, "unknown flag: --force"},
		"an unknown command":         {[]string{"recover"}, "fukkyu recover is unknown"},
		"an unknown scenario":        {[]string{"run", "everything"}, "run everything is unknown"},
		"no database":                {[]string{"run", "database-failover", "--by", "yuki"}, "--database shodo"},
		"nobody":                     {[]string{"run", "database-failover", "--database", "shodo"}, "--by yuki"},
		"an override without why":    {[]string{"run", "database-failover", "--database", "shodo", "--by", "yuki", "--override", "data-loss"}, "--reason"},
		"no moment":                  {[]string{"run", "database-failover", "--database", "shodo", "--by", "yuki", "--impact-started", "noon"}, "neither a time"},
		"a decision by nobody":       {[]string{"approve", "--question", "1"}, "--by is missing"},
		"an unknown form of output":  {[]string{"list", "--output", "xml"}, "text or json"},
		"an unknown language":        {[]string{"report", "--output", "html", "--language", "fr"}, "en or ja"},
		"a language of JSON":         {[]string{"report", "--output", "json", "--language", "ja"}, "--output html"},
		"a page where there is none": {[]string{"list", "--output", "html"}, "text or json"},
		"no form of a report":        {[]string{"report", "--output", "pdf"}, "text, json or html"},
		"two workflows":              {[]string{"status", "a", "b"}, "one workflow at most"},
		"no file":                    {[]string{"plan", "check"}, "one file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code, _, said := try(t, c.args...)
			require.Equal(t, exitUsage, code)
			require.Contains(t, said, c.says)
		})
	}
}

func TestPlanCheck_AnInvalidPlan_IsExitCode2AndAValidOneIsNot(t *testing.T) {
	code, _, said := try(t, "plan", "check", "../plan/testdata/wrong.yaml")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "wrong.yaml:2:1: versoin: unknown field")
	code, out, _ := try(t, "plan", "check", "../plans/shodo.yaml")
	require.Zero(t, code)
	require.Contains(t, out, "plan shodo 1.0.0 is valid")
}

func TestCommands_TemporalAway_IsExitCode7AndNamesTheAddress(t *testing.T) {
	code, _, said := try(t, "list", "--address", "127.0.0.1:1")
	require.Equal(t, exitUnreachable, code)
	require.Contains(t, said, "127.0.0.1:1")
	require.Contains(t, said, "TEMPORAL_ADDRESS")
}

func TestCommands_EveryOne_HasAnExample(t *testing.T) {
	for _, command := range newRoot().Commands() {
		if command.Name() != "help" && command.Name() != "completion" {
			require.NotEmpty(t, command.Example, command.Name())
		}
	}
}

func TestOutcomeExit_SaysToScriptsWhatTheReportSaysToPeople(t *testing.T) {
	for outcome, code := range map[report.Outcome]int{
		report.Recovered: exitDone, report.Rehearsed: exitDone, report.RecoveredLate: exitLate, report.RecoveredUnproven: exitLate,
		report.RolledBack: exitRefused, report.Incomplete: exitIncomplete,
	} {
		require.Equal(t, code, codeOf(outcomeExit(report.Report{Outcome: outcome})), outcome)
	}
}

func TestCodeOf_ErrorsHoweverWrapped(t *testing.T) {
	require.Equal(t, exitUnreachable, codeOf(fmt.Errorf("list: %w", &temporalclient.Unreachable{Cause: context.DeadlineExceeded})))
	require.Equal(t, exitUsage, codeOf(fmt.Errorf("read: %w", plan.Errors{{Message: "wrong"}})))
	require.Equal(t, exitRefused, codeOf(endedBy(runbook.Refuse("no"))))
	require.Equal(t, exitIncomplete, codeOf(endedBy(fmt.Errorf("run: %w", &temporal.TerminatedError{}))))
	require.Equal(t, exitFailed, codeOf(errors.New("anything")))
}

func TestAway_OnlyTemporalsSilenceIsAskedAgain(t *testing.T) {
	require.True(t, away(context.DeadlineExceeded))
	require.True(t, away(fmt.Errorf("poll: %w", serviceerror.NewUnavailable("connection refused"))))
	require.False(t, away(serviceerror.NewNotFound("no such run")))
	require.False(t, away(runbook.Refuse("no")))
	require.False(t, away(&temporal.WorkflowExecutionError{}))
	require.False(t, away(nil))
}

func TestParseMoment_ATimeOrHowLongAgo(t *testing.T) {
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	ago, err := parseMoment("--detected", "5m", now)
	require.NoError(t, err)
	require.Equal(t, now.Add(-5*time.Minute), ago)
	moment, err := parseMoment("--detected", "2026-11-23T11:30:00+09:00", now)
	require.NoError(t, err)
	require.True(t, moment.Equal(now.Add(-30*time.Minute)))
}
