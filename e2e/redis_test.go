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

// recoverRedis runs a recovery of Redis to its end. A refused run leaves no report.
func recoverRedis(t *testing.T, flags ...string) (report.Report, estate.Result) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", workflows.RedisLoss.Name, "--redis", "redis", "--by", "yuki", "--output", "json"}, flags...)...)
	require.NoError(t, err)
	var got report.Report
	if result.Stdout != "" {
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result
}

// redisCLI asks the server of a pod.
func redisCLI(t *testing.T, pod string, words ...string) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, append([]string{"exec", pod, "--", "redis-cli"}, words...)...))
}

// awaitFollower waits until a server has a replica.
func awaitFollower(t *testing.T, pod string) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), "a replica of "+pod, time.Minute, func() (bool, string) {
		seen, err := lab.Kubectl(t.Context(), "exec", pod, "--", "redis-cli", "INFO", "replication")
		return err == nil && strings.Contains(seen, "connected_slaves:1"), seen
	}))
}

// mayRule is whom the start gate lets start as a master, and whom applications are sent to.
func mayRule(t *testing.T) (gate, service string) {
	t.Helper()
	return kubectl(t, "get", "configmap", "redis-role", "-o", "jsonpath={.data.primary}"),
		kubectl(t, "get", "service", "redis", "-o", `jsonpath={.spec.selector.statefulset\.kubernetes\.io/pod-name}`)
}

func TestRedisRecovery_TheMachineOfTheMasterIsOff_PromotesTheReplicaAndTheOldMasterFollowsIt(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	awaitFollower(t, "redis-master-0")
	redisCLI(t, "redis-master-0", "SET", "lpr:1", "kept")
	require.Equal(t, "1", redisCLI(t, "redis-master-0", "WAIT", "1", "5000"))
	do(t, "break", "power-off", nodeOf(t, "redis-master-0"))

	got, _ := recoverRedis(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "power off")
	gate, service := mayRule(t)
	require.Equal(t, []string{"redis-replica-0", "redis-replica-0"}, []string{gate, service})
	require.Equal(t, "kept", redisCLI(t, "redis-replica-0", "GET", "lpr:1"))
	t.Logf("writes were taken again after %.1f s", got.RTO.Measured.Seconds())

	do(t, "mend", "all")
	awaitFollower(t, "redis-replica-0")
	require.Contains(t, redisCLI(t, "redis-master-0", "ROLE"), "slave")
	_, again := recoverRedis(t)
	require.Equal(t, 3, again.Exit, "a Redis that is well is left alone")
}

func TestRedisRecovery_TheAppendOnlyFileIsDamaged_IsNotWaitedForAndTheReplicaHasTheData(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	awaitFollower(t, "redis-master-0")
	redisCLI(t, "redis-master-0", "SET", "lpr:1", "kept")
	require.Equal(t, "1", redisCLI(t, "redis-master-0", "WAIT", "1", "5000"))
	do(t, "break", "append-only", "redis-master-0")

	got, _ := recoverRedis(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, report.Skipped, got.Steps[3].State, "a new pod would read the same file")
	require.Equal(t, "kept", redisCLI(t, "redis-replica-0", "GET", "lpr:1"))
	awaitFollower(t, "redis-replica-0")
	t.Logf("writes were taken again after %.1f s", got.RTO.Measured.Seconds())
}
