package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// receiversPatience is how long WAL receivers may take to end and replay to catch up with them.
const receiversPatience = 15 * time.Second

// mayFence asks for the decision: from here on the estate is changed. If a person took time to agree, the facts are looked
// at again, because a primary may come back while people think.
func (f *databaseFailover) mayFence(ctx workflow.Context) (runbook.Verdict, error) {
	var objections []runbook.Objection
	if workflow.Now(ctx).Sub(f.evidence.Gathered) > evidenceFreshness {
		gone, err := f.primaryIsGone(ctx)
		if err != nil {
			return gone, err
		}
		fit, err := f.replicaIsFit(ctx)
		if err != nil {
			return fit, err
		}
		objections = append(gone.Objections, fit.Objections...)
	}
	verdict := f.decision()
	verdict.Changes = []string{
		fmt.Sprintf("ConfigMap %s: names nobody instead of %s, epoch %d", f.database.Role, orNone(f.old.Pod), f.epoch),
	}
	hold, err := kubernetes.HoldDownPlan(f.oldSet, f.old.Ordinal)
	if err != nil {
		objections = append(objections, f.cannotHoldDown(err)...)
	} else {
		verdict.Changes = append(verdict.Changes, hold)
	}
	if len(f.oldSet.FieldManagers) > 0 {
		verdict.Facts = append(verdict.Facts, report.Fact{Name: "may undo the fence", Value: fmt.Sprintf(
			"%s also write the replicas of StatefulSet %s", strings.Join(f.oldSet.FieldManagers, ", "), f.oldSet.Name)})
	}
	verdict.Objections = objections
	return verdict, nil
}

// cannotHoldDown objects to a pod that its StatefulSet would bring back, unless a start gate keeps it from being a primary.
func (f *databaseFailover) cannotHoldDown(cause error) []runbook.Objection {
	if f.database.StartGate {
		return nil
	}
	return []runbook.Objection{{
		Why:     fmt.Sprintf("%s would come back as a primary: %s, and database %s has no start gate", f.old.Pod, cause, f.database.Name),
		Unblock: "give the estate a start gate (startGate in the plan)",
	}}
}

// decision is what people agree to: which replica becomes the primary, and what is lost by it. Both approvals of the
// runbook bind to it, so that the second is asked only when the first no longer fits.
func (f *databaseFailover) decision() runbook.Verdict {
	return runbook.Verdict{
		Seen:          f.choiceInWords(),
		Question:      fmt.Sprintf("Replace primary %s of database %s by %s?", orNone(f.old.Pod), f.database.Name, f.target.Pod),
		Binding:       fmt.Sprintf("%s by %s losing %d bytes", f.old.Pod, f.target.Pod, f.choice.Loss.Bytes),
		Facts:         append(append(f.choiceFacts(), report.Fact{Name: "the primary", Value: f.evidence.String()}), f.powerFact()...),
		Undefaultable: f.choice.Loss.Bytes > 0 || !f.choice.Loss.Bounded || f.run.Overridden(GuardUnprovenFence),
	}
}

// fence closes the start gate and takes the old primary's pod out of its StatefulSet. Neither stops what still runs there:
// that is for the next step to prove.
func (f *databaseFailover) fence(ctx workflow.Context) (string, error) {
	if err := f.remember(ctx, phaseFenced); err != nil {
		return "", err
	}
	closing := begin(f.act(ctx, "close the start gate: "+f.database.Role+" names nobody"), kube.CloseRole, kubernetes.CloseRoleParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Role: f.database.Role, From: f.estate.RolePrimary, Epoch: f.epoch,
	})
	if _, err := closing.get(ctx); err != nil {
		return "", err
	}
	if f.oldSet.Name == "" {
		return "the start gate is closed; no StatefulSet would bring " + f.old.Pod + " back", nil
	}
	held, err := begin(f.act(ctx, "keep "+f.old.Pod+" from coming back"), kube.HoldDown, kubernetes.HoldDownParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Pod: f.old.Pod, Before: f.oldSet,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	return "the start gate is closed; " + held.How, nil
}

