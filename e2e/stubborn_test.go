//go:build e2e && exhaustive

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// What is neither well nor gone: a machine that is only cut off, a server that is busy for ever. A recovery waits for it before it acts, so
// these take their time.

func TestNodeRecovery_TheNetworkIsCut_NothingIsForced(t *testing.T) {
	fresh(t)
	node := lesserNode(t)
	pod := journal(t, node)
	uid := kubectl(t, "get", pod, "-o", "jsonpath={.metadata.uid}")
	staff(t, automatic(t, shortWatch), estate.Crew{})
	do(t, "break", "cut", node)
	kubectl(t, "wait", "--for=condition=Ready=Unknown", "node/"+node, "--timeout=60s")
	got, result := recoverNode(t, "--node", node)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, 4, result.Exit)
	require.Contains(t, strings.Join(got.Missing, "\n"), "the pods of node "+node+" are not freed, because they may still run")
	require.Contains(t, strings.Join(got.Next, "\n"), "fukkyu run node-recovery --node "+node)
	require.Equal(t, uid, kubectl(t, "get", pod, "-o", "jsonpath={.metadata.uid}"), "no second pod of that name runs anywhere")
	require.False(t, isOutOfService(t, node))
	do(t, "mend", "all")
	awaitReady(t, node)
}

func TestZoneEvacuation_TheNodeIsOnlyCutOff_NothingOfItIsFreed(t *testing.T) {
	fresh(t)
	t.Cleanup(func() { sweep(t) })
	at := placesWithoutPrimary(t)[0]
	staff(t, automatic(t), estate.Crew{})
	do(t, "break", "cut", at.node)
	kubectl(t, "wait", "--for=condition=Ready=Unknown", "node/"+at.node, "--timeout=60s")
	replica := strings.TrimSpace(kubectl(t, "get", "pods", "--field-selector=spec.nodeName="+at.node, "--selector=app=postgres", "-o", "jsonpath={.items[0].metadata.uid}"))
	got, exit := evacuate(t, "--zone", at.zone)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, 4, exit)
	require.Contains(t, strings.Join(got.Missing, "\n"), "the pods of node "+at.node+" are not freed, because they may still run")
	still := kubectl(t, "get", "pods", "--field-selector=spec.nodeName="+at.node, "-o", "jsonpath={.items[*].metadata.uid}")
	require.Contains(t, still, replica)
	do(t, "mend", "all")
	awaitReady(t, at.node)
	kubectl(t, "uncordon", at.node)
}

func TestRedisRecovery_TheMasterIsBusyForEver_GetsANewPodAndKeepsItsRoleAndData(t *testing.T) {
	fresh(t)
	staff(t, automatic(t, estate.Changes{"settle: 20s": "settle: 5s"}), estate.Crew{})
	awaitFollower(t, "redis-master-0")
	redisCLI(t, "redis-master-0", "SET", "lpr:1", "kept")
	before := kubectl(t, "get", "pod", "redis-master-0", "-o", "jsonpath={.metadata.uid}")
	asking, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = lab.Kubectl(asking, "exec", "redis-master-0", "--", "redis-cli", "EVAL", "redis.call('INCR', 'busy') while true do end", "0")
	}()
	t.Cleanup(stop)
	require.NoError(t, estate.Await(t.Context(), "a master that is busy", time.Minute, func() (bool, string) {
		_, err := lab.Kubectl(t.Context(), "exec", "redis-master-0", "--", "timeout", "1", "redis-cli", "PING")
		return err != nil, "it answers"
	}))

	got, _ := recoverRedis(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "kept", redisCLI(t, "redis-master-0", "GET", "lpr:1"))
	require.NotEqual(t, before, kubectl(t, "get", "pod", "redis-master-0", "-o", "jsonpath={.metadata.uid}"))
	gate, service := mayRule(t)
	require.Equal(t, []string{"redis-master-0", "redis-master-0"}, []string{gate, service})
}

func TestRedisRecovery_TheMasterIsCutOff_PromotesNothingWithoutProofAndLetsItStartAgain(t *testing.T) {
	fresh(t)
	staff(t, automatic(t, estate.Changes{"settle: 20s": "settle: 5s"}), estate.Crew{})
	awaitFollower(t, "redis-master-0")
	do(t, "break", "cut", nodeOf(t, "redis-master-0"))
	got, _ := recoverRedis(t)
	require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, workflows.GuardUnprovenFence)
	gate, service := mayRule(t)
	require.Equal(t, []string{"redis-master-0", "redis-master-0"}, []string{gate, service})
	require.Contains(t, redisCLI(t, "redis-replica-0", "ROLE"), "slave")
}
