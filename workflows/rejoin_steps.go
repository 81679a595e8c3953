package workflows

import (
	"errors"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// The budgets of the steps, for a database of ordinary size. What takes longer is shown as it goes on and is never cut off.
const (
	openBudget   = time.Minute
	ledgerBudget = 5 * time.Minute
	rewindBudget = 10 * time.Minute
)

const (
	// jobPatience is how long one look at a job in the maintenance pod lasts. A job may take many of them.
	jobPatience = 20 * time.Second
	// podPatience is how long the maintenance pod may take to run, or to be gone.
	podPatience = 25 * time.Second
	// reopenings is how often one step replaces a maintenance pod that was lost before a person has to look.
	reopenings = 3
)

// rejoin brings one former primary back as a replica of its successor and keeps the rows that only it has. It needs the first five of its
// fields, which may be known as late as its first step runs; the rest is what its steps learn from each other. The former primary's pod
// must be held down.
type rejoin struct {
	run      *runbook.Run
	database plan.Database
	former   string            // pod of the former primary
	primary  postgres.Instance // the new one
	epoch    int64             // of the lease

	set      kubernetes.Set // of the former primary, as it was before its pod was held down
	mount    string         // of the volume in the maintenance pod
	contents volume.Contents
	fork     postgres.LSN // where the two histories part
	taken    bool         // the data directory may have been moved
	lost     volume.FindLostResult
	kept     bool // every lost row that can be kept is in the ledger, or none was lost
	ledger   volume.Ledger
	aside    string // why the data directory is kept aside and a clone takes its place; empty: it is rewound
	follows  postgres.AwaitReplicaResult
}

// volumes is never called here, only named.
var volumes *volume.Activities

// steps are those of a rejoin without those of a lease. Before the rewind they can be undone.
func (j *rejoin) steps() []runbook.Step {
	return []runbook.Step{
		{
			Name: "Open the former primary's volume", Budget: openBudget,
			Guard: j.mayOpen, Do: j.open, Undo: j.undo,
		},
		{
			Name: "Compare it with the new primary", Budget: quickBudget,
			Guard: j.belongsTogether,
		},
		{
			Name: "Keep the rows that only it has", Budget: ledgerBudget,
			Do: j.keepRows,
		},
		{
			Name: "Rewind it to the new primary's history", Budget: rewindBudget, PointOfNoReturn: true,
			Guard: j.foreseeRewind, Do: j.rewind,
		},
		{
			Name: "Let it come back", Budget: openBudget,
			Guard: j.foreseeReturn, Do: j.comeBack,
		},
		{
			Name: "See it stream from the new primary", Budget: cloneBudget,
			Verify: j.streams,
		},
	}
}

func (j *rejoin) act(ctx workflow.Context, summary string) workflow.Context {
	return runbook.Act(ctx, runbook.RegionQueue(j.database.Region), summary)
}

func (j *rejoin) place() volume.Place {
	return volume.Place{Namespace: j.run.Plan.Namespace, Region: j.database.Region, Database: j.database.Name, Pod: j.former, Container: j.database.Container, Mount: j.mount}
}

// mayOpen lets nobody work on a volume whose own pod is there or may come at any moment.
func (j *rejoin) mayOpen(ctx workflow.Context) (runbook.Verdict, error) {
	params := kubernetes.ReadEstateParams{Namespace: j.run.Plan.Namespace, Database: j.database}
	estate, err := begin(j.act(ctx, "read pods, StatefulSets, role object and Service"), kube.ReadEstate, params).get(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	verdict := runbook.Verdict{
		Seen:    fmt.Sprintf("%s is held down", j.former),
		Changes: []string{fmt.Sprintf("pod %s-rejoin: runs PostgreSQL's programs on the volume of %s, no server for anybody else", j.former, j.former)},
	}
	refuse := func(why, unblock string) {
		verdict.Objections = append(verdict.Objections, runbook.Objection{Why: why, Unblock: unblock})
	}
	name, ordinal := kubernetes.SetOf(j.former)
	before, unheld := setOf(estate, name).With(ordinal)
	pod, there := instanceOf(estate, j.former)
	switch {
	case estate.RolePrimary == j.former:
		refuse(fmt.Sprintf("ConfigMap %s names %s as the primary", j.database.Role, j.former), "a primary is never rewound")
	case estate.Wants(j.former):
		refuse(fmt.Sprintf("StatefulSet %s wants %s: its start gate decides about its data", name, j.former), fmt.Sprintf("see pod %s; it may be a replica already", j.former))
	case unheld != nil:
		refuse(unheld.Error(), fmt.Sprintf("let StatefulSet %s want %s again, which clones the new primary", name, j.former))
	case there && pod.Deleting && pod.NodeReady:
		verdict.Waiting = fmt.Sprintf("pod %s to end", j.former)
	case there:
		refuse(fmt.Sprintf("pod %s is still there, on node %s, which is %s", j.former, orNone(pod.Node), readiness(pod.NodeReady)), "switch the machine on, or delete the pod when it is proven stopped")
	}
	j.set = before
	return verdict, nil
}

// open makes the maintenance pod, or finds it.
func (j *rejoin) open(ctx workflow.Context) (string, error) {
	opened, err := begin(j.act(ctx, "open the volume of "+j.former), volumes.OpenVolume, volume.OpenVolumeParams{
		Place: j.place(), StatefulSet: j.set.Name, Holder: j.run.Holder(), Epoch: j.epoch, Patience: podPatience,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	j.mount = opened.Mount
	return fmt.Sprintf("pod %s-rejoin on node %s has the volume", j.former, opened.Node), nil
}

// close removes the maintenance pod.
func (j *rejoin) close(ctx workflow.Context) error {
	_, err := begin(j.act(ctx, "close the volume of "+j.former), volumes.CloseVolume, volume.CloseVolumeParams{Place: j.place(), Patience: podPatience}).get(ctx)
	return err
}

// undo puts the data directory back where it was found and removes the maintenance pod.
func (j *rejoin) undo(ctx workflow.Context) error {
	if j.taken {
		err := j.onVolume(ctx, func() error {
			_, err := begin(j.act(ctx, "put the data directory back"), volumes.RestoreData, volume.RestoreDataParams{Place: j.place(), Epoch: j.epoch}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return j.close(ctx)
}

// onVolume does something on the volume, and once more in a new maintenance pod when the one that there was is gone.
func (j *rejoin) onVolume(ctx workflow.Context, do func() error) error {
	for opened := 0; ; opened++ {
		err := do()
		var failed *temporal.ApplicationError
		if !errors.As(err, &failed) || failed.Type() != volume.Closed || opened == reopenings {
			return err
		}
		if _, err := j.open(ctx); err != nil {
			return err
		}
	}
}

// belongsTogether reads both sides. A data directory of another system, or of a history that the new primary does not descend from, is
// never touched.
func (j *rejoin) belongsTogether(ctx workflow.Context) (runbook.Verdict, error) {
	if j.run.Rehearsing() {
		return runbook.Verdict{Seen: "cannot be known before the volume is open"}, nil
	}
	reading := begin(j.act(ctx, "read "+j.primary.Pod), servers.ReadServers, postgres.ReadServersParams{
		Database: j.database.Name, Catalog: j.database.Catalog, Instances: []postgres.Instance{j.primary}, Timeout: probeTimeout,
	})
	err := j.onVolume(ctx, func() (err error) {
		j.contents, err = begin(j.act(ctx, "inspect the volume of "+j.former), volumes.InspectVolume, volume.InspectVolumeParams{Place: j.place()}).get(ctx)
		return err
	})
	if err != nil {
		return runbook.Verdict{}, err
	}
	read, err := reading.get(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	compared := compareHistories(j.former, j.contents, read.Servers[0])
	j.fork = compared.fork
	verdict := runbook.Verdict{Seen: compared.seen, Facts: []report.Fact{{Name: "volume of " + j.former, Value: describeContents(j.contents)}}}
	if compared.fork > 0 {
		verdict.Facts = append(verdict.Facts, report.Fact{Name: "histories part", Value: fmt.Sprintf("at %s on timeline %d", compared.fork, j.contents.Timeline)})
	}
	if compared.never != "" {
		verdict.Objections = []runbook.Objection{{Why: compared.never, Unblock: compared.unblock}}
	}
	return verdict, nil
}
