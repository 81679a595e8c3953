package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// FullOutageGuards lists the guards of a full outage that a person may override.
func FullOutageGuards() []string { return []string{GuardHealthy} }

// FullOutageRequest is the one JSON argument that starts the recovery of everything.
type FullOutageRequest struct {
	runbook.Request
	Guided bool     `json:"guided,omitempty"` // a person agrees to each tier, and says how to go on when something is not recovered
	Skip   []string `json:"skip,omitempty"`   // databases, Redis servers and services of the plan that are left alone
}

// The stages of the document: first response, diagnosis, recovery.
const (
	stageDeclare  = "declare"
	stageDiagnose = "diagnose"
	stageRecover  = "recover"
)

// fullOutage brings everything back: section 3.1 of the Shodo plan. Data first, then the services tier by tier; what is sick of a tier is
// recovered at the same time, each by the runbook that is for it. What cannot be recovered does not stop the rest.
type fullOutage struct {
	recoveryLease
	policy  plan.FullOutage
	request FullOutageRequest
	tiers   []tier
	found   []finding         // what the diagnosis found to be sick, in the order of recovery
	broken  map[string]string // why a member could not be recovered, by its name
	tried   map[string]bool   // members whose recovery was tried and did not help
	mended  map[string]bool   // members that were recovered

	sick      map[string]diagnosis.Patient // as last diagnosed
	diagnosed time.Time                    // when
	blind     string                       // what has to answer before anything is known; empty: it does
	away      []awayNode                   // as last diagnosed
	machines  *deadMachines
}

// tier is what is recovered together. Nothing in it needs another of its own tier.
type tier struct {
	name    string
	members []member
}

// FullOutage is the workflow.
func FullOutage(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request FullOutageRequest
	example := FullOutageRequest{Request: runbook.Request{By: "yuki", Reason: "nothing answers"}}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: FullOutageName, Guards: FullOutageGuards()}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	run.Target("everything")
	outage := &fullOutage{
		recoveryLease: recoveryLease{run: run, place: lease.Place{Namespace: run.Plan.Namespace, Region: run.Plan.Regions[0], Target: "full-outage"}, what: "everything"},
		policy:        run.Plan.Runbooks.FullOutage, request: request, tiers: tiersOf(run.Plan), broken: map[string]string{},
		tried: map[string]bool{}, mended: map[string]bool{},
	}
	outage.machines = &deadMachines{fullOutage: outage}
	if err := outage.refuseUnknown(request.Skip); err != nil {
		return report.Report{}, err
	}
	return run.Conduct(ctx, outage.runbook())
}

// refuseUnknown refuses to leave alone what the plan does not have: it would be a name that somebody mistyped.
func (o *fullOutage) refuseUnknown(skip []string) error {
	var names []string
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			names = append(names, member.name)
		}
	}
	for _, name := range skip {
		if !slices.Contains(names, name) {
			return runbook.Refuse("skip %q is not in plan %s: %s", name, o.run.Plan.Name, strings.Join(names, ", "))
		}
	}
	return nil
}

// tiersOf is the order in which a plan is recovered: databases and Redis servers, then the services by their tier.
func tiersOf(p plan.Plan) []tier {
	data := tier{name: "databases and Redis"}
	for _, database := range p.Databases {
		data.members = append(data.members, databaseMember(database))
	}
	for _, redis := range p.Redis {
		data.members = append(data.members, redisMember(redis))
	}
	byTier := map[int][]member{}
	var numbers []int
	for _, service := range p.Services {
		if byTier[service.Tier] == nil {
			numbers = append(numbers, service.Tier)
		}
		byTier[service.Tier] = append(byTier[service.Tier], serviceMember(service))
	}
	slices.Sort(numbers)
	tiers := []tier{data}
	for _, number := range numbers {
		tiers = append(tiers, tier{name: fmt.Sprintf("tier %d", number), members: byTier[number]})
	}
	return tiers
}

