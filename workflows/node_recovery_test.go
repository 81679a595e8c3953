package workflows_test

import (
	"slices"
	"strings"
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

// loss is a zone in the test environment with nodes that are lost, and what Kubernetes does about it.
type loss struct {
	*evacuation
	redis   kubernetes.Estate // where its servers are
	looks   int               // at the zone
	then    func(look int)    // what changes before a look
	off     []string          // machines without power that Kubernetes takes to be Ready
	waited  [][]string        // the nodes that AwaitReplaced left out, each time it was asked
	healing bool              // Kubernetes brings everything back by itself
}

// newLoss is of zone c, of which node-c1 lives and node-c2 is dead: a StatefulSet's pod hangs there, and a database replica waits for it.
func newLoss(t *testing.T) *loss {
	t.Helper()
	l := &loss{evacuation: newEvacuation(t), then: func(int) {}}
	l.plan.Runbooks.NodeRecovery.Watch = 0 // one look: the test environment skips no time between two
	l.zone.Others = slices.Concat(l.zone.Nodes[:1], l.zone.Others)
	l.zone.Nodes = []kubernetes.Machine{{Name: "node-c2", Zone: "ap-northeast-1c", Since: l.began.Add(-20 * time.Second)}}
	l.zone.Moving = l.zone.Moving[1:]
	l.zone.Staying = []kubernetes.ZonePod{{Namespace: "shodo", Pod: "postgres-replica-0", Node: "node-c2", Owner: "StatefulSet postgres-replica", Why: "its volume is on no other node"}}
	l.zone.Owners = l.zone.Owners[1:]
	l.redis = kubernetes.Estate{
		Instances:  []kubernetes.Instance{{Pod: "redis-master-0", Node: "node-a2"}, {Pod: "redis-replica-0", Node: "node-c2"}},
		ServicePod: "redis-master-0",
	}
	handle(l.estate, "ReadRedis", func(kubernetes.ReadRedisParams) (kubernetes.Estate, error) { return l.redis, nil })
	freed := false
	l.after["FreePod"] = func() { freed = true }
	handle(l.estate, "ReadZone", func(p kubernetes.ReadZoneParams) (kubernetes.Zone, error) {
		require.True(t, p.Lost)
		l.looks++
		l.then(l.looks)
		return l.read(p), nil
	})
	handle(l.estate, "ReadPower", func(p power.ReadPowerParams) (power.ReadPowerResult, error) {
		state := power.On
		if slices.Contains(l.off, p.Node) {
			state = power.Off
		}
		return power.ReadPowerResult{Known: true, State: state}, nil
	})
	handle(l.estate, "AwaitReplaced", func(p kubernetes.AwaitReplacedParams) (kubernetes.AwaitReplacedResult, error) {
		l.waits, l.waited = p.Owners, append(l.waited, p.Nodes)
		owed := slices.ContainsFunc(p.Owners, func(o kubernetes.Owner) bool { return o.Elsewhere > 0 })
		if !owed || freed || l.healing || len(p.Nodes) == 0 {
			return kubernetes.AwaitReplacedResult{Done: true}, nil
		}
		return kubernetes.AwaitReplacedResult{Pending: []string{"StatefulSet shodo/store: 0 of 1 pods are Ready elsewhere"}}, nil
	})
	return l
}

// read is what the real activity makes of a zone: the lost nodes of it, apart from all others.
func (l *loss) read(p kubernetes.ReadZoneParams) kubernetes.Zone {
	asked := func(m kubernetes.Machine) bool { return m.Name == p.Node || p.Node == "" && m.Zone == p.Zone }
	all := slices.Concat(l.zone.Nodes, l.zone.Others)
	if !slices.ContainsFunc(all, asked) {
		return kubernetes.Zone{Zones: l.zone.Zones, Others: all}
	}
	found := l.zone
	found.Nodes, found.Others = nil, nil
	for _, machine := range all {
		if asked(machine) && (!machine.Ready || slices.Contains(p.Off, machine.Name)) {
			found.Nodes = append(found.Nodes, machine)
		} else {
			found.Others = append(found.Others, machine)
		}
	}
	if len(found.Nodes) == 0 {
		found.Moving, found.Staying, found.Owners, found.NoRoom = nil, nil, nil, nil
	}
	return found
}

// comesBack lets the dead machine be Ready again.
func (l *loss) comesBack() {
	l.zone.Nodes = slices.Clone(l.zone.Nodes)
	l.zone.Nodes[0].Ready = true
}

var nodeC2 = workflows.NodeRecoveryRequest{Node: "node-c2"}

// recover runs it; the error is a refusal.
func (l *loss) recover(request workflows.NodeRecoveryRequest) (report.Report, error) {
	l.t.Helper()
	request.By, request.Reason = "yuki", "node-c2 is dead"
	l.ExecuteWorkflow(workflows.NodeRecoveryName, request)
	require.True(l.t, l.IsWorkflowCompleted())
	var got report.Report
	if err := l.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(l.t, l.GetWorkflowResult(&got))
	return got, nil
}

func TestNodeRecovery_WhatCannotBeRecovered_IsRefusedAndNothingIsChanged(t *testing.T) {
	for says, change := range map[string]func(*loss, *workflows.NodeRecoveryRequest){
		"zone mars has no nodes in region ap-northeast-1; the zones with nodes are ap-northeast-1a, ap-northeast-1c": func(_ *loss, r *workflows.NodeRecoveryRequest) {
			r.Zone, r.Node = "mars", ""
		},
		"node node-x is not there; the nodes of region ap-northeast-1 are node-c2, node-c1, node-a2": func(_ *loss, r *workflows.NodeRecoveryRequest) {
			r.Node = "node-x"
		},
		"say either a zone or a node":      func(_ *loss, r *workflows.NodeRecoveryRequest) { r.Zone = "ap-northeast-1c" },
		`region "mars" is not in the plan`: func(_ *loss, r *workflows.NodeRecoveryRequest) { r.Region = "mars" },
		"was on node node-c2, which is lost; replace it first: fukkyu run database-failover --database shodo (guard primary-in-zone": func(l *loss, _ *workflows.NodeRecoveryRequest) {
			l.found.Instances[0].Node = "node-c2"
		},
		"the master of redis redis, redis-master-0, was on node node-c2, which is lost; replace it first: fukkyu run redis-recovery --redis redis (guard primary-in-zone": func(l *loss, _ *workflows.NodeRecoveryRequest) {
			l.redis.Instances[0].Node = "node-c2"
		},
		"1 of 1 pods have no room elsewhere: shodo/store-0 (too large); missing: 2 cores, 1Gi memory, 1 pods": func(l *loss, _ *workflows.NodeRecoveryRequest) {
			l.zone.NoRoom = []kubernetes.NoRoom{{Namespace: "shodo", Pod: "store-0", Why: "too large"}}
			l.zone.Short = kubernetes.Room{MilliCPU: 2000, Memory: 1 << 30, Pods: 1}
		},
	} {
		t.Run(says, func(t *testing.T) {
			l, request := newLoss(t), nodeC2
			change(l, &request)
			_, err := l.recover(request)
			require.ErrorContains(t, err, says)
			require.True(t, runbook.IsRefused(err))
			require.Empty(t, slices.DeleteFunc(l.journal, func(w string) bool { return w == "take lease" || w == "release lease " }))
		})
	}
}

func TestNodeRecovery_NothingProvesThatTheMachineIsOff_IsIncompleteAndNothingIsForced(t *testing.T) {
	l := newLoss(t)
	l.powerState = power.On
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "release lease "}, l.journal)
	require.Contains(t, got.Missing[0], "the pods of node node-c2 are not freed, because they may still run: node-a1 is on")
	require.Contains(t, got.Next[0], "see that machine node-c2 is off, then: fukkyu run node-recovery --node node-c2")
	require.NotEmpty(t, l.told, "people are told: nobody else can go on")
	require.Zero(t, l.waits[0].Elsewhere, "a StatefulSet makes no second pod of one that may still run")
}

