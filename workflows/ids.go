package workflows

import (
	"slices"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// Scenario is one of the runbooks, under the two names that it has.
type Scenario struct {
	Name string // what people type, and the beginning of its workflow IDs
	Type string // its Temporal workflow type
}

// The scenarios.
var (
	Failover   = Scenario{Name: "database-failover", Type: DatabaseFailoverName}
	Switchover = Scenario{Name: "database-switchover", Type: DatabaseSwitchoverName}
	Commits    = Scenario{Name: "database-commits", Type: DatabaseCommitsName}
	Rejoining  = Scenario{Name: "rejoin", Type: RejoinName}
	RedisLoss  = Scenario{Name: "redis-recovery", Type: RedisRecoveryName}
	Recovering = Scenario{Name: "service-recovery", Type: ServiceRecoveryName}
	Outage     = Scenario{Name: "full-outage", Type: FullOutageName}
	Evacuation = Scenario{Name: "zone-evacuation", Type: ZoneEvacuationName}
	NodeLoss   = Scenario{Name: "node-recovery", Type: NodeRecoveryName}
)

// Scenarios lists them.
func Scenarios() []Scenario {
	return []Scenario{Failover, Switchover, Commits, Rejoining, RedisLoss, Recovering, Outage, Evacuation, NodeLoss}
}

// Recoveries is the visibility query that finds every run, also one that no worker has begun yet, which therefore carries no
// search attribute of ours.
func Recoveries() string {
	var types []string
	for _, scenario := range Scenarios() {
		types = append(types, "'"+scenario.Type+"'")
	}
	return "(" + runbook.AttributePlan.GetName() + " IS NOT NULL OR WorkflowType IN (" + strings.Join(types, ", ") + "))"
}

// ID is the workflow ID of a run for a target; a sender who does not know the plan's name leaves it empty. Two people who
// start the same recovery at the same time meet here; what really keeps two recoveries apart is the lease, because anybody
// can choose another ID. A rehearsal and a drill have IDs of their own, so that they never stand in a recovery's way.
func (s Scenario) ID(plan, target string, mode runbook.Mode) string {
	parts := []string{s.Name, plan, target}
	if mode != runbook.Live {
		parts = slices.Insert(parts, 0, string(mode))
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}
