package workflows

import (
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// somethingToDo says whether the volume holds a data directory of the former primary.
func (j *rejoin) somethingToDo() bool { return needsRewind(j.contents) || j.contents.Rewinding }

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
			checks := checkIntegrity(ctx, j.run, func(ctx workflow.Context) []Finding { return verifyDatabase(ctx, j.run.Plan.Namespace, j.database) })
			return fmt.Sprintf("%s streams from %s, %d bytes behind", j.former, j.primary.Pod, now.Lag), checks.record(ctx)
		case now.Total > 0:
			j.run.Fact("clone", progressInWords(now.Copied, now.Total, took))
		case took > cloneBudget:
			return "", fmt.Errorf("%s does not stream after %s: %s; see its pod and the log of its start gate", j.former, cloneBudget, now.Seen)
		}
	}
}
