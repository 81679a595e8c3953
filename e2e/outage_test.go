//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// firstRevisions makes the services anew, each with a single revision, now and when the test has ended.
func firstRevisions(t *testing.T) {
	t.Helper()
	again := func() {
		ctx := context.WithoutCancel(t.Context()) // which has ended when the test has
		_, err := lab.Kubectl(ctx, "delete", "deployments", "--all", "--wait=true")
		require.NoError(t, err)
		_, err = lab.Lab(ctx, append([]string{"up"}, labFlags...)...)
		require.NoError(t, err)
	}
	again()
	t.Cleanup(again)
}

// recoverEverything runs a full outage to its end.
func recoverEverything(t *testing.T) (report.Report, estate.Result) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), "run", workflows.Outage.Name, "--by", "yuki", "--reason", "asked for by a test", "--output", "json")
	require.NoError(t, err)
	var got report.Report
	if result.Exit != 3 { // a refused run leaves no report
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result
}

// spoil makes a service anew whose program, an argument, is none, so that it never was well: there is nothing to go back to.
func spoil(t *testing.T, service, program string) {
	t.Helper()
	var deployment map[string]any
	require.NoError(t, json.Unmarshal([]byte(kubectl(t, "get", "deployment", service, "-o", "json")), &deployment))
	kubectl(t, "delete", "deployment", service, "--wait=true")
	deployment["metadata"] = map[string]any{"name": service, "namespace": "shodo"}
	delete(deployment, "status")
	path := filepath.Join(t.TempDir(), "deployment.json")
	text, err := json.Marshal(deployment)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(text, []byte(`["`+program+`"]`), []byte(`["no-such-service"]`)), 0o600))
	kubectl(t, "create", "-f", path)
}

// disaster takes everything away at once: the machine under the primary, the pod of Redis, which does not come up again, and two services by
// rollouts that fail.
func disaster(t *testing.T) {
	t.Helper()
	awaitFollower(t, "redis-master-0")
	do(t, "break", "image", "shodo-backend")
	do(t, "break", "crash", "shodo-frontend")
	awaitPodThat(t, "shodo-frontend", "CrashLoopBackOff")
	do(t, "break", "append-only", "redis-master-0")
	do(t, "break", "power-off", "primary")
}

func TestFullOutage_EverythingAtOnce_IsRecoveredUnattended(t *testing.T) {
	fresh(t)
	firstRevisions(t)
	staff(t, lab, estate.Crew{})
	do(t, "referee", "start")
	disaster(t)
	got, result := recoverEverything(t)
	require.Equal(t, report.Recovered, got.Outcome, result.Stderr)
	verdict := judged(t)
	require.False(t, verdict.Overlap)
	for _, cause := range []string{"postgres-primary-0", "redis-master-0", "lab.local/shodo:missing", "crash loop"} {
		require.Contains(t, got.Summary, cause)
	}
	require.Contains(t, got.Next[0], "fukkyu run node-recovery")
	requireServicesWhole(t)
	t.Logf("%s after the command; customers without service %.2f s, %d acknowledged writes gone; %s",
		got.Clocks.Recovered.Sub(got.Clocks.Declared).Round(10*time.Millisecond), verdict.LongestGap.Seconds, verdict.LostCount, got.Summary)
}

func requireServicesWhole(t *testing.T) {
	t.Helper()
	for _, service := range []string{"shodo-backend", "shodo-frontend", "shodo-ai-server"} {
		require.Equal(t, "2", kubectl(t, "get", "deployment", service, "-o", "jsonpath={.status.availableReplicas}"), service)
	}
}

func TestFullOutage_OneServiceThatCannotBeHealed_IsNamedAndStopsNothing(t *testing.T) {
	fresh(t)
	firstRevisions(t)
	staff(t, lab, estate.Crew{})
	spoil(t, "shodo-ai-server", "ai-server")
	disaster(t)
	got, result := recoverEverything(t)
	require.Equal(t, 4, result.Exit, result.Stderr)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.True(t, strings.HasPrefix(got.Summary, "shodo-ai-server not recovered: "), got.Summary)
	require.Equal(t, "2", kubectl(t, "get", "deployment", "shodo-backend", "-o", "jsonpath={.status.availableReplicas}"))
	require.Equal(t, "2", kubectl(t, "get", "deployment", "shodo-frontend", "-o", "jsonpath={.status.availableReplicas}"))
}

func TestFullOutage_EverythingIsWell_IsRefused(t *testing.T) {
	fresh(t)
	touchesNothing(t)
	staff(t, lab, estate.Crew{})
	awaitHealth(t)
	_, result := recoverEverything(t)
	require.Equal(t, 3, result.Exit, result.Stderr)
	require.Contains(t, result.Stderr, "nothing that the plan names is down")
}
