package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// evacuation is a zone in the test environment: what it has cordoned, what blocks.
type evacuation struct {
	*estate
	zone     kubernetes.Zone
	redis    kubernetes.Estate
	holders  map[string]string // who cordoned a node
	blocked  []kubernetes.Blocked
	waits    []kubernetes.Owner // what AwaitReplaced was asked for
	replaced bool
}

// newEvacuation is of zone c, with a living node and a dead one, of which zone d and a are left.
func newEvacuation(t *testing.T) *evacuation {
	t.Helper()
	e := &evacuation{estate: newEstate(t), holders: map[string]string{}, replaced: true}
	e.plan.Runbooks.ZoneEvacuation.Approval.Needed = 0
	pod := func(name, node, owner string) kubernetes.ZonePod {
		return kubernetes.ZonePod{Namespace: "shodo", Pod: name, Node: node, Owner: owner}
	}
	e.zone = kubernetes.Zone{
		Name: "ap-northeast-1c", Zones: []string{"ap-northeast-1a", "ap-northeast-1c"},
		Nodes:   []kubernetes.Machine{{Name: "node-c1", Zone: "ap-northeast-1c", Ready: true}, {Name: "node-c2", Zone: "ap-northeast-1c"}},
		Others:  []kubernetes.Machine{{Name: "node-a2", Zone: "ap-northeast-1a", Ready: true}},
		Moving:  []kubernetes.ZonePod{pod("web-1", "node-c1", "ReplicaSet web"), pod("store-0", "node-c2", "StatefulSet store")},
		Staying: []kubernetes.ZonePod{{Namespace: "shodo", Pod: "postgres-replica-0", Why: "its volume is on no other node"}},
		Owners:  []kubernetes.Owner{{Namespace: "shodo", Kind: "ReplicaSet", Name: "web", UID: "w", Elsewhere: 2}, {Namespace: "shodo", Kind: "StatefulSet", Name: "store", UID: "s", Elsewhere: 1}},
	}
	e.redis = kubernetes.Estate{Instances: []kubernetes.Instance{{Pod: "redis-master-0", Node: "node-a2", NodeReady: true}}, ServicePod: "redis-master-0"}
	e.registerZone()
	return e
}

func (e *evacuation) registerZone() {
	handle(e.estate, "ReadZone", func(p kubernetes.ReadZoneParams) (kubernetes.Zone, error) {
		if p.Zone != e.zone.Name && p.Node != "node-c2" {
			return kubernetes.Zone{Zones: e.zone.Zones, Others: slices.Concat(e.zone.Nodes, e.zone.Others)}, nil
		}
		found := e.zone
		if p.Node != "" {
			found.Nodes, found.Others = e.zone.Nodes[1:], slices.Concat(e.zone.Nodes[:1], e.zone.Others)
		}
		return found, nil
	})
	handle(e.estate, "ReadRedis", func(kubernetes.ReadRedisParams) (kubernetes.Estate, error) { return e.redis, nil })
	handle(e.estate, "Cordon", func(p kubernetes.CordonParams) (kubernetes.CordonResult, error) {
		if e.holders[p.Node] == "" {
			e.holders[p.Node] = p.Holder
		}
		return kubernetes.CordonResult{Ours: e.holders[p.Node] == p.Holder}, e.write("Cordon", "cordon %s", p.Node)
	})
	handle(e.estate, "Uncordon", func(p kubernetes.CordonParams) (kubernetes.UncordonResult, error) {
		if e.holders[p.Node] != p.Holder {
			return kubernetes.UncordonResult{Already: true}, nil
		}
		delete(e.holders, p.Node)
		return kubernetes.UncordonResult{}, e.write("Uncordon", "uncordon %s", p.Node)
	})
	handle(e.estate, "TaintOutOfService", func(p kubernetes.TaintParams) (kubernetes.TaintResult, error) {
		require.NotEmpty(e.t, p.Proof)
		return kubernetes.TaintResult{Ours: true}, e.write("TaintOutOfService", "taint %s", p.Node)
	})
	handle(e.estate, "UntaintOutOfService", func(p kubernetes.TaintParams) (kubernetes.TaintResult, error) {
		return kubernetes.TaintResult{Ours: true}, e.write("UntaintOutOfService", "untaint %s", p.Node)
	})
	handle(e.estate, "EvictPods", func(p kubernetes.EvictPodsParams) (kubernetes.EvictPodsResult, error) {
		return kubernetes.EvictPodsResult{Done: len(e.blocked) == 0, Evicted: 1, Blocked: e.blocked}, e.write("EvictPods", "drain %s", p.Node)
	})
	handle(e.estate, "AwaitReplaced", func(p kubernetes.AwaitReplacedParams) (kubernetes.AwaitReplacedResult, error) {
		e.waits = p.Owners
		return kubernetes.AwaitReplacedResult{Done: e.replaced, Pending: []string{"ReplicaSet shodo/web: 1 of 2 pods are Ready elsewhere"}}, nil
	})
}

var zoneC = workflows.ZoneEvacuationRequest{Zone: "ap-northeast-1c"}

