package workflows

import (
	"errors"
	"fmt"
	"strings"
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

// somethingToDo says whether the volume holds a data directory of the former primary.
func (j *rejoin) somethingToDo() bool { return needsRewind(j.contents) || j.contents.Rewinding }

// keepRows writes the ledger: what was committed after the fork is read from the WAL, the rows from a server that replays it in isolation.
func (j *rejoin) keepRows(ctx workflow.Context) (string, error) {
	if j.contents.At == volume.AtWork {
		if known, err := j.knownLedger(ctx); err != nil || known {
			return j.lossInWords(), err
		}
	}
	if !needsRewind(j.contents) {
		j.kept = !j.contents.Rewinding
		return "there is nothing to keep", nil
	}
	if err := j.findLost(ctx); err != nil {
		return "", err
	}
	if j.lost.Incomplete != "" {
		j.aside = j.lost.Incomplete
		return "its rows cannot be told apart: " + j.lost.Incomplete, nil
	}
	var err error
	switch {
	case j.lost.Transactions > 0:
		err = j.writeLedger(ctx)
	case !j.contents.Clean():
		err = j.replay(ctx) // only a server that was shut down in order can be rewound
	}
	if err != nil {
		return "", err
	}
	j.kept = true
	return j.lossInWords(), nil
}

// knownLedger finds the ledger of an earlier run that did not come to its end.
func (j *rejoin) knownLedger(ctx workflow.Context) (bool, error) {
	var known volume.ReadLedgerResult
	err := j.onVolume(ctx, func() (err error) {
		params := volume.ReadLedgerParams{Place: j.place(), Home: j.contents.Home, Epoch: j.epoch}
		known, err = begin(j.act(ctx, "look for a ledger on the volume of "+j.former), volumes.ReadLedger, params).get(ctx)
		return err
	})
	if err != nil || !known.Found {
		return false, err
	}
	j.taken, j.kept, j.ledger, j.lost = true, true, known.Ledger, known.Ledger.Lost
	j.showLedger()
	return true, nil
}

func (j *rejoin) findLost(ctx workflow.Context) error {
	j.taken = true
	for !j.lost.Done {
		err := j.onVolume(ctx, func() error {
			if _, err := begin(j.act(ctx, "move the data directory to a folder of its own"), volumes.TakeData, volume.TakeDataParams{Place: j.place()}).get(ctx); err != nil {
				return err
			}
			found, err := begin(j.act(ctx, "read the WAL after the fork"), volumes.FindLost, volume.FindLostParams{
				Place: j.place(), Timeline: j.contents.Timeline, Fork: j.fork, Checkpoint: j.contents.Checkpoint, SegmentSize: j.contents.SegmentSize, Patience: jobPatience,
			}).get(ctx)
			j.lost = found
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replay lets the data directory replay its own WAL in isolation. It is then clean, and can be read.
func (j *rejoin) replay(ctx workflow.Context) error {
	for {
		var replayed volume.ReplayResult
		err := j.onVolume(ctx, func() (err error) {
			replayed, err = begin(j.act(ctx, "let "+j.former+" replay its WAL in isolation"), volumes.Replay, volume.ReplayParams{
				Place: j.place(), Past: j.lost.End, Patience: jobPatience,
			}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
		j.run.Fact("replay", replayed.Seen)
		if replayed.Done {
			return nil
		}
	}
}

func (j *rejoin) writeLedger(ctx workflow.Context) error {
	for {
		var written volume.WriteLedgerResult
		err := j.onVolume(ctx, func() (err error) {
			// Each time, because in a pod that was replaced nothing runs any more.
			if err := j.replay(ctx); err != nil {
				return err
			}
			written, err = begin(j.act(ctx, "write down the rows that only "+j.former+" has"), volumes.WriteLedger, volume.WriteLedgerParams{
				Place: j.place(), Home: j.contents.Home, SystemID: j.contents.SystemID, Timeline: j.contents.Timeline, Fork: j.fork,
				XIDEpoch: j.contents.XIDEpoch, Lost: j.lost, Epoch: j.epoch, Patience: jobPatience,
			}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if written.Done {
			j.ledger = written.Ledger
			j.showLedger()
			return nil
		}
	}
}

// showLedger puts the summary into the report: tables, counts, when, the first keys, and where the whole of it is.
func (j *rejoin) showLedger() {
	j.run.Fact("ledger", fmt.Sprintf("%s on the volume of %s, sha256 %s", j.ledger.Path, j.former, j.ledger.SHA256))
	for _, table := range j.ledger.Tables {
		j.run.Fact("ledger: "+table.Name, fmt.Sprintf("%d rows; changes: %d inserted, %d updated, %d deleted; keys: %s",
			table.Rows, table.Inserted, table.Updated, table.Deleted, orNone(strings.Join(table.Keys, ", "))))
	}
	for i, note := range j.ledger.Notes {
		j.run.Fact(fmt.Sprintf("ledger: note %d", i+1), note)
	}
}

// foreseeRewind says what becomes of the data directory.
func (j *rejoin) foreseeRewind(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{Changes: []string{fmt.Sprintf("volume of %s: its data directory becomes one of %s's history; if it cannot, it is kept aside and a clone takes its place", j.former, j.primary.Pod)}}, nil
}

// rewind lets pg_rewind do it, and decides for a clone when it cannot or did not come to its end.
func (j *rejoin) rewind(ctx workflow.Context) (string, error) {
	switch {
	case !j.somethingToDo():
		return "there is nothing to rewind", nil
	case j.contents.Rewinding:
		j.aside = "an earlier rewind was interrupted"
	case !j.kept && j.aside == "":
		j.aside = "the rows that only it has were not kept"
	}
	if j.aside == "" {
		if err := j.rewindUntilDone(ctx); err != nil {
			return "", err
		}
	}
	switch {
	case j.aside == "":
		return fmt.Sprintf("%s has the history of %s", j.former, j.primary.Pod), nil
	case !j.database.StartGate:
		return "", fmt.Errorf("%s cannot be rewound: %s; without a start gate nobody clones %s, so do it by hand on its volume", j.former, j.aside, j.primary.Pod)
	default:
		j.run.Fact("not rewound", j.aside)
		return fmt.Sprintf("%s is not rewound, it clones %s: %s", j.former, j.primary.Pod, j.aside), nil
	}
}

func (j *rejoin) rewindUntilDone(ctx workflow.Context) error {
	began := workflow.Now(ctx)
	for {
		var now volume.RewindResult
		err := j.onVolume(ctx, func() (err error) {
			now, err = begin(j.act(ctx, "rewind "+j.former), volumes.Rewind, volume.RewindParams{
				Place: j.place(), Host: j.database.Service, Port: j.database.Port, Catalog: j.database.Catalog, Patience: jobPatience,
			}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if now.Total > 0 {
			j.run.Fact("rewind", progressInWords(now.Copied, now.Total, workflow.Now(ctx).Sub(began)))
		}
		switch {
		case now.Done:
			return nil
		case now.Impossible != "":
			j.aside = now.Impossible
			return nil
		case now.Half != "":
			j.aside = "the rewind did not come to its end: " + now.Half
			return nil
		case now.Unclean:
			if err := j.replay(ctx); err != nil {
				return err
			}
		}
	}
}

// foreseeReturn says what lets the pod come back.
func (j *rejoin) foreseeReturn(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{Changes: []string{fmt.Sprintf("StatefulSet %s: wants %s again", j.set.Name, j.former)}}, nil
}

// comeBack puts the data directory in place, or keeps it aside, and lets the StatefulSet bring the pod back. The start gate starts
// the one as the replica that it is, and clones in place of the other.
func (j *rejoin) comeBack(ctx workflow.Context) (string, error) {
	if j.contents.At != volume.Nowhere {
		err := j.onVolume(ctx, func() error {
			_, err := begin(j.act(ctx, "put the data directory of "+j.former+" in place"), volumes.ReturnData, volume.ReturnDataParams{
				Place: j.place(), Epoch: j.epoch, Rewound: j.aside == "" && (needsRewind(j.contents) || j.contents.Rewound),
			}).get(ctx)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if err := j.close(ctx); err != nil {
		return "", err
	}
	params := kubernetes.LetUpParams{Namespace: j.run.Plan.Namespace, Region: j.database.Region, Pod: j.former, Before: j.set}
	_, err := begin(j.act(ctx, "let "+j.former+" come back"), kube.LetUp, params).get(ctx)
	return fmt.Sprintf("StatefulSet %s wants %s again", j.set.Name, j.former), err
}

// streams waits until the pod streams from the new primary, which after a clone may take as long as that.
func (j *rejoin) streams(ctx workflow.Context) (string, error) {
	began := workflow.Now(ctx)
	for {
		now, err := begin(j.act(ctx, "wait for "+j.former+" to stream from "+j.primary.Pod), servers.AwaitReplica, postgres.AwaitReplicaParams{
			Database: j.database.Name, Catalog: j.database.Catalog, Primary: j.primary, Replica: j.former, Patience: jobPatience,
		}).get(ctx)
		if err != nil {
			return "", err
		}
		j.follows = now
		took := workflow.Now(ctx).Sub(began)
		switch {
		case now.Streaming:
			j.run.Fact("replica", fmt.Sprintf("%s streams, %d bytes behind, replication slot %s", j.former, now.Lag, orWord(now.Slot, "none")))
			return fmt.Sprintf("%s streams from %s, %d bytes behind", j.former, j.primary.Pod, now.Lag), nil
		case now.Total > 0:
			j.run.Fact("clone", progressInWords(now.Copied, now.Total, took))
		case took > cloneBudget:
			return "", fmt.Errorf("%s does not stream after %s: %s; see its pod and the log of its start gate", j.former, cloneBudget, now.Seen)
		}
	}
}

// holds is what is kept on the volume.
func (j *rejoin) holds() []string {
	var holds []string
	if j.ledger.Path != "" {
		holds = append(holds, fmt.Sprintf("the ledger of %d rows that only %s had is kept on its volume: %s, sha256 %s", j.ledger.Rows, j.former, j.ledger.Path, j.ledger.SHA256))
	}
	if j.aside != "" {
		holds = append(holds, fmt.Sprintf("its old data directory is kept on its volume in %s/data until a person removes it: %s", volume.KeptIn(j.contents.Home, j.epoch), j.aside))
	}
	return holds
}

// lossInWords says what only the former primary had.
func (j *rejoin) lossInWords() string {
	switch {
	case j.lost.Incomplete != "":
		return "what only " + j.former + " has cannot be counted: " + j.lost.Incomplete
	case !j.lost.Done:
		return "what only " + j.former + " has was not counted"
	case j.lost.Transactions == 0:
		return "no transaction was committed on " + j.former + " alone: the ledger is empty"
	default:
		return fmt.Sprintf("%d transactions were committed on %s alone, from %s to %s; they left %d rows, which are in the ledger", j.lost.Transactions, j.former,
			j.lost.First.UTC().Format(time.RFC3339Nano), j.lost.Last.UTC().Format(time.RFC3339Nano), j.ledger.Rows)
	}
}