func TestNodeRecovery_CancelledAfterAnyWrite_TakesAwayWhatItPut(t *testing.T) {
	undone := map[string][]string{
		"AcquireLease":      {"take lease", "release lease "},
		"TaintOutOfService": {"take lease", "taint node-c2", "untaint node-c2", "release lease "},
		"FreePod":           {"take lease", "taint node-c2", "free store-0", "untaint node-c2", "release lease "},
	}
	for name, journal := range undone {
		t.Run(name, func(t *testing.T) {
			l := newLoss(t)
			l.after[name] = l.CancelWorkflow
			got, err := l.recover(nodeC2)
			require.NoError(t, err)
			require.Equal(t, report.RolledBack, got.Outcome, got.Summary)
			require.Equal(t, journal, l.journal)
		})
	}
}

func TestNodeRecovery_APodHangsOnANodeThatIsReady_IsNamedAndNotForced(t *testing.T) {
	l := newLoss(t)
	l.comesBack()
	l.zone.Overdue = []kubernetes.ZonePod{{Namespace: "shodo", Pod: "web-1", Node: "node-c2", Owner: "ReplicaSet web"}}
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, []string{"pod shodo/web-1 does not end on node node-c2, which is Ready"}, got.Missing)
	require.Equal(t, []string{"take lease", "release lease "}, l.journal)
}