// evacuate runs it; the error is a refusal.
func (e *evacuation) evacuate(request workflows.ZoneEvacuationRequest) (report.Report, error) {
	e.t.Helper()
	request.By, request.Reason = "yuki", "the cooling fails"
	e.ExecuteWorkflow(workflows.ZoneEvacuationName, request)
	require.True(e.t, e.IsWorkflowCompleted())
	var got report.Report
	if err := e.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(e.t, e.GetWorkflowResult(&got))
	return got, nil
}

// wholeEvacuation is every write, in its order.
var wholeEvacuation = []string{
	"take lease", "cordon node-c1", "cordon node-c2", "taint node-c2", "free store-0", "drain node-c1", "untaint node-c2", "release lease ",
}

func TestZoneEvacuation_OneNodeLivesAndOneIsDead_MovesEverythingAndStaysCordoned(t *testing.T) {
	e := newEvacuation(t)
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "zone ap-northeast-1c is evacuated: 2 pods run elsewhere", got.Summary)
	require.Equal(t, wholeEvacuation, e.journal)
	require.Equal(t, []string{"when it is well again: kubectl uncordon node-c1 node-c2"}, got.Next)
}

func TestZoneEvacuation_CancelledAfterAnyWrite_UndoesWhatItDid(t *testing.T) {
	undone := map[string][]string{
		"AcquireLease":      {"take lease", "release lease "},
		"Cordon":            {"take lease", "cordon node-c1", "uncordon node-c1", "release lease "},
		"TaintOutOfService": {"take lease", "cordon node-c1", "cordon node-c2", "taint node-c2", "untaint node-c2", "uncordon node-c1", "uncordon node-c2", "release lease "},
		"EvictPods":         {"take lease", "cordon node-c1", "cordon node-c2", "taint node-c2", "free store-0", "drain node-c1", "untaint node-c2", "uncordon node-c1", "uncordon node-c2", "release lease "},
	}
	for name, journal := range undone {
		t.Run(name, func(t *testing.T) {
			e := newEvacuation(t)
			e.after[name] = e.CancelWorkflow
			got, err := e.evacuate(zoneC)
			require.NoError(t, err)
			require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
			require.Equal(t, journal, e.journal)
			require.Empty(t, e.holders)
		})
	}
}

func TestZoneEvacuation_ANodeWasCordonedBefore_TheUndoLeavesItSo(t *testing.T) {
	e := newEvacuation(t)
	e.holders["node-c1"] = "a person with kubectl"
	e.after["EvictPods"] = e.CancelWorkflow
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, e.journal, "uncordon node-c2")
	require.Equal(t, map[string]string{"node-c1": "a person with kubectl"}, e.holders)
}

func TestZoneEvacuation_ABudgetBlocks_StandsAndNamesItUntilItAllows(t *testing.T) {
	e := newEvacuation(t)
	budget := kubernetes.Budget{Name: "shodo/web", Healthy: 2, Desired: 2}
	e.blocked = []kubernetes.Blocked{{Pod: "shodo/web-1", Why: budget.String()}}
	e.plan.Runbooks.ZoneEvacuation.Drain = 0 // the test environment skips no time between two looks
	said := ""
	e.RegisterDelayedCallback(func() {
		said, e.blocked = e.status().Question.Text, nil
		e.SignalWorkflow(runbook.Retry, runbook.Decision{Question: 1, By: "yuki"})
	}, time.Minute)
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Contains(t, said, "shodo/web-1 may not be evicted: PodDisruptionBudget shodo/web allows 0 (2 healthy, 2 needed)")
	require.True(t, got.Outcome.ServiceIsBack(), got.Summary)
}

func TestZoneEvacuation_ANodeIsNotReadyAndNotProvenOff_ItsPodsAreNeverFreed(t *testing.T) {
	e := newEvacuation(t)
	e.powerState = power.On
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, "its pods may still run")
	require.NotContains(t, e.journal, "taint node-c2")
	require.Contains(t, got.Missing[0], "the pods of node node-c2 are not freed")
	require.Contains(t, got.Next[0], "fukkyu run zone-evacuation --node node-c2")
	require.Zero(t, e.waits[1].Elsewhere, "a StatefulSet makes no second pod of one that may still run")
}

