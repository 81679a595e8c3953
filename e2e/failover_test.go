//go:build e2e

package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

func TestFailover_MachineOff_RecoversAndTheRefereeAgrees(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	do(t, "referee", "start")
	do(t, "break", "power-off", "primary")
	got := failOver(t)
	do(t, "referee", "stop")
	verdict, err := lab.Verdict(t.Context())
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "power off")
	require.False(t, verdict.Overlap, "two servers acknowledged writes at the same time")
	// The canary wrote through the same application a moment after or before the customer did.
	require.InDelta(t, verdict.LongestGap.End.UnixMilli(), got.Clocks.Recovered.UnixMilli(), 2000)
	// An upper bound of the loss that is 0 must be true; a row may only be lost where the report allows for it.
	require.NotNil(t, got.RPO.Measured)
	if *got.RPO.Measured == 0 {
		require.Zero(t, verdict.LostCount)
	}
}

func TestFailover_PrimaryAnswers_IsRefusedAndNothingIsTouched(t *testing.T) {
	fresh(t)
	touchesNothing(t)
	staff(t, automatic(t), estate.Crew{})
	before := look(t)
	require.Contains(t, refused(t), workflows.GuardPrimaryAnswers)
	require.Equal(t, before, look(t))
}

// The machine is cut off but runs on: nothing can prove that the primary is stopped.
func TestFailover_MachineCutOff_NeedsTheOverrideAndEndsUnproven(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	before := look(t)
	do(t, "break", "cut", "primary")
	got := failOver(t)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, got.Summary, workflows.GuardUnprovenFence)
	require.Equal(t, before, look(t))
	require.Equal(t, report.RecoveredUnproven, failOver(t, "--override", workflows.GuardUnprovenFence, "--override", workflows.GuardCoolingOff).Outcome)
}

// The container dies and its machine lives: the kubelet is the witness.
func TestFailover_OnlyTheServerStops_TheKubeletProvesIt(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	got := failOver(t, "--override", workflows.GuardPrimaryAnswers)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "container gone")
}

func TestFailover_SecondRunAtTheSameTime_IsRefusedAndNamesTheHolder(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	do(t, "break", "power-off", "primary")
	detached(t)
	awaitQuestion(t)
	require.Contains(t, refused(t), "fukkyu watch "+failoverID)
	require.Contains(t, refused(t, "--workflow-id", "another"), "a recovery of database shodo is running: "+failoverID)
	abort(t)
	require.Equal(t, report.RolledBack, awaitEnd(t).Outcome)
}

func TestFailover_WithinTheCoolingOff_IsRefusedAndNamesTheLast(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	do(t, "break", "power-off", "primary")
	require.Equal(t, report.Recovered, failOver(t, "--approve-as", "aiko").Outcome)
	require.Contains(t, refused(t), workflows.GuardCoolingOff)
}

func abort(t *testing.T) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), "abort", failoverID, "--by", "yuki", "--comment", "a test")
	require.NoError(t, err)
	require.Zero(t, result.Exit, result.Stderr)
}

func TestFailover_AbortedBeforeThePromotion_LeavesTheEstateAsFound(t *testing.T) {
	fresh(t)
	before := look(t)
	staff(t, lab, estate.Crew{})
	do(t, "break", "cut", "primary")
	detached(t)
	question := awaitQuestion(t)
	answer(t, "approve", question, "aiko")
	require.NoError(t, estate.Await(t.Context(), "the fence", 20*time.Second, func() (bool, string) {
		return look(t).primary == "0", "the StatefulSet is as before"
	}))
	abort(t)
	require.Equal(t, report.RolledBack, awaitEnd(t).Outcome)
	require.Equal(t, before, look(t))
}

// answer answers the question of the only recovery that runs.
func answer(t *testing.T, verb string, question report.Question, by string) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), verb, "--question", itoa(question.Number), "--by", by)
	require.NoError(t, err)
	require.Zero(t, result.Exit, result.Stderr)
}

// The old primary's machine comes back after the fence: its start gate must hold it, and the promotion goes on.
func TestFailover_ThePrimaryComesBackBetweenFenceAndPromotion_TheStartGateHolds(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	do(t, "referee", "start")
	do(t, "break", "power-off", "primary")
	detached(t)
	question := awaitQuestion(t)
	answer(t, "approve", question, "aiko")
	require.NoError(t, estate.Await(t.Context(), "the fence", 20*time.Second, func() (bool, string) { return look(t).role != "postgres-primary-0", "" }))
	do(t, "mend", "all")
	require.Equal(t, report.Recovered, awaitEnd(t).Outcome)
	do(t, "referee", "stop")
	verdict, err := lab.Verdict(t.Context())
	require.NoError(t, err)
	require.False(t, verdict.Overlap)
	require.NotContains(t, kubectl(t, "get", "pods", "--no-headers"), "postgres-primary-0   1/1")
}

func TestFailover_TemporalKilledAndStartedAgain_EndsAsIfNothingHadHappened(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	do(t, "break", "power-off", "primary")
	detached(t)
	do(t, "break", "temporal")
	do(t, "mend", "temporal")
	require.Equal(t, report.Recovered, awaitEnd(t).Outcome)
}

func TestFailover_CtrlCInTheCommand_OnlyStopsWatching(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	do(t, "break", "power-off", "primary")
	run := lab.Command(t.Context(), "fukkyu", "run", "database-failover", "--database", "shodo", "--by", "yuki")
	var talk strings.Builder
	run.Stderr = &talk
	require.NoError(t, run.Start())
	question := awaitQuestion(t)
	require.NoError(t, run.Process.Signal(os.Interrupt))
	require.Error(t, run.Wait())
	require.Equal(t, 6, run.ProcessState.ExitCode(), talk.String())
	require.Contains(t, talk.String(), "the run goes on")
	answer(t, "approve", question, "aiko")
	require.Equal(t, report.Recovered, awaitEnd(t).Outcome)
}
