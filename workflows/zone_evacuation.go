package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// ZoneEvacuationGuards lists the guards of a zone evacuation that a person may override.
func ZoneEvacuationGuards() []string { return []string{GuardCapacity, GuardPrimaryInZone} }

// ZoneEvacuationRequest is the one JSON argument that starts an evacuation: of a zone, or of one node.
type ZoneEvacuationRequest struct {
	runbook.Request
	Zone   string `json:"zone,omitempty"`
	Node   string `json:"node,omitempty"`
	Region string `json:"region,omitempty"` // of the plan; empty: the one that the zone's name begins with, else the plan's first
}

// zoneEvacuation empties a zone, or one node: what can run elsewhere does so in the end, by the budgets of its owners. Rows one to three of
// the Shodo plan's scenario matrix, where Kubernetes does not heal by itself. Nothing of it is final: until its end it can be undone.
type zoneEvacuation struct {
	nodes
	policy   plan.ZoneEvacuation
	before   []string // nodes that somebody else had cordoned
	cordoned []string // nodes that this run cordoned
}

// ZoneEvacuation is the workflow.
func ZoneEvacuation(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request ZoneEvacuationRequest
	example := ZoneEvacuationRequest{Request: runbook.Request{By: "yuki", Reason: "cooling fails in 1c"}, Zone: "ap-northeast-1c"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	scenario := runbook.Scenario{Name: ZoneEvacuationName, Guards: ZoneEvacuationGuards(), Planned: true}
	run, err := runbook.Begin(ctx, scenario, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	asked, err := newNodes(run, request.Zone, request.Node, request.Region)
	if err != nil {
		return report.Report{}, err
	}
	z := &zoneEvacuation{nodes: asked, policy: run.Plan.Runbooks.ZoneEvacuation}
	return run.Conduct(ctx, z.runbook())
}

func (z *zoneEvacuation) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Look at what is to be evacuated", Budget: quickBudget,
				Guard: z.exists,
			},
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Guard: z.leaseIsFree, Do: z.takeLease, Undo: z.returnLease,
			},
			{
				Name: "See that the rest can carry it", Budget: quickBudget,
				Guard: z.hasRoomElsewhere,
			},
			{
				Name: "See that no database has its primary there", Budget: quickBudget,
				Guard: z.nobodyLosesItsPrimary,
			},
			{
				Name: "Cordon the nodes", Budget: quickBudget,
				Guard: z.mayCordon, Approval: &z.policy.Approval, Do: z.cordon, Undo: z.uncordon,
			},
			{
				Name: "Free the pods of dead nodes", Budget: proofBudget, Settled: z.nobodyIsDead,
				Guard: z.seekProof, Do: z.taint, Undo: z.untaint,
			},
			{
				Name: "Drain the living nodes", Budget: z.drainBudget(),
				Do: z.drain,
			},
			{
				Name: "See everything Ready elsewhere", Budget: healthBudget,
				Verify: z.runsElsewhere,
			},
			{
				Name: "Take the marks of dead nodes off", Budget: quickBudget, Settled: z.nobodyIsDead,
				Do: func(ctx workflow.Context) (string, error) { return "", z.untaint(ctx) },
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Do: func(ctx workflow.Context) (string, error) { return "", z.returnLease(ctx) },
			},
		},
		Conclude: z.conclude,
	}
}

// drainBudget is what a zone of ordinary size, three nodes, may take.
func (z *zoneEvacuation) drainBudget() time.Duration {
	if z.node != "" {
		return z.policy.Drain
	}
	return 3 * z.policy.Drain
}

