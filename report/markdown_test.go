package report_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files anew")

var three = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return three.Add(time.Duration(seconds) * time.Second) }

// sample is a report with something in every part, and with texts that must not break a table.
func sample() report.Report {
	rto := 1615 * time.Millisecond
	return report.Report{
		Scenario: "DatabaseFailover", Target: "database shodo", Mode: "live", WorkflowID: "database-failover/shodo", RunID: "run-1",
		Plan: "shodo", PlanVersion: "1.0.0", PlanHash: "sha256:00", Build: "abc", RequestedBy: "yuki", Reason: "node-a1 | is dead\nsince three",
		Phase: "finished", Outcome: report.RecoveredUnproven, Summary: "postgres-replica-0 replaced postgres-primary-0",
		Clocks: report.Clocks{Declared: at(0), Decided: at(1), Executing: at(1), Recovered: at(2), Finished: at(5), Deadline: at(1800)},
		RTO:    report.Measure{Target: 30 * time.Minute, Measured: &rto, How: "from the declaration"},
		RPO:    report.Measure{Target: 5 * time.Minute, How: "not measured: nobody can say"},
		Steps: []report.Step{
			{Name: "Fence the old primary", State: report.Done, Budget: 5 * time.Second, Started: at(1), Finished: at(2), Attempts: 1, Changes: []string{"ConfigMap postgres-role: names nobody"}, Result: "closed"},
			{Name: "Promote the replica", State: report.Skipped, Budget: 30 * time.Second, PointOfNoReturn: true, Result: "skipped"},
		},
		Facts: []report.Fact{{Name: "timeline", Value: "2, was 1"}},
		Checks: []report.Check{
			{Target: "database shodo", Name: "in recovery", Measured: "no", Expected: "no", Verdict: report.CheckPassed},
			{Target: "database shodo", Name: "rows | of\norders", Measured: "<b>3</b>", Expected: "4 | 5", Verdict: report.CheckFailed},
			{Target: "redis redis", Name: "find its pods", Measured: "there are none", Verdict: report.CheckNotRun},
		},
		Decisions: []report.Decision{{At: at(1), Verb: "approve", Question: 1, By: "愛子", Identity: "claimed", Comment: "<script>|</script>"}},
		Overrides: []report.Override{{At: at(1), Guard: "unproven-fence", By: "yuki", Reason: "it burns", Step: "Prove", Said: "nothing proves it"}},
		Rejected:  []report.Rejected{{At: at(1), Verb: "approve", By: "", Why: "by is missing"}},
		Timeline:  []report.Entry{{At: at(0), Kind: "run", Text: "asked for"}},
		Forecast:  &report.Forecast{Recovered: at(3), Finished: at(6), Runs: 1},
		Notifications: []report.Notification{
			{At: at(1), Channel: "chat", Kind: "slack", To: "hooks.example.com", Event: "trigger", Level: "L1", Text: "it | asks", State: report.Sent, Done: at(1)},
			{At: at(1), Channel: "mail", Event: "trigger", Level: "L1", Text: "it asks", State: report.Undelivered, Why: "no such channel", Done: at(1)},
		},
		Holds: []string{"applications write"}, Missing: []string{"redundancy"}, Next: []string{"fukkyu run …"},
	}
}

func TestMarkdown_EveryPartOfAReport_ReadsAsItDid(t *testing.T) {
	got := sample().Markdown()
	if *update {
		require.NoError(t, os.WriteFile("testdata/report.md", []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/report.md")
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestMarkdown_WhatWasNotMeasured_IsNeverZero(t *testing.T) {
	require.Contains(t, sample().Markdown(), "| RPO | 5m0s | not measured | not measured: nobody can say |")
}

func TestStatus_OpenQuestion_ShowsTheExactMessageAndCommand(t *testing.T) {
	now := sample()
	now.Outcome = ""
	now.Question = &report.Question{Number: 3, Text: "Replace it?", Answers: []string{"approve", "reject"}, From: []string{"aiko"}, Needed: 1, Facts: []report.Fact{{Name: "loss", Value: "0 bytes"}}}
	got := now.Status()
	require.Contains(t, got, `{"question":3,"by":"aiko","comment":""}`)
	require.Contains(t, got, "fukkyu approve database-failover/shodo --question 3 --by aiko")
	require.Contains(t, got, "loss: 0 bytes")
}

func TestExampleCommand_NamesThatAShellWouldTakeApart_AreQuoted(t *testing.T) {
	for name, quoted := range map[string]string{"aiko": "aiko", "愛子": "愛子", "鈴木 愛子": "'鈴木 愛子'", "o'hara; reboot": `'o'\''hara; reboot'`, "$(reboot)": "'$(reboot)'"} {
		asked := report.Question{Number: 1, From: []string{name}}
		require.Equal(t, "fukkyu retry database-failover/shodo --question 1 --by "+quoted, asked.ExampleCommand("retry", "database-failover/shodo"))
	}
	require.Contains(t, report.Question{}.ExampleCommand("skip", "x"), "--comment", "which skip is not taken without")
}