func (o *fullOutage) runbook() runbook.Runbook {
	steps := []runbook.Step{
		{
			Name: "Take the recovery lease", Stage: stageDeclare, Budget: quickBudget, Bookkeeping: true,
			Guard: o.leaseIsFree, Do: o.takeLease, Undo: o.returnLease,
		},
		{
			Name: "Diagnose the estate", Stage: stageDiagnose, Budget: diagnosisBudget,
			Guard: o.diagnose,
		},
		{
			Name: "Decide what is recovered", Stage: stageDiagnose, Budget: quickBudget,
			Guard: o.propose, Approval: &o.policy.Approval,
		},
		o.machines.first(o.guide()),
	}
	for i := range o.tiers {
		steps = append(steps, o.tierStep(i))
	}
	steps = append(steps, runbook.Step{
		Name: "Verify everything", Stage: stageRecover, Budget: healthBudget,
		Guard: o.canSee, Verify: o.everythingIsWell,
	})
	steps = append(steps, o.machines.last(), runbook.Step{
		Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
		Do: func(ctx workflow.Context) (string, error) { return "", o.returnLease(ctx) },
	})
	return runbook.Runbook{
		Stages: []runbook.Stage{
			{Name: stageDeclare, Budget: o.policy.Declare}, {Name: stageDiagnose, Budget: o.policy.Diagnose}, {Name: stageRecover, Budget: o.policy.Recover},
		},
		Steps: steps, Conclude: o.conclude,
	}
}

func (o *fullOutage) tierStep(number int) runbook.Step {
	tier := o.tiers[number]
	work := &tierWork{fullOutage: o, tier: tier}
	return runbook.Step{
		Name: "Recover " + tier.name, Stage: stageRecover, Budget: o.policy.Recover,
		Settled: work.skippedWhole, Guard: work.look, Approval: o.guide(), Do: work.recover,
	}
}

// guide is whose agreement each tier needs in a guided run: a plan that asks nobody for everything has asked somebody for its database. Any
// other run asks once, for everything.
func (o *fullOutage) guide() *plan.Approval {
	if !o.request.Guided {
		return nil
	}
	approval := o.policy.Approval
	if approval.Needed == 0 {
		approval = o.run.Plan.Runbooks.DatabaseFailover.Approval
	}
	approval.Needed = max(1, approval.Needed)
	return &approval
}

func (o *fullOutage) conclude(r *report.Report) {
	r.RPO.How = "not measured here: see the run of each database that was failed over"
	if r.RTO.Measured != nil {
		r.RTO.How = "until every service was seen to be well"
	}
	if r.Outcome != report.Rehearsed {
		r.Next = append(r.Next, o.machines.next()...)
	}
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
	case r.Outcome == report.Incomplete && len(o.broken) > 0:
		r.Summary = fmt.Sprintf("%s not recovered: %s", orNone(strings.Join(o.brokenNames(), ", ")), o.reasons())
	case r.Outcome.ServiceIsBack():
		r.Summary = "everything is well; " + o.causes()
	}
}

// brokenNames are the members that could not be recovered, in the order of recovery.
func (o *fullOutage) brokenNames() []string {
	var names []string
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			if _, broken := o.broken[member.name]; broken {
				names = append(names, member.name)
			}
		}
	}
	return names
}

func (o *fullOutage) reasons() string {
	var said []string
	for _, name := range o.brokenNames() {
		said = append(said, fmt.Sprintf("%s: %s", name, o.broken[name]))
	}
	return strings.Join(said, "; ")
}

// mostOfCause is how much of a cause a summary tells: the facts of the report have all of it.
const mostOfCause = 160

// causes names what had been sick, and why.
func (o *fullOutage) causes() string {
	if len(o.found) == 0 {
		return "nothing was found to be sick"
	}
	var said []string
	for _, finding := range o.found {
		why := []rune(finding.why)
		if len(why) > mostOfCause {
			why = append(why[:mostOfCause:mostOfCause], '…')
		}
		said = append(said, fmt.Sprintf("%s: %s", finding.member.name, string(why)))
	}
	return "found: " + strings.Join(said, "; ")
}