// exists refuses what is not there, and what is all that there is.
func (z *zoneEvacuation) exists(ctx workflow.Context) (runbook.Verdict, error) {
	if err := z.look(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	alive := ready(z.found.Others)
	verdict := runbook.Verdict{Seen: fmt.Sprintf("%s: %d nodes, %d pods that can run elsewhere, %d that cannot; elsewhere %d nodes are Ready",
		z.what(), len(z.found.Nodes), len(z.found.Moving), len(z.found.Staying), len(alive))}
	verdict.Objections = z.unknown()
	if len(verdict.Objections) == 0 && len(alive) == 0 {
		verdict.Objections = []runbook.Objection{{
			Why:     fmt.Sprintf("no node outside of %s is Ready and takes pods: it is all that is left", z.what()),
			Unblock: "bring another zone back first",
		}}
	}
	return verdict, nil
}

// nobodyLosesItsPrimary refuses to take a database its primary, or a Redis its master.
func (z *zoneEvacuation) nobodyLosesItsPrimary(ctx workflow.Context) (runbook.Verdict, error) {
	verdict, err := z.primariesAreElsewhere(ctx)
	if err != nil {
		return verdict, err
	}
	masters, err := z.mastersInTheWay(ctx)
	verdict.Seen = "no database or Redis has its primary there"
	verdict.Objections = append(verdict.Objections, masters...)
	return verdict, err
}

// mayCordon shows what will happen, for whoever has to agree.
func (z *zoneEvacuation) mayCordon(ctx workflow.Context) (runbook.Verdict, error) {
	if err := z.look(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	nodes := names(z.found.Nodes)
	verdict := runbook.Verdict{
		Seen:     fmt.Sprintf("%d nodes to cordon", len(nodes)),
		Question: fmt.Sprintf("Evacuate %s: cordon %s and move %d pods?", z.what(), strings.Join(nodes, ", "), len(z.found.Moving)),
		Binding:  "evacuate " + strings.Join(nodes, " "),
		Facts: []report.Fact{
			{Name: "room elsewhere", Value: z.roomElsewhere()},
			{Name: "cannot move", Value: noneOr(few(staying(z.found.Staying)))},
			{Name: "budgets that allow no eviction now", Value: noneOr(few(z.blocking()))},
		},
	}
	for _, node := range z.found.Nodes {
		switch {
		case node.Cordoned && node.CordonedBy != z.run.Holder():
			verdict.Changes = append(verdict.Changes, fmt.Sprintf("node %s: was cordoned before, stays so", node.Name))
		default:
			verdict.Changes = append(verdict.Changes, fmt.Sprintf("node %s: cordoned", node.Name))
		}
	}
	verdict.Changes = append(verdict.Changes, fmt.Sprintf("%d pods: moved elsewhere", len(z.found.Moving)))
	return verdict, nil
}

func (z *zoneEvacuation) roomElsewhere() string {
	if len(z.found.NoRoom) > 0 {
		return "missing: " + z.found.Short.String()
	}
	return fmt.Sprintf("for all %d pods, on %d nodes", len(z.found.Moving), len(ready(z.found.Others)))
}

// blocking are the budgets that would hold up the drain, until replacements are Ready.
func (z *zoneEvacuation) blocking() []string {
	var said []string
	known := map[string]bool{}
	for _, pod := range z.found.Moving {
		for _, budget := range pod.Budgets {
			if budget.Allowed == 0 && !known[budget.Name] {
				known[budget.Name] = true
				said = append(said, budget.String())
			}
		}
	}
	return said
}

// conclude says in a sentence how it ended, and how the zone is taken into use again.
func (z *zoneEvacuation) conclude(r *report.Report) {
	r.RPO.How = "not measured: nothing was promoted"
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
		return
	case !r.Outcome.ServiceIsBack():
		return
	}
	r.Summary = fmt.Sprintf("%s is evacuated: %d pods run elsewhere", z.what(), len(z.found.Moving))
	for _, node := range z.unproven() {
		r.Outcome = report.Incomplete
		r.Summary = fmt.Sprintf("%s is not evacuated wholly: nothing proves that node %s is off", z.what(), node.name)
		r.Missing = append(r.Missing, node.notFreed())
		r.Next = append(r.Next, fmt.Sprintf("see that machine %s is off, then: fukkyu run %s --node %s", node.name, Evacuation.Name, node.name))
	}
	if len(z.cordoned) > 0 {
		r.Holds = append(r.Holds, "cordoned by this run: "+strings.Join(z.cordoned, ", "))
		r.Next = append(r.Next, "when it is well again: kubectl uncordon "+strings.Join(z.cordoned, " "))
	}
}
