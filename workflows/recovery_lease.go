package workflows

import (
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// recoveryLease keeps every other recovery away from what a run recovers: one object beside the target, whose epoch is in every change.
type recoveryLease struct {
	run   *runbook.Run
	place lease.Place
	what  string       // is recovered, in words
	epoch int64        // of the lease, in every change
	last  lease.Record // the recovery before this one
	held  bool         // by this run, already when it looked
}

// act prepares for an activity in the region of the lease.
func (l *recoveryLease) act(ctx workflow.Context, summary string) workflow.Context {
	return runbook.Act(ctx, runbook.RegionQueue(l.place.Region), summary)
}

// leaseIsFree refuses a second recovery of the same target.
func (l *recoveryLease) leaseIsFree(ctx workflow.Context) (runbook.Verdict, error) {
	found, err := begin(l.act(ctx, "read the recovery lease"), leasing.ReadLease, lease.ReadLeaseParams{Place: l.place}).get(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	l.last = found.Last
	verdict := runbook.Verdict{Seen: "the lease is free", Changes: []string{fmt.Sprintf("lease of %s: held by this run, epoch %d", l.what, found.Epoch+1)}}
	switch {
	case found.Held && found.Holder == l.run.Holder():
		l.held = true
		verdict.Seen = "this run holds the lease"
	case found.Held && !found.HolderClosed:
		verdict.Objections = append(verdict.Objections, runbook.Objection{
			Why:     fmt.Sprintf("a recovery of %s is running: %s", l.what, found.Holder),
			Unblock: fmt.Sprintf("watch it with fukkyu status %s, or stop it with fukkyu abort %s --by NAME", workflowOf(found.Holder), workflowOf(found.Holder)),
		})
	case found.Held && found.HolderClosedFor < runbook.LongestActivity:
		verdict.Waiting = fmt.Sprintf("the last activities of %s to be over for certain", found.Holder)
	}
	return verdict, nil
}

func (l *recoveryLease) takeLease(ctx workflow.Context) (string, error) {
	params := lease.AcquireLeaseParams{Place: l.place, Holder: l.run.Holder(), Rest: runbook.LongestActivity}
	taken, err := begin(l.act(ctx, "take the recovery lease"), leasing.AcquireLease, params).get(ctx)
	if err != nil {
		return "", err
	}
	l.epoch = taken.Epoch
	return fmt.Sprintf("epoch %d", taken.Epoch), nil
}

// returnLease gives the lease back as if this run had never been: what it remembers is the recovery before.
func (l *recoveryLease) returnLease(ctx workflow.Context) error { return l.letGo(ctx, l.last) }

func (l *recoveryLease) letGo(ctx workflow.Context, record lease.Record) error {
	params := lease.ReleaseLeaseParams{Place: l.place, Holder: l.run.Holder(), Epoch: l.epoch, Record: record}
	_, err := begin(l.act(ctx, "release the recovery lease"), leasing.ReleaseLease, params).get(ctx)
	return err
}

// keep writes into the lease what a later run must know.
func (l *recoveryLease) keep(ctx workflow.Context, summary string, record lease.Record) error {
	params := lease.RecordLeaseParams{Place: l.place, Holder: l.run.Holder(), Epoch: l.epoch, Record: record}
	_, err := begin(l.act(ctx, summary), leasing.RecordLease, params).get(ctx)
	return err
}

// workflowOf is the workflow ID in a lease's holder.
func workflowOf(holder string) string {
	for i := len(holder) - 1; i >= 0; i-- {
		if holder[i] == '/' {
			return holder[:i]
		}
	}
	return holder
}
