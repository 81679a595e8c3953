//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// place is a zone, and the node of it that a database replica may be on.
type place struct{ zone, node string }

// placesWithoutPrimary are those of the lab's zones that an evacuation does not refuse: a reset may put the primary anywhere.
func placesWithoutPrimary(t *testing.T) []place {
	t.Helper()
	primary := strings.TrimSpace(kubectl(t, "get", "pod", look(t).role, "-o", "jsonpath={.spec.nodeName}"))
	places := []place{{"ap-northeast-1d", "node-d1"}, {"ap-northeast-1c", "node-c1"}}
	return slices.DeleteFunc(places, func(p place) bool { return p.node == primary })
}

// store is an application that is spread over all nodes, with one of its pods at least in the zone of the tests.
func store(t *testing.T) {
	t.Helper()
	sweep(t)
	t.Cleanup(func() { sweep(t) })
	kubectl(t, "create", "deployment", "store", "--image=lab.local/host:1", "--replicas=10", "--",
		"/usr/bin/sh", "-c", "trap exit TERM; sleep 100000 & wait") // ends at once when it is told to
	kubectl(t, "rollout", "status", "deployment/store", "--timeout=60s")
	require.NotEmpty(t, storesOn(t, "node-d1"))
	require.NotEmpty(t, storesOn(t, "node-c1"))
}

// sweep takes the application away and lets every node take pods, now or when the test has ended.
func sweep(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"delete", "deployment,pdb", "store", "--ignore-not-found", "--wait"},
		{"uncordon", "--selector=kubernetes.io/hostname"},
	} {
		_, err := lab.Kubectl(context.WithoutCancel(t.Context()), args...)
		require.NoError(t, err)
	}
}

// storesOn are the application's pods on a node.
func storesOn(t *testing.T, node string) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "pods", "--selector=app=store", "--field-selector=spec.nodeName="+node, "-o", "name"))
}

// evacuate runs an evacuation to its end.
func evacuate(t *testing.T, flags ...string) (report.Report, int) {
	t.Helper()
	result, err := lab.Fukkyu(t.Context(), append([]string{"run", workflows.Evacuation.Name, "--by", "yuki", "--output", "json"}, flags...)...)
	require.NoError(t, err)
	var got report.Report
	if result.Exit != 3 {
		require.NoError(t, json.Unmarshal([]byte(result.Stdout), &got), result.Stderr)
	}
	return got, result.Exit
}

// cordoned are the nodes that take no pods.
func cordoned(t *testing.T) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "nodes", "-o", "jsonpath={.items[?(@.spec.unschedulable==true)].metadata.name}"))
}

// awaitReady waits until a node's kubelet is back.
func awaitReady(t *testing.T, node string) {
	t.Helper()
	kubectl(t, "wait", "--for=condition=Ready", "node/"+node, "--timeout=60s")
}

func TestZoneEvacuation_TheZoneOfThePrimaryOrNone_IsRefused(t *testing.T) {
	fresh(t)
	touchesNothing(t)
	staff(t, automatic(t), estate.Crew{})
	primary := look(t).role
	node := strings.TrimSpace(kubectl(t, "get", "pod", primary, "-o", "jsonpath={.spec.nodeName}"))
	for flag, says := range map[string]string{
		"--node " + node: "fukkyu run database-switchover --database shodo",
		"--zone mars":    "the zones with nodes are ap-northeast-1a, ap-northeast-1c, ap-northeast-1d",
	} {
		result, err := lab.Fukkyu(t.Context(), append([]string{"run", workflows.Evacuation.Name, "--by", "yuki"}, strings.Fields(flag)...)...)
		require.NoError(t, err)
		require.Equal(t, 3, result.Exit, result.Stderr)
		require.Contains(t, result.Stderr, says)
	}
	require.Empty(t, cordoned(t))
}

func TestZoneEvacuation_LivingZone_MovesWhatCanMoveByItsBudget(t *testing.T) {
	fresh(t)
	store(t)
	kubectl(t, "create", "pdb", "store", "--selector=app=store", "--min-available=9")
	at := placesWithoutPrimary(t)[0]
	staff(t, automatic(t), estate.Crew{})
	got, _ := evacuate(t, "--zone", at.zone)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Empty(t, storesOn(t, at.node))
	require.Contains(t, cordoned(t), at.node, "until a person takes it into use again")
	kubectl(t, "uncordon", at.node)
}

func TestZoneEvacuation_ABudgetBlocks_IsNamedAndTheAbortUncordonsOnlyWhatTheRunCordoned(t *testing.T) {
	fresh(t)
	store(t)
	kubectl(t, "create", "pdb", "store", "--selector=app=store", "--min-available=10")
	kubectl(t, "cordon", "node-c2") // by somebody else, before
	staff(t, automatic(t), estate.Crew{})
	for _, place := range placesWithoutPrimary(t) {
		result, err := lab.Fukkyu(t.Context(), "run", workflows.Evacuation.Name, "--zone", place.zone, "--by", "yuki", "--detach")
		require.NoError(t, err)
		require.Equal(t, 6, result.Exit, result.Stderr)
		require.NoError(t, estate.Await(t.Context(), "the budget to be named", time.Minute, func() (bool, string) {
			now, _ := statusNow(t)
			said := ""
			for _, fact := range now.Facts {
				said += fact.Value + "\n"
			}
			return strings.Contains(said, "may not be evicted: PodDisruptionBudget shodo/store allows 0 (10 healthy, 10 needed)"), said
		}))
		require.ElementsMatch(t, []string{place.node, "node-c2"}, cordoned(t))
		id := workflows.Evacuation.ID("", place.zone, runbook.Live)
		aborted, err := lab.Fukkyu(t.Context(), "abort", id, "--by", "yuki")
		require.NoError(t, err)
		require.Zero(t, aborted.Exit, aborted.Stderr)
		require.NoError(t, connect(t).GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		require.Equal(t, []string{"node-c2"}, cordoned(t))
	}
}

func TestZoneEvacuation_TheMachineIsOff_FreesItsPodsAndLeavesNoMark(t *testing.T) {
	fresh(t)
	store(t)
	at := placesWithoutPrimary(t)[0]
	staff(t, automatic(t), estate.Crew{})
	do(t, "break", "power-off", at.node)
	kubectl(t, "wait", "--for=condition=Ready=Unknown", "node/"+at.node, "--timeout=60s")
	got, _ := evacuate(t, "--node", at.node)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Empty(t, storesOn(t, at.node))
	taints := strings.Fields(kubectl(t, "get", "node", at.node, "-o", "jsonpath={.spec.taints[*].key}"))
	require.False(t, slices.Contains(taints, "node.kubernetes.io/out-of-service"), taints)
	do(t, "mend", "all")
	awaitReady(t, at.node)
	kubectl(t, "uncordon", at.node)
}