func TestNodeRecovery_AServiceIsNotWell_ActsAndStandsUntilItIs(t *testing.T) {
	l := newLoss(t)
	l.healing = true
	well := 0
	handle(l.estate, "CheckHealth", func(p application.CheckHealthParams) (application.CheckHealthResult, error) {
		well++
		return application.CheckHealthResult{Checks: []application.Check{{Service: p.Services[0].Name, Path: "/health", OK: well > 2, Said: "503"}}}, nil
	})
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Steps[2].Result, "/health is not well: 503")
	require.Contains(t, l.journal, "taint node-c2")
}

// A service that needs what is tied to the dead machine cannot be well before somebody mends that, or replaces it.
func TestNodeRecovery_ServicesNeedAPodThatWaitsForItsNode_AreNamedAndNotWaitedFor(t *testing.T) {
	l := newLoss(t)
	redis := kubernetes.ZonePod{Namespace: "shodo", Pod: "redis-master-0", UID: "r", Node: "node-c2", Owner: "StatefulSet redis-master", Why: "its volume is on no other node"}
	l.zone.Staying = append(l.zone.Staying, redis)
	l.after["FreePod"] = func() { l.zone.Staying = nil } // once freed it is on no node
	l.healing = true
	handle(l.estate, "CheckHealth", func(p application.CheckHealthParams) (application.CheckHealthResult, error) {
		var checks []application.Check
		for _, service := range p.Services {
			checks = append(checks, application.Check{Service: service.Name, Path: "/health", OK: service.Name == "shodo-ai-server", Said: "503"})
		}
		return application.CheckHealthResult{Checks: checks}, nil
	})
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, []string{
		"service shodo-backend is not well, and needs redis redis, of which pod redis-master-0 waits for node node-c2: its volume is on no other node",
		"service shodo-frontend is not well, and needs redis redis, of which pod redis-master-0 waits for node node-c2: its volume is on no other node",
	}, got.Missing[:2])
	require.Contains(t, got.Next, "bring redis redis back: fukkyu run redis-recovery --redis redis")
	require.Nil(t, got.RTO.Measured, "users are without service")
	require.Contains(t, l.journal, "free store-0", "what can run elsewhere does")
}

func TestNodeRecovery_EveryNodeIsReady_HasNothingToDo(t *testing.T) {
	l := newLoss(t)
	got, err := l.recover(workflows.NodeRecoveryRequest{Node: "node-c1"})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "nothing to recover: node node-c1 is Ready, and no pod hangs there", got.Summary)
	require.Empty(t, l.journal)
	require.Nil(t, got.RTO.Measured)
	for _, step := range got.Steps[1:] {
		require.Equal(t, report.Skipped, step.State, step.Name)
	}
}

// A machine that is cut off is Ready, and has power, until Kubernetes notices. One whose clock is behind only seems to be late.
func TestNodeRecovery_ASignOfLifeIsLate_IsWaitedForUntilItIsClear(t *testing.T) {
	for outcome, next := range map[report.Outcome]func(*kubernetes.Machine){
		report.Recovered:  func(m *kubernetes.Machine) { m.Heard = m.Heard.Add(10 * time.Second) },
		report.Incomplete: func(m *kubernetes.Machine) { m.Ready = false },
	} {
		t.Run(string(outcome), func(t *testing.T) {
			l := newLoss(t)
			l.powerState = power.On
			l.comesBack()
			l.zone.Nodes[0].Late, l.zone.Nodes[0].Heard = true, l.began.Add(-time.Minute)
			l.then = func(look int) {
				if look == 3 {
					next(&l.zone.Nodes[0])
				}
			}
			got, err := l.recover(nodeC2)
			require.NoError(t, err)
			require.Equal(t, outcome, got.Outcome, got.Summary)
			require.GreaterOrEqual(t, l.looks, 3)
			require.Equal(t, outcome == report.Recovered, strings.HasPrefix(got.Summary, "nothing to recover"))
		})
	}
}

