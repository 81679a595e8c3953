package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// NodeRecoveryGuards lists the guards of a node recovery that a person may override.
func NodeRecoveryGuards() []string { return []string{GuardCapacity, GuardPrimaryInZone} }

// NodeRecoveryRequest is the one JSON argument that starts the recovery of a lost node, or of the lost nodes of a zone.
type NodeRecoveryRequest struct {
	runbook.Request
	Zone   string `json:"zone,omitempty"`
	Node   string `json:"node,omitempty"`
	Region string `json:"region,omitempty"` // of the plan; empty: the one that the zone's name begins with, else the plan's first
}

// nodeRecovery sees that what ran on lost nodes runs again: rows two and three of the Shodo plan's scenario matrix. Kubernetes heals most of
// it; this watches that it does, and acts where it does not. It cordons nothing: a node that comes back is in use again.
type nodeRecovery struct {
	nodes
	policy plan.NodeRecovery

	first    []string             // nodes that were lost when it looked first
	heard    map[string]time.Time // the last sign of life of those that were not
	wanted   []kubernetes.Owner   // the controllers of what ran on lost nodes
	staying  []kubernetes.ZonePod // what can run on no other node
	hindered []hindrance          // services that are not well for that
	noneLost string               // why nothing needs to be recovered
	healed   string               // how Kubernetes healed it by itself
	named    []string             // what people alone can put right, and were told of
}

// NodeRecovery is the workflow.
func NodeRecovery(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request NodeRecoveryRequest
	example := NodeRecoveryRequest{Request: runbook.Request{By: "yuki", Reason: "node-c1 is dead"}, Node: "node-c1"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: NodeRecoveryName, Guards: NodeRecoveryGuards()}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	asked, err := newNodes(run, request.Zone, request.Node, request.Region)
	if err != nil {
		return report.Report{}, err
	}
	asked.lost = true
	n := &nodeRecovery{nodes: asked, policy: run.Plan.Runbooks.NodeRecovery, heard: map[string]time.Time{}}
	if row, found := run.Plan.Scenario(n.row()); found && row.RTO.Within > 0 {
		run.Objective(row.RTO.Within)
	}
	return run.Conduct(ctx, n.runbook())
}

// row is that of the plan's matrix.
func (n *nodeRecovery) row() string {
	if n.node != "" {
		return diagnosis.NodeFailure
	}
	return diagnosis.ZoneFailure
}

func (n *nodeRecovery) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Look at what is lost", Budget: quickBudget,
				Guard: n.isLost,
			},
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true, Settled: n.nothingIsLost,
				Guard: n.leaseIsFree, Do: n.takeLease, Undo: n.returnLease,
			},
			{
				Name: "Watch Kubernetes heal it", Budget: n.policy.Watch, Settled: n.nothingIsLost,
				Guard: n.mayWatch, Verify: n.watch,
			},
			{
				Name: "See that the rest can carry it", Budget: quickBudget, Settled: n.isOver,
				Guard: n.hasRoomElsewhere,
			},
			{
				Name: "See that no database or Redis has its primary there", Budget: quickBudget, Settled: n.isOver,
				Guard: n.noPrimaryIsLost,
			},
			{
				Name: "See which machines are off", Budget: proofBudget, Settled: n.nothingHangs,
				Guard: n.mayFree, Verify: n.nameWhatMayRun,
			},
			{
				Name: "Free the pods of dead nodes", Budget: proofBudget, Settled: n.nothingIsProven,
				Guard: n.mayFree, Approval: &n.policy.Approval, Do: n.taint, Undo: n.untaint,
			},
			{
				Name: "See everything Ready again", Budget: healthBudget, Settled: n.isOver,
				Verify: n.runsAgain,
			},
			{
				Name: "Take the marks of dead nodes off", Budget: quickBudget, Settled: n.nothingIsProven,
				Do: func(ctx workflow.Context) (string, error) { return "", n.untaint(ctx) },
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true, Settled: n.nothingIsLost,
				Do: func(ctx workflow.Context) (string, error) { return "", n.returnLease(ctx) },
			},
		},
		Conclude: n.conclude,
	}
}

func (n *nodeRecovery) nothingIsLost() string {
	if n.noneLost != "" {
		return "nothing is lost"
	}
	return ""
}

// isOver says why nothing is left to be done.
func (n *nodeRecovery) isOver() string {
	if n.healed != "" {
		return "Kubernetes healed it"
	}
	return n.nothingIsLost()
}

// nothingHangs says why no pod needs to be freed.
func (n *nodeRecovery) nothingHangs() string {
	if over := n.isOver(); over != "" {
		return over
	}
	if len(n.found.Nodes) == 0 && len(n.found.Overdue) == 0 {
		return "every node is Ready again"
	}
	return ""
}

// nothingIsProven says why no pod may be freed, and no mark needs to come off.
func (n *nodeRecovery) nothingIsProven() string {
	if over := n.isOver(); over != "" {
		return over
	}
	if len(n.proven()) == 0 && len(n.unnoticed()) == 0 {
		return "no machine is proven to be off"
	}
	return ""
}

// conclude says in a sentence how it ended, and what is still to be done.
func (n *nodeRecovery) conclude(r *report.Report) {
	r.RPO.How = "not measured: nothing was promoted"
	switch {
	case r.RTO.Measured != nil:
		r.RTO.How = "until everything that can run was seen to be Ready"
	case n.noneLost != "":
		r.RTO.How = "not measured: nothing was lost"
	}
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
		return
	case n.noneLost != "" && r.Outcome.ServiceIsBack():
		r.Summary = "nothing to recover: " + n.noneLost
		return
	case len(n.named) > 0 && r.Outcome == report.Incomplete:
		r.Summary = fmt.Sprintf("%s is not recovered wholly: %s", n.what(), few(r.Missing))
	case !r.Outcome.ServiceIsBack():
		return
	case n.healed != "":
		r.Summary = fmt.Sprintf("%s: %s", n.what(), n.healed)
	default:
		r.Summary = fmt.Sprintf("%s is recovered: what ran on %s runs again", n.what(), strings.Join(n.first, ", "))
	}
	for _, node := range n.unproven() {
		r.Next = append(r.Next, fmt.Sprintf("see that machine %s is off, then: fukkyu run %s --node %s", node.name, NodeLoss.Name, node.name))
	}
	for _, redis := range n.redisToRecover() {
		r.Next = append(r.Next, fmt.Sprintf("bring redis %s back: fukkyu run %s --redis %s", redis, RedisLoss.Name, redis))
	}
	if len(n.staying) > 0 {
		r.Missing = append(r.Missing, "waits for its node: "+few(staying(n.staying)))
	}
	if len(n.found.Nodes) > 0 {
		r.Next = append(r.Next, "mend, or replace: "+strings.Join(names(n.found.Nodes), ", "))
	}
}