func TestZoneEvacuation_WhatCannotBeEvacuated_IsRefusedAndNothingIsChanged(t *testing.T) {
	for says, change := range map[string]func(*evacuation, *workflows.ZoneEvacuationRequest){
		"zone mars has no nodes in region ap-northeast-1; the zones with nodes are ap-northeast-1a, ap-northeast-1c": func(_ *evacuation, r *workflows.ZoneEvacuationRequest) {
			r.Zone = "mars"
		},
		"node node-x is not there; the nodes of region ap-northeast-1 are node-c1, node-c2, node-a2": func(_ *evacuation, r *workflows.ZoneEvacuationRequest) {
			r.Zone, r.Node = "", "node-x"
		},
		"it is all that is left":           func(e *evacuation, _ *workflows.ZoneEvacuationRequest) { e.zone.Others[0].Ready = false },
		"say either a zone or a node":      func(_ *evacuation, r *workflows.ZoneEvacuationRequest) { r.Node = "node-c1" },
		`region "mars" is not in the plan`: func(_ *evacuation, r *workflows.ZoneEvacuationRequest) { r.Region = "mars" },
		"runs on node node-c1; let a replica take over first: fukkyu run database-switchover --database shodo": func(e *evacuation, _ *workflows.ZoneEvacuationRequest) {
			e.found.Instances[0].Node, e.found.Instances[0].NodeReady = "node-c1", true
		},
		"was on node node-c2, which is lost; replace it first: fukkyu run database-failover --database shodo": func(e *evacuation, _ *workflows.ZoneEvacuationRequest) {
			e.found.Instances[0].Node = "node-c2"
		},
		"the master of redis redis, redis-master-0, runs on node node-c1 and would start on another one, which may not have its data; override this": func(e *evacuation, _ *workflows.ZoneEvacuationRequest) {
			e.redis.Instances[0].Node = "node-c1"
			e.zone.Moving = append(e.zone.Moving, kubernetes.ZonePod{Namespace: "shodo", Pod: "redis-master-0", Node: "node-c1"})
		},
		"was on node node-c2, which is lost; replace it first: fukkyu run redis-recovery --redis redis": func(e *evacuation, _ *workflows.ZoneEvacuationRequest) {
			e.redis.Instances[0].Node, e.redis.Instances[0].NodeReady = "node-c2", false
		},
		"1 of 2 pods have no room elsewhere: shodo/web-1 (too large); missing: 2 cores, 1Gi memory, 1 pods": func(e *evacuation, _ *workflows.ZoneEvacuationRequest) {
			e.zone.NoRoom = []kubernetes.NoRoom{{Namespace: "shodo", Pod: "web-1", Why: "too large"}}
			e.zone.Short = kubernetes.Room{MilliCPU: 2000, Memory: 1 << 30, Pods: 1}
		},
	} {
		t.Run(says, func(t *testing.T) {
			e, request := newEvacuation(t), zoneC
			change(e, &request)
			_, err := e.evacuate(request)
			require.ErrorContains(t, err, says)
			require.True(t, runbook.IsRefused(err))
			require.Empty(t, slices.DeleteFunc(e.journal, func(w string) bool { return w == "take lease" || w == "release lease " }))
		})
	}
}

func TestZoneEvacuation_TheMasterOfARedisCannotMove_StaysAndNobodyObjects(t *testing.T) {
	e := newEvacuation(t)
	e.redis.Instances[0].Node = "node-c1"
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
}

func TestZoneEvacuation_GuardsOverridden_GoesOn(t *testing.T) {
	e, request := newEvacuation(t), zoneC
	e.zone.NoRoom = []kubernetes.NoRoom{{Namespace: "shodo", Pod: "web-1"}}
	e.found.Instances[0].Node = "node-c1"
	for _, guard := range workflows.ZoneEvacuationGuards() {
		request.Overrides = append(request.Overrides, runbook.Override{Guard: guard, Reason: "the room is on fire"})
	}
	got, err := e.evacuate(request)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Len(t, got.Overrides, 2)
}

func TestZoneEvacuation_OneDeadNode_FreesItsPodsAndTouchesNoOther(t *testing.T) {
	e := newEvacuation(t)
	got, err := e.evacuate(workflows.ZoneEvacuationRequest{Node: "node-c2"})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "node node-c2", got.Target)
	require.Equal(t, []string{"take lease", "cordon node-c2", "taint node-c2", "free store-0", "untaint node-c2", "release lease "}, e.journal)
}

func TestZoneEvacuation_Rejected_NothingIsChanged(t *testing.T) {
	e := newEvacuation(t)
	e.plan.Runbooks.ZoneEvacuation.Approval.Needed = 1
	said := ""
	e.RegisterDelayedCallback(func() {
		question := e.status().Question
		said = question.Text + "\n" + factsOf(question)
		e.SignalWorkflow(runbook.Reject, runbook.Decision{Question: 1, By: "yuki"})
	}, time.Minute)
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, said, "Evacuate zone ap-northeast-1c: cordon node-c1, node-c2 and move 2 pods?")
	require.Contains(t, said, "cannot move: shodo/postgres-replica-0: its volume is on no other node")
	require.Equal(t, []string{"take lease", "release lease "}, e.journal)
}

func TestZoneEvacuation_AServiceIsNotWellAfterwards_StandsAndSaysWhich(t *testing.T) {
	e := newEvacuation(t)
	well := false
	handle(e.estate, "CheckHealth", func(p application.CheckHealthParams) (application.CheckHealthResult, error) {
		e.mutex.Lock()
		defer e.mutex.Unlock()
		was := well
		well = true // at the second look
		return application.CheckHealthResult{Checks: []application.Check{{Service: p.Services[0].Name, Path: "/health", OK: was, Said: "503"}}}, nil
	})
	got, err := e.evacuate(zoneC)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.True(t, well)
}
