package workflows

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// nothingToPromote says why no replica takes the master's place.
func (r *redisRecovery) nothingToPromote() string {
	if len(r.redis.Replicas) == 0 {
		return "the plan has no replica of redis " + r.redis.Name
	}
	return r.serves()
}

func (r *redisRecovery) nothingWasPromoted() string {
	if r.scheduled || r.run.Rehearsing() && r.nothingToPromote() == "" {
		return ""
	}
	return "nothing was promoted"
}

// choose takes the best replica, and objects when there is none.
func (r *redisRecovery) choose() (objections []runbook.Objection) {
	best, unfit := r.now.successor(r.old.Pod, r.gate)
	r.target = best
	switch {
	case best.Pod == "":
		return []runbook.Objection{{
			Why:     fmt.Sprintf("no replica of redis %s can be promoted: %s", r.redis.Name, cmp.Or(strings.Join(unfit, "; "), "there is none")),
			Unblock: "bring a replica or the master's machine back",
		}}
	case best.Offset == 0 && best.Keys == 0:
		return []runbook.Objection{{
			Guard: GuardDataLoss, Why: fmt.Sprintf("%s, the best replica, has never had the master's data", best.Pod), Unblock: "bring another replica or the master's machine back",
		}}
	}
	return nil
}

func (r *redisRecovery) replicaIsFit(workflow.Context) (runbook.Verdict, error) {
	r.old, _ = r.now.master()
	r.old.Pod = r.now.masterName()
	objections := r.choose()
	verdict := runbook.Verdict{Seen: r.inWords(), Objections: objections}
	if r.target.Pod != "" {
		verdict.Facts = []report.Fact{{Name: "the replica", Value: r.inWords()}}
	}
	return verdict, nil
}

// inWords is the replica that was chosen.
func (r *redisRecovery) inWords() string {
	if r.target.Pod == "" {
		return "no replica can be promoted"
	}
	said := fmt.Sprintf("%s, with %d keys, at offset %d", r.target.Pod, r.target.Keys, r.target.Offset)
	if r.target.Silent > 0 {
		said += fmt.Sprintf("; it heard its master %s ago", r.target.Silent)
	}
	return said
}

