package workflows

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// How far a recovery came, as its lease remembers it for whoever continues.
const (
	phaseFenced     = "fenced"
	phasePromoting  = "promoting"
	phasePromoted   = "promoted"
	phaseRedirected = "redirected"
	phaseFinished   = "finished"
)

// leaseIsFree refuses a second recovery of the same database, one too soon after the last, and one that would start anew
// where the last one stopped half-way.
func (f *databaseFailover) leaseIsFree(ctx workflow.Context) (runbook.Verdict, error) {
	verdict, err := f.recoveryLease.leaseIsFree(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	f.relaxed = f.last.Relaxed
	if f.run.Request.Continue {
		f.takeUp()
	}
	if f.held {
		return verdict, nil
	}
	verdict.Objections = append(verdict.Objections, f.historyObjects(workflow.Now(ctx))...)
	return verdict, nil
}

// historyObjects judges the recovery before this one.
func (f *databaseFailover) historyObjects(now time.Time) []runbook.Objection {
	unfinished := f.unfinished()
	switch {
	case f.run.Request.Continue && !unfinished:
		return []runbook.Objection{{Why: "there is no stopped recovery to continue", Unblock: "start without --continue"}}
	case !f.run.Request.Continue && unfinished:
		return []runbook.Objection{{
			Why:     fmt.Sprintf("recovery %s stopped in phase %s, with %s as the new primary", f.last.Holder, f.last.Phase, f.last.Promoted),
			Unblock: fmt.Sprintf("continue it: fukkyu run %s --database %s --continue", orName(f.last.Scenario, Failover), f.database.Name),
		}}
	case f.run.Request.Continue && orName(f.last.Scenario, Failover) != f.scenario.Name:
		return []runbook.Objection{{
			Why:     fmt.Sprintf("recovery %s was a %s", f.last.Holder, f.last.Scenario),
			Unblock: fmt.Sprintf("continue it as one: fukkyu run %s --database %s --continue", f.last.Scenario, f.database.Name),
		}}
	}
	over := f.last.FinishedAt.Add(f.policy.CoolingOff)
	if f.last.FinishedAt.IsZero() || f.last.Phase != phaseFinished || f.run.Request.Continue || !now.Before(over) {
		return nil
	}
	return []runbook.Objection{{
		Guard: GuardCoolingOff,
		Why: fmt.Sprintf("the last recovery of database %s, %s, ended %s ago, and the plan asks for %s between two",
			f.database.Name, f.last.Holder, now.Sub(f.last.FinishedAt).Round(time.Second), f.policy.CoolingOff),
		Unblock: "find out why it is needed again, or wait until " + over.UTC().Format(time.RFC3339),
	}}
}

// unfinished says that the last recovery went past its point of no return and was never brought to its end.
func (f *databaseFailover) unfinished() bool {
	switch f.last.Phase {
	case phasePromoting, phasePromoted, phaseRedirected:
		return f.last.Holder != f.run.Holder()
	default:
		return false
	}
}

func (f *databaseFailover) releaseLease(ctx workflow.Context) (string, error) {
	record := f.record(phaseFinished)
	record.FinishedAt, record.Outcome = workflow.Now(ctx), string(report.Recovered)
	return "", f.letGo(ctx, record)
}

// remember writes into the lease how far this run has come, before it goes further: whoever continues reads it there.
func (f *databaseFailover) remember(ctx workflow.Context, phase string) error {
	return f.keep(ctx, "remember in the lease: "+phase, f.record(phase))
}

func (f *databaseFailover) record(phase string) lease.Record {
	return lease.Record{
		Holder: f.run.Holder(), Scenario: f.scenario.Name, Epoch: f.epoch, Phase: phase, OldPrimary: f.old.Pod, OldNode: f.old.Node, Proof: f.proof,
		Promoted: f.target.Pod, Timeline: f.target.Timeline, SystemID: f.target.SystemID, Standbys: f.standbys, Relaxed: f.relaxed, Build: f.run.Build(),
	}
}

// fencedBefore says which earlier run fenced the old primary, when this one continues it.
func (f *databaseFailover) fencedBefore() string {
	if !f.run.Request.Continue {
		return ""
	}
	return fmt.Sprintf("done by %s", f.last.Holder)
}

// promotedBefore says which earlier run promoted, when this one continues it. A promotion that was only scheduled is called again.
func (f *databaseFailover) promotedBefore() string {
	if !f.run.Request.Continue || f.last.Phase == phasePromoting {
		return ""
	}
	return fmt.Sprintf("done by %s, which promoted %s", f.last.Holder, f.last.Promoted)
}

// takeUp learns from the lease what the run that is continued knew.
func (f *databaseFailover) takeUp() {
	f.old.Pod, f.old.Node, f.proof = f.last.OldPrimary, f.last.OldNode, f.last.Proof
	f.target = promotionTarget{Pod: f.last.Promoted, Timeline: f.last.Timeline, SystemID: f.last.SystemID}
	f.standbys = f.last.Standbys
	if f.proof == "" {
		f.run.Unproven()
	}
}

// orName is the name of the scenario in a record, which those of earlier versions do not have.
func orName(recorded string, otherwise Scenario) string {
	if recorded == "" {
		return otherwise.Name
	}
	return recorded
}