// unfence puts back the StatefulSet and the role object as they were found.
func (f *databaseFailover) unfence(ctx workflow.Context) error {
	if f.oldSet.Name != "" {
		params := kubernetes.LetUpParams{Namespace: f.run.Plan.Namespace, Region: f.database.Region, Pod: f.old.Pod, Before: f.oldSet}
		if _, err := begin(f.act(ctx, "let "+f.old.Pod+" come back"), kube.LetUp, params).get(ctx); err != nil {
			return err
		}
	}
	if f.estate.RolePrimary == "" {
		return nil
	}
	_, err := begin(f.act(ctx, "open the start gate for "+f.old.Pod), kube.OpenRole, kubernetes.OpenRoleParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Role: f.database.Role, Pod: f.estate.RolePrimary, Epoch: f.epoch,
	}).get(ctx)
	return err
}

// fenceIsProven looks for one proof that the old primary is stopped: its machine is off, or its kubelet says that the
// container is gone. Silence is no proof.
func (f *databaseFailover) fenceIsProven(ctx workflow.Context) (runbook.Verdict, error) {
	if f.run.Rehearsing() {
		return f.foreseeProof(), nil
	}
	proof, seen, err := f.seekProof(ctx, proofPatience)
	if err != nil {
		return runbook.Verdict{}, err
	}
	f.proof = proof
	if proof != "" {
		return runbook.Verdict{Seen: proof, Facts: []report.Fact{{Name: "proof that the old primary is stopped", Value: proof}}}, nil
	}
	if f.run.Overridden(GuardUnprovenFence) {
		f.run.Unproven()
	}
	return runbook.Verdict{
		Seen: "no proof: " + seen, Facts: []report.Fact{{Name: "proof that the old primary is stopped", Value: "none: " + seen}},
		Objections: []runbook.Objection{{
			Guard: GuardUnprovenFence, Why: fmt.Sprintf("nothing proves that %s is stopped: %s", f.old.Pod, seen),
			Unblock: fmt.Sprintf("switch node %s off", orNone(f.old.Node)),
		}},
	}, nil
}

// seekProof looks for a proof that the old primary is stopped. Without one it returns what was seen.
func (f *databaseFailover) seekProof(ctx workflow.Context, patience time.Duration) (proof, seen string, err error) {
	found, err := f.seekStop(ctx, f.old, f.database.Container, patience)
	f.machineOff = f.machineOff || found.machineOff
	return found.proof, found.seen, err
}

// foreseeProof says what can be known of the proof before anything is fenced.
func (f *databaseFailover) foreseeProof() runbook.Verdict {
	if f.evidence.Power.State == power.Off {
		return runbook.Verdict{Seen: "would be proven at once: " + f.evidence.Power.Said}
	}
	return runbook.Verdict{Seen: "cannot be known before the fence: the machine is not off, so the kubelet would have to report that the container is gone; now: " + f.evidence.Power.Said}
}

// stopReceiving ends what the replicas still receive, so that their positions stand still and can be compared.
func (f *databaseFailover) stopReceiving(ctx workflow.Context) (string, error) {
	params := postgres.StopReceivingParams{Database: f.database.Name, Catalog: f.database.Catalog, Patience: receiversPatience}
	for _, replica := range f.replicas() {
		params.Instances = append(params.Instances, address(replica))
	}
	stopped, err := begin(f.act(ctx, "stop the replicas' WAL receivers"), servers.StopReceiving, params).get(ctx)
	if err != nil {
		return "", err
	}
	var positions []string
	for _, server := range stopped.Servers {
		if server.Reached {
			positions = append(positions, fmt.Sprintf("%s at %s", server.Pod, progress(server)))
		}
	}
	return strings.Join(positions, ", "), nil
}