// mayFence asks for the decision: from here on the old master may not come back. It looks again, because a master may come back while
// people think.
func (r *redisRecovery) mayFence(ctx workflow.Context) (runbook.Verdict, error) {
	if err := r.look(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	if r.now.isWell() {
		return runbook.Verdict{Objections: []runbook.Objection{{Guard: GuardHealthy, Why: fmt.Sprintf("redis %s is well again: %s", r.redis.Name, r.now)}}}, nil
	}
	r.gate = r.now.estate.RolePrimary
	fit, err := r.replicaIsFit(ctx)
	fit.Question = fmt.Sprintf("Replace master %s of redis %s by %s?", r.old.Pod, r.redis.Name, r.target.Pod)
	fit.Binding = fmt.Sprintf("%s by %s", r.old.Pod, r.target.Pod)
	fit.Undefaultable = r.run.Overridden(GuardUnprovenFence) || r.run.Overridden(GuardDataLoss)
	fit.Changes = []string{fmt.Sprintf("ConfigMap %s: names nobody instead of %s, epoch %d", r.redis.Role, orNone(r.gate), r.epoch)}
	if r.old.UID != "" {
		fit.Changes = append(fit.Changes, fmt.Sprintf("pod %s: deleted; its start gate holds the next one", r.old.Pod))
	}
	return fit, err
}

// fence closes the start gate and has the kubelet end the old master. Neither stops what runs on a machine that nobody reaches: that is
// for the next step to prove.
func (r *redisRecovery) fence(ctx workflow.Context) (string, error) {
	_, err := begin(r.act(ctx, "close the start gate: "+r.redis.Role+" names nobody"), kube.CloseRole, kubernetes.CloseRoleParams{
		Namespace: r.place.Namespace, Region: r.place.Region, Role: r.redis.Role, From: r.gate, Epoch: r.epoch,
	}).get(ctx)
	if err != nil || r.old.UID == "" {
		return "the start gate is closed", err
	}
	return fmt.Sprintf("the start gate is closed; %s is told to end", r.old.Pod), r.deletePod(ctx, r.old)
}

// unfence lets the old master start again.
func (r *redisRecovery) unfence(ctx workflow.Context) error {
	if r.gate == "" {
		return nil
	}
	return r.openGate(ctx, r.gate)
}

func (r *redisRecovery) openGate(ctx workflow.Context, pod string) error {
	_, err := begin(r.act(ctx, "open the start gate for "+pod), kube.OpenRole, kubernetes.OpenRoleParams{
		Namespace: r.place.Namespace, Region: r.place.Region, Role: r.redis.Role, Pod: pod, Epoch: r.epoch,
	}).get(ctx)
	return err
}

func (r *redisRecovery) fenceIsProven(ctx workflow.Context) (runbook.Verdict, error) {
	if r.run.Rehearsing() {
		return runbook.Verdict{Seen: "cannot be known before the fence: a kubelet would have to report that the container is gone, or the power service that the machine is off; now: " + orNone(r.now.power.Said)}, nil
	}
	found, err := r.seekStop(ctx, r.old, r.redis.Container, proofPatience)
	if err != nil {
		return runbook.Verdict{}, err
	}
	const fact = "proof that the old master is stopped"
	if r.stop = found; found.proof != "" {
		return runbook.Verdict{Seen: found.proof, Facts: []report.Fact{{Name: fact, Value: found.proof}}}, nil
	}
	if r.run.Overridden(GuardUnprovenFence) {
		r.run.Unproven()
	}
	return runbook.Verdict{
		Seen: "no proof: " + found.seen, Facts: []report.Fact{{Name: fact, Value: "none: " + found.seen}},
		Objections: []runbook.Objection{{
			Guard: GuardUnprovenFence, Why: fmt.Sprintf("nothing proves that %s is stopped: %s", r.old.Pod, found.seen),
			Unblock: fmt.Sprintf("switch node %s off", orNone(r.old.Node)),
		}},
	}, nil
}

// mayPromote chooses again: the replicas may have received more, or died, while the old master was fenced. Once a promotion was scheduled
// only its replica may be promoted, because it may be a master by now.
func (r *redisRecovery) mayPromote(ctx workflow.Context) (runbook.Verdict, error) {
	if !r.run.Rehearsing() {
		missed := r.target.Silent
		if err := r.look(ctx); err != nil {
			return runbook.Verdict{}, err
		}
		objections := r.choose()
		if len(objections) > 0 {
			return runbook.Verdict{Seen: r.inWords(), Objections: objections}, nil
		}
		r.target.Silent = max(r.target.Silent, missed) // a master has no master to miss
	}
	return runbook.Verdict{Seen: r.inWords(), Changes: []string{
		fmt.Sprintf("ConfigMap %s: names %s", r.redis.Role, r.target.Pod), fmt.Sprintf("%s becomes the master", r.target.Pod),
	}}, nil
}

// promote opens the start gate for the replica first: should it restart in between, it comes back as what it is to become.
func (r *redisRecovery) promote(ctx workflow.Context) (string, error) {
	r.scheduled = true
	if err := r.openGate(ctx, r.target.Pod); err != nil {
		return "", err
	}
	replica, _ := instanceOf(r.now.estate, r.target.Pod)
	_, err := begin(r.act(ctx, "promote "+r.target.Pod), caches.PromoteRedis, redis.PromoteParams{
		Instance: redisAddress(replica), RunID: r.target.RunID, Patience: promotionPatience,
		Proof: cmp.Or(r.stop.proof, "none: "+r.run.Request.By+" lifted the guard "+GuardUnprovenFence),
	}).get(ctx)
	if err != nil {
		return "", err
	}
	r.promoted = true
	return r.target.Pod + " is the master", nil
}

func (r *redisRecovery) mayRedirect(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{
		Seen:    fmt.Sprintf("Service %s sends applications to %s", r.redis.Service, orNone(r.now.estate.ServicePod)),
		Changes: []string{fmt.Sprintf("Service %s: selects %s", r.redis.Service, r.target.Pod)},
	}, nil
}

func (r *redisRecovery) pointApplications(ctx workflow.Context) (string, error) {
	_, err := begin(r.act(ctx, "Service "+r.redis.Service+" selects "+r.target.Pod), kube.PointService, kubernetes.PointServiceParams{
		Namespace: r.place.Namespace, Region: r.place.Region, Service: r.redis.Service, From: r.now.estate.ServicePod, To: r.target.Pod,
	}).get(ctx)
	return fmt.Sprintf("Service %s selects %s", r.redis.Service, r.target.Pod), err
}

// masterWrites writes a key and reads it back. That moment is when Redis was back.
func (r *redisRecovery) masterWrites(ctx workflow.Context) (string, error) {
	master, _ := instanceOf(r.now.estate, r.target.Pod)
	written, err := begin(r.act(ctx, "write to "+master.Pod+" and read it back"), caches.WriteRedisCanary, redis.WriteCanaryParams{
		Instance: redisAddress(master), ID: r.run.Holder(), Patience: canaryPatience,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	r.run.Recovered(written.At)
	return fmt.Sprintf("Service %s selects %s, which takes writes", r.redis.Service, r.target.Pod), nil
}

func (r *redisRecovery) nothingHangs() string {
	if !r.stop.machineOff || r.old.UID == "" {
		return "no pod hangs on a dead machine"
	}
	return ""
}

// freePod removes the pod that nobody is left to remove, so that its StatefulSet can start another one where it may.
func (r *redisRecovery) freePod(ctx workflow.Context) (string, error) {
	_, err := begin(r.act(ctx, "remove "+r.old.Pod+", which hangs on its dead machine"), kube.FreePod, kubernetes.FreePodParams{
		Namespace: r.place.Namespace, Region: r.place.Region, Pod: r.old.Pod, UID: r.old.UID, Proof: r.stop.proof,
	}).get(ctx)
	return r.old.Pod + " is removed", err
}

// awaitFollowers waits for the replicas of the new master. One that is still missing comes by itself when its machine does, and is no
// reason to keep the run.
func (r *redisRecovery) awaitFollowers(ctx workflow.Context) (string, error) {
	wanted := r.now.estate.Wanted() - 1
	master, _ := instanceOf(r.now.estate, r.target.Pod)
	found, err := begin(patiently(r.act(ctx, fmt.Sprintf("wait for %d replicas", wanted)), r.terms.Settle), caches.AwaitRedisReplicas, redis.AwaitReplicasParams{
		Master: redisAddress(master), AtLeast: wanted, Patience: r.terms.Settle,
	}).get(ctx)
	r.followers = found.Replicas
	return fmt.Sprintf("%d of %d replicas follow %s", found.Replicas, wanted, r.target.Pod), err
}