func TestNodeRecovery_KubernetesHealsIt_TheRunOnlyWatches(t *testing.T) {
	for name, heal := range map[string]func(*loss){
		"everything runs elsewhere": func(l *loss) { l.healing = true },
		"the node is back": func(l *loss) {
			l.then = func(look int) {
				if look == 2 {
					l.comesBack()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoss(t)
			heal(l)
			got, err := l.recover(nodeC2)
			require.NoError(t, err)
			require.Equal(t, report.Recovered, got.Outcome, got.Summary)
			require.Contains(t, got.Summary, "node node-c2: Kubernetes healed it")
			require.Equal(t, []string{"take lease", "release lease "}, l.journal)
			require.Empty(t, l.told, "nobody is called for what heals by itself")
		})
	}
}

func TestNodeRecovery_KubernetesDoesNotHealIt_FreesThePodsOfAMachineThatIsOff(t *testing.T) {
	l := newLoss(t)
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "node node-c2 is recovered: what ran on node-c2 runs again", got.Summary)
	require.Equal(t, []string{"take lease", "taint node-c2", "free store-0", "untaint node-c2", "release lease "}, l.journal)
	require.Equal(t, 2*time.Minute, got.RTO.Target, "of the matrix' row")
	require.WithinDuration(t, l.began.Add(-20*time.Second), got.Clocks.Detected, 0)
	require.Equal(t, []string{"waits for its node: shodo/postgres-replica-0: its volume is on no other node"}, got.Missing)
	require.Equal(t, []string{"mend, or replace: node-c2"}, got.Next)
}

func TestNodeRecovery_AZone_RecoversItsLostNodesAndLeavesItsLivingOnes(t *testing.T) {
	l := newLoss(t)
	got, err := l.recover(workflows.NodeRecoveryRequest{Zone: "ap-northeast-1c"})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "zone ap-northeast-1c is recovered: what ran on node-c2 runs again", got.Summary)
	require.Equal(t, 10*time.Minute, got.RTO.Target)
	require.NotContains(t, strings.Join(l.journal, "; "), "node-c1")
}

// A machine that has lost its power is Ready until Kubernetes notices. It may be marked only then.
func TestNodeRecovery_KubernetesHasNotNoticedYet_WaitsUntilItHas(t *testing.T) {
	l := newLoss(t)
	l.comesBack()
	l.off = []string{"node-c2"}
	l.then = func(look int) {
		if look == 6 {
			l.zone.Nodes = slices.Clone(l.zone.Nodes)
			l.zone.Nodes[0].Ready = false
		}
	}
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Steps[0].Result, "off, and not noticed by Kubernetes yet: node-c2")
	require.Equal(t, []string{"take lease", "taint node-c2", "free store-0", "untaint node-c2", "release lease "}, l.journal)
	require.GreaterOrEqual(t, l.looks, 6)
}

// The mark would empty a machine that is back.
func TestNodeRecovery_TheNodeIsBackWhileItsPodsStart_ItsMarkComesOffAndItsPodsCount(t *testing.T) {
	l := newLoss(t)
	l.after["FreePod"] = l.comesBack
	got, err := l.recover(nodeC2)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Empty(t, l.waited[len(l.waited)-1], "it counts as elsewhere again")
	require.Equal(t, "untaint node-c2", l.journal[3])
	require.Empty(t, got.Next)
}

func TestNodeRecovery_Rehearsed_SaysWhatItWouldDo(t *testing.T) {
	l := newLoss(t)
	l.zone.NoRoom = []kubernetes.NoRoom{{Namespace: "shodo", Pod: "store-0"}}
	request := nodeC2
	request.Mode = runbook.Rehearse
	got, err := l.recover(request)
	require.NoError(t, err)
	require.Equal(t, report.Rehearsed, got.Outcome, got.Summary)
	require.Empty(t, l.journal)
	require.Equal(t, report.Blocked, got.Steps[3].State)
	require.Equal(t, []string{"node node-c2: marked out of service, its pods removed"}, got.Steps[6].Changes)
}

func TestNodeRecovery_GuardsOverridden_GoesOn(t *testing.T) {
	l, request := newLoss(t), nodeC2
	l.zone.NoRoom = []kubernetes.NoRoom{{Namespace: "shodo", Pod: "store-0"}}
	l.found.Instances[0].Node = "node-c2"
	for _, guard := range workflows.NodeRecoveryGuards() {
		request.Overrides = append(request.Overrides, runbook.Override{Guard: guard, Reason: "it has to start somewhere"})
	}
	got, err := l.recover(request)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Len(t, got.Overrides, 2)
}
