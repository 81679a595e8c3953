package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

const referencePlan = "../plans/shodo.yaml"

func TestPlanShow_InEveryLanguage_IsTheWholePlan(t *testing.T) {
	pinned, err := plan.Load(referencePlan)
	require.NoError(t, err)
	for _, language := range []string{"en", "ja"} {
		t.Run(language, func(t *testing.T) {
			code, got, said := try(t, "plan", "show", referencePlan, "--language", language)
			require.Zero(t, code, said)
			got = strings.Replace(got, pinned.Hash, "sha256:0", 1) // so that a comment in the plan is no reason to write this anew
			path := filepath.Join("testdata", "plan-"+language+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestPlanShow_WideLetters_LeaveColumnsUnderEachOther(t *testing.T) {
	_, got, _ := try(t, "plan", "show", referencePlan, "--language", "ja")
	lines := strings.Split(got, "\n")
	from := slices.Index(lines, "必須ツール")
	require.Positive(t, from)
	var columns []int
	for _, line := range lines[from+2:] {
		before, _, found := strings.Cut(line, "https://")
		if !found {
			break
		}
		columns = append(columns, ansi.StringWidth(before))
	}
	require.Len(t, columns, 6)
	require.Len(t, slices.Compact(columns), 1, "%v", columns)
}

func TestPlanShow_APlanOfTheEngineAlone_HasNoEmptySections(t *testing.T) {
	got := showPlan(plan.Pinned{Plan: plan.Plan{Name: "small", Version: "1", Objectives: plan.Objectives{RTO: time.Hour, RPO: time.Second}}, Hash: "sha256:0"}, "en")
	require.Contains(t, got, "RTO        1h")
	for _, title := range []string{"Scenarios", "Drills", "Emergency contacts", "Tools", "Sign-off", "owner"} {
		require.NotContains(t, got, title)
	}
}

func TestPlanShow_TextThatSteersTheTerminal_IsShownAsText(t *testing.T) {
	got := showPlan(plan.Pinned{Plan: plan.Plan{Edition: plan.Edition{Title: plan.Said("one\x1b[2J\ntwo")}}}, "en")
	require.True(t, strings.HasPrefix(got, "one two\n"), "%q", got)
}

func TestPlanShow_WithoutAFile_IsTheOnlyPlanOfTheFolder(t *testing.T) {
	t.Chdir("..")
	code, got, said := try(t, "plan", "show")
	require.Zero(t, code, said)
	require.Contains(t, got, "shodo 1.0.0")
	t.Chdir(t.TempDir())
	code, _, said = try(t, "plan", "show")
	require.Equal(t, exitUsage, code)
	require.Contains(t, said, "0 plans are in the folder plans; name the file")
}

func TestPlanShow_WrongUsage_IsToldWithAnExampleAndExitCode2(t *testing.T) {
	for says, args := range map[string][]string{
		"takes one file":         {"one.yaml", "two.yaml"},
		`--language "fr" is`:     {referencePlan, "--language", "fr"},
		"--language is for text": {referencePlan, "--language", "ja", "--output", "json"},
	} {
		code, _, said := try(t, append([]string{"plan", "show"}, args...)...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, said, says)
	}
}

func TestPlanShow_JSON_IsThePlanInEveryLanguage(t *testing.T) {
	code, got, _ := try(t, "plan", "show", referencePlan, "--output", "json")
	require.Zero(t, code)
	require.Contains(t, got, `"immediate"`)
	require.Contains(t, got, "セキュリティ侵害")
}

func TestPlanCheck_AValidPlan_WarnsOnStandardErrorAndEndsWell(t *testing.T) {
	for _, verb := range []string{"check", "validate"} {
		code, out, said := try(t, "plan", verb, referencePlan)
		require.Zero(t, code)
		require.Contains(t, out, "plan shodo 1.0.0 is valid")
		require.NotContains(t, out, "warning")
		require.Contains(t, said, "edition.signOff[0]: warning: cto has not signed")
		require.Contains(t, said, "edition.review.next: warning: the review of 2024-04 is overdue")
	}
}

// The plan knows no scenario of the engine: that the runbooks it names exist is seen here, where both are known.
func TestReferencePlan_TheRunbooksOfItsScenarios_AreThoseThatCanBeRun(t *testing.T) {
	pinned, err := plan.Load(referencePlan)
	require.NoError(t, err)
	for _, scenario := range pinned.Plan.Scenarios {
		if scenario.Runbook != "" {
			command, _, err := newRoot().Find([]string{"run", scenario.Runbook})
			require.NoError(t, err)
			require.Equal(t, scenario.Runbook, command.Name())
		}
	}
}

func TestPlanTime_IsWrittenAsPeopleWriteIt(t *testing.T) {
	for length, want := range map[time.Duration][2]string{
		0:                             {"0m", "0分"},
		time.Second:                   {"1s", "1秒"},
		30 * time.Minute:              {"30m", "30分"},
		90 * time.Minute:              {"1h30m", "1時間30分"},
		72 * time.Hour:                {"72h", "72時間"},
		7 * 24 * time.Hour:            {"7d", "7日"},
		170 * time.Hour:               {"170h", "170時間"},
		1500 * time.Millisecond:       {"1.5s", "1.5s"},
		30*24*time.Hour + time.Minute: {"720h1m", "720時間1分"},
	} {
		require.Equal(t, want, [2]string{planTime(length, "en"), planTime(length, "ja")})
	}
	require.Equal(t, "1d", planTimeInDays(24*time.Hour, "en"))
	require.Equal(t, "8時間", planTimeInDays(8*time.Hour, "ja"))
}
