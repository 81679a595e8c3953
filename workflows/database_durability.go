package workflows

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// certainty says whether one of the replicas that were read holds every commit that the primary acknowledged. Each of those
// is on as many replicas as commits wait for; among all but so many less one there is one of them, whichever they are.
type certainty struct {
	Needed  int // replicas that must be read
	Read    int
	Certain bool
}

func certaintyOf(durability plan.Durability, standbys int, servers []postgres.Server, timeline uint32) certainty {
	sure := certainty{Needed: standbys - durability.Standbys + 1}
	for _, server := range servers {
		if unfit(server, timeline, true) == "" {
			sure.Read++
		}
	}
	sure.Certain = sure.Needed > 0 && sure.Read >= sure.Needed
	return sure
}

// chooseSynchronous bounds the loss by what commits waited for: no time and no bytes, or nobody knows.
func (f *databaseFailover) chooseSynchronous(servers []postgres.Server) {
	if !f.choice.Found || !f.waited() {
		return
	}
	sure := certaintyOf(f.database.Durability, f.standbys, servers, f.choice.Chosen.Timeline)
	said := fmt.Sprintf("by the plan commits wait for %s: %d of %d replicas must be read for certainty, and %d were",
		f.database.Durability.StandbyNames(), sure.Needed, f.standbys, sure.Read)
	f.choice.Loss = loss{Bounded: sure.Certain, KnownEnd: sure.Certain, HowBounded: said}
}

// waited says whether the commits of the old primary waited for replicas. After a recovery that did not restore redundancy, or while a
// person has let them go on without, they did not.
func (f *databaseFailover) waited() bool {
	return f.database.Durability.Synchronous() && !f.last.Relaxed
}

// dataLossObjects refuses to lose more than the plan allows, and anything at all where commits waited for replicas.
func (f *databaseFailover) dataLossObjects() []runbook.Objection {
	allowed := f.run.Plan.Objectives.RPO
	if f.waited() {
		allowed = 0
	}
	bound := f.choice.Loss
	if bound.Bounded && bound.Within <= allowed {
		return nil
	}
	why := fmt.Sprintf("%s would lose %s, and the plan allows %s", f.choice.Chosen.Pod, bound, allowed)
	if f.waited() {
		why = fmt.Sprintf("nobody can say that %s holds every acknowledged commit: %s", f.choice.Chosen.Pod, bound.HowBounded)
	}
	return []runbook.Objection{{Guard: GuardDataLoss, Why: why, Unblock: "bring a better replica or the old primary back"}}
}

// relax lets the commits of the replica that is promoted wait for nobody: its own replicas are not there yet, and every commit
// would hang.
func (f *databaseFailover) relax(ctx workflow.Context) error {
	if !f.database.Durability.Synchronous() {
		return nil
	}
	return f.setSynchronous(ctx, "")
}

// restoreSynchronous lets commits wait again, now that there are replicas to wait for.
func (f *databaseFailover) restoreSynchronous(ctx workflow.Context) error {
	if !f.database.Durability.Synchronous() {
		return nil
	}
	if err := f.setSynchronous(ctx, f.database.Durability.StandbyNames()); err != nil {
		return err
	}
	f.relaxed = false
	f.run.Fact("synchronous commits", fmt.Sprintf("commits wait for %s again since %s; from the promotion until then they waited for nobody",
		f.database.Durability.StandbyNames(), workflow.Now(ctx).UTC().Format(time.RFC3339)))
	return nil
}

func (f *databaseFailover) setSynchronous(ctx workflow.Context, names string) error {
	summary := fmt.Sprintf("commits of %s wait for %s", f.target.Pod, orNone(names))
	_, err := begin(f.act(ctx, summary), servers.SetSynchronous, postgres.SetSynchronousParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: f.targetAddress(), Names: names,
	}).get(ctx)
	return err
}
