//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// freshServices puts the services into their first state, each with a single revision.
func freshServices(t *testing.T) {
	t.Helper()
	kubectl(t, "delete", "deployments", "--all", "--wait=true")
	do(t, upArgs...)
}

// What a rollout may be that does not succeed.
const (
	missingImage = `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"lab.local/none:1"}]`
	crashing     = `[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":["no-such-service"]}]`
	neverReady   = `[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/path","value":"/no-such-path"}]`
)

func rollOut(t *testing.T, service, change string) {
	t.Helper()
	kubectl(t, "patch", "deployment", service, "--type", "json", "-p", change)
}

// recoverAs runs a scenario that is not of a database to its end.
func recoverAs(t *testing.T, scenario workflows.Scenario, flags ...string) (report.Report, estate.Result) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", scenario.Name, "--by", "yuki", "--reason", "asked for by a test", "--output", "json"}, flags...)...)
	require.NoError(t, err)
	var got report.Report
	if result.Exit != 3 { // a refused run leaves an error and no report
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result
}

func stepNamed(t *testing.T, got report.Report, name string) report.Step {
	t.Helper()
	for _, step := range got.Steps {
		if step.Name == name {
			return step
		}
	}
	t.Fatalf("no step %q", name)
	return report.Step{}
}

func TestServiceRecovery_ARolloutThatCannotSucceed_IsRolledBackWithoutARestart(t *testing.T) {
	staff(t, lab, estate.Crew{})
	for name, change := range map[string]string{"missing image": missingImage, "crash loop": crashing, "never ready": neverReady} {
		t.Run(name, func(t *testing.T) {
			freshServices(t)
			before := kubectl(t, "get", "deployment", "shodo-frontend", "-o", "jsonpath={.spec.template.spec.containers[0]}")
			rollOut(t, "shodo-frontend", change)
			got, result := recoverAs(t, workflows.ServiceRecovering, "--service", "shodo-frontend")
			require.Equal(t, report.Recovered, got.Outcome, result.Stderr)
			require.Equal(t, report.Skipped, stepNamed(t, got, "Restart it").State)
			require.Equal(t, before, kubectl(t, "get", "deployment", "shodo-frontend", "-o", "jsonpath={.spec.template.spec.containers[0]}"))
			t.Logf("%s: %s; command to well %s", name, got.Summary, got.Clocks.Recovered.Sub(got.Clocks.Declared).Round(10*time.Millisecond))
		})
	}
}

// A restart makes a revision of its own, with the same fault: the rollback must go past it.
func TestServiceRecovery_ARestartDidNotHelp_TheRollbackGoesPastIt(t *testing.T) {
	staff(t, lab, estate.Crew{})
	freshServices(t)
	rollOut(t, "shodo-frontend", crashing)
	kubectl(t, "rollout", "restart", "deployment/shodo-frontend")
	got, result := recoverAs(t, workflows.ServiceRecovering, "--service", "shodo-frontend")
	require.Equal(t, report.Recovered, got.Outcome, result.Stderr)
	require.Contains(t, got.Summary, "rolled it back to revision 1")
}

func TestServiceRecovery_NoEarlierRevision_IsIncompleteAndSaysWhy(t *testing.T) {
	staff(t, lab, estate.Crew{})
	freshServices(t)
	t.Cleanup(func() { freshServices(t) })
	spoil(t, "shodo-ai-server")
	got, result := recoverAs(t, workflows.ServiceRecovering, "--service", "shodo-ai-server")
	require.Equal(t, 4, result.Exit, result.Stderr)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, stepNamed(t, got, "Roll it back").Result, "no earlier revision")
	require.Contains(t, strings.Join(got.Missing, ""), "shodo-ai-server")
}

// spoil makes a service anew that never was well: there is nothing to go back to.
func spoil(t *testing.T, service string) {
	t.Helper()
	var deployment map[string]any
	require.NoError(t, json.Unmarshal([]byte(kubectl(t, "get", "deployment", service, "-o", "json")), &deployment))
	kubectl(t, "delete", "deployment", service, "--wait=true")
	deployment["metadata"] = map[string]any{"name": service, "namespace": "shodo"}
	delete(deployment, "status")
	container := deployment["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	container["args"] = []string{"no-such-service"}
	text, err := json.Marshal(deployment)
	require.NoError(t, err)
	path := t.TempDir() + "/deployment.json"
	require.NoError(t, os.WriteFile(path, text, 0o600))
	kubectl(t, "create", "-f", path)
}

func TestServiceRecovery_AHealthyServiceAndAnUnknownOne_AreRefused(t *testing.T) {
	staff(t, lab, estate.Crew{})
	freshServices(t)
	_, result := recoverAs(t, workflows.ServiceRecovering, "--service", "shodo-frontend")
	require.Equal(t, 3, result.Exit)
	require.Contains(t, result.Stderr, "is well")
	_, result = recoverAs(t, workflows.ServiceRecovering, "--service", "moon")
	require.Equal(t, 3, result.Exit)
	require.Contains(t, result.Stderr, "shodo-backend, shodo-frontend, shodo-ai-server")
}

func TestServiceRecovery_OnePod_IsReplacedAndTheOthersStay(t *testing.T) {
	staff(t, lab, estate.Crew{})
	freshServices(t)
	pods := strings.Fields(kubectl(t, "get", "pods", "-l", "app=shodo-backend", "-o", "jsonpath={.items[*].metadata.name}"))
	require.Len(t, pods, 2)
	got, result := recoverAs(t, workflows.ServiceRecovering, "--service", "shodo-backend", "--pod", pods[0], "--override", "healthy")
	require.Equal(t, report.Recovered, got.Outcome, result.Stderr)
	now := kubectl(t, "get", "pods", "-l", "app=shodo-backend", "-o", "jsonpath={.items[*].metadata.name}")
	require.NotContains(t, now, pods[0])
	require.Contains(t, now, pods[1])
}

func TestServiceRecovery_WorkerKilledAtEveryBoundary_EndsAsIfNothingHadHappened(t *testing.T) {
	freshServices(t)
	rollOut(t, "shodo-frontend", crashing)
	awaitTrouble(t, "shodo-frontend")
	dieEverywhere(t, lab, []string{"AcquireLease", "RollBack", "ReleaseLease"}, func() {
		result, err := lab.Fukkyu(t.Context(), "run", workflows.ServiceRecovering.Name, "--service", "shodo-frontend", "--by", "yuki", "--detach")
		require.NoError(t, err)
		require.Equal(t, 6, result.Exit, result.Stderr)
	})
	got := awaitEndAt(t, workflows.ServiceRecovering.ID("", "shodo-frontend", runbook.Live))
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "1", kubectl(t, "get", "lease", "fukkyu-service-shodo-frontend", "-o", "jsonpath={.spec.leaseTransitions}"))
	require.Equal(t, "3", kubectl(t, "get", "deployment", "shodo-frontend", "-o", `jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}`), "rolled back once")
}

// awaitTrouble returns when Kubernetes has seen that a rollout crashes.
func awaitTrouble(t *testing.T, service string) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), "the crash loop of "+service, time.Minute, func() (bool, string) {
		pods := kubectl(t, "get", "pods", "-l", "app="+service, "--no-headers")
		return strings.Contains(pods, "CrashLoopBackOff"), pods
	}))
}
