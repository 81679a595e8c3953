//go:build e2e

package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

const sickService = "shodo-frontend"

// rollOut changes the container of the service, and waits until a pod of the new revision shows what is wrong with it.
func rollOut(t *testing.T, field, value, shows string) {
	t.Helper()
	kubectl(t, "patch", "deployment", sickService, "--type=json", "-p", `[{"op": "replace", "path": "/spec/template/spec/containers/0/`+field+`", "value": `+value+`}]`)
	awaitPodThat(t, sickService, shows)
}

// awaitPodThat waits until a pod of a service shows what is wrong with it.
func awaitPodThat(t *testing.T, service, shows string) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), "a pod that shows "+shows, time.Minute, func() (bool, string) {
		seen, err := lab.Kubectl(t.Context(), "get", "pods", "-l", "app="+service, "-o", `jsonpath={range .items[*]}{.status.containerStatuses[0].state.waiting.reason} ready={.status.containerStatuses[0].ready} {end}`)
		return err == nil && strings.Contains(seen, shows), seen
	}))
}

// recoverService runs a recovery of the service to its end, without anybody to ask.
func recoverService(t *testing.T, flags ...string) (report.Report, estate.Result) {
	t.Helper()
	args := append([]string{"run", workflows.Recovering.Name, "--service", sickService, "--by", "yuki", "--reason", "a test", "--unattended", "--output", "json"}, flags...)
	result, err := lab.Fukkyu(t.Context(), args...)
	require.NoError(t, err)
	var got report.Report
	if result.Exit != 3 { // a refused run leaves no report
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result
}

func templateOf(t *testing.T) string {
	t.Helper()
	return kubectl(t, "get", "deployment", sickService, "-o", "jsonpath={.spec.template}")
}

func TestServiceRecovery_ARevisionThatCannotStart_IsRolledBackWithoutARestart(t *testing.T) {
	fresh(t)
	for name, bad := range map[string]struct{ field, value, shows string }{
		"an image that is missing": {"image", `"lab.local/none:1"`, "ErrImagePull"},
		"a crash loop":             {"args", `["nonsense"]`, "CrashLoopBackOff"},
		"never ready":              {"readinessProbe/httpGet/path", `"/nowhere"`, "ready=false"},
	} {
		t.Run(name, func(t *testing.T) { // each leaves the service as it found it
			staff(t, automatic(t), estate.Crew{})
			before := templateOf(t)
			rollOut(t, bad.field, bad.value, bad.shows)
			got, _ := recoverService(t)
			require.Equal(t, report.Recovered, got.Outcome, got.Summary)
			require.Contains(t, got.Summary, "a rollback to revision")
			require.Equal(t, report.Skipped, got.Steps[2].State, got.Steps[2].Result)
			require.Equal(t, before, templateOf(t))
			t.Logf("%s: well after %.1f s", name, got.RTO.Measured.Seconds())
		})
	}
}

// A restart makes a new revision with the same fault: the rollback goes past it.
func TestServiceRecovery_TheBadRevisionWasRestartedByHand_GoesBackPastBoth(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	before := templateOf(t)
	rollOut(t, "args", `["nonsense"]`, "CrashLoopBackOff")
	kubectl(t, "rollout", "restart", "deployment/"+sickService)
	got, _ := recoverService(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, before, templateOf(t))
}

func TestServiceRecovery_NoEarlierRevision_EndsIncompleteAndPutsEverythingBack(t *testing.T) {
	firstRevisions(t)
	staff(t, automatic(t), estate.Crew{})
	spoil(t, sickService, "frontend")
	before := templateOf(t)
	got, result := recoverService(t)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, 4, result.Exit)
	require.Contains(t, got.Steps[3].Result, "keeps no earlier revision")
	require.Contains(t, got.Missing[0], "CrashLoopBackOff")
	require.Equal(t, before, templateOf(t))
}

func TestServiceRecovery_WhatMustNotBeTouched_IsRefusedAndNothingIsChanged(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	before := templateOf(t)
	_, healthy := recoverService(t)
	require.Equal(t, 3, healthy.Exit)
	require.Contains(t, healthy.Stderr, "is well: 2 of 2 pods available")
	kubectl(t, "rollout", "pause", "deployment/"+sickService)
	_, paused := recoverService(t)
	require.Equal(t, 3, paused.Exit)
	require.Contains(t, paused.Stderr, "rollout resume deployment/"+sickService)
	require.Equal(t, before, templateOf(t))
}
