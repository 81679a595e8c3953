package workflows

import (
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// RedisRecoveryGuards lists the guards of a Redis recovery that a person may override.
func RedisRecoveryGuards() []string { return []string{GuardHealthy, GuardDataLoss, GuardUnprovenFence} }

// RedisRecoveryRequest is the one JSON argument that starts the recovery of a Redis.
type RedisRecoveryRequest struct {
	runbook.Request
	Redis string `json:"redis"` // a Redis of the plan
}

// redisRecovery brings a Redis back. It tries what keeps all data first: the master comes back by itself, or with a new pod. A replica takes
// its place only when it does not, and only after it is proven to be stopped.
type redisRecovery struct {
	recoveryLease
	redis plan.Redis
	terms plan.RedisRecovery

	now       redisState
	forced    bool                // a person wants a new pod for a master that is well
	hopeless  string              // why the master's pod does not come back, however long it is waited for
	helped    string              // what made it well
	old       kubernetes.Instance // the master that is replaced
	gate      string              // whom the start gate named before the fence
	stop      stopProof           // of the old master
	target    redis.Server        // the replica that becomes master
	scheduled bool                // its promotion was scheduled: it may have happened
	promoted  bool                // it has
	followers int                 // replicas of the new master, as last seen
}

// RedisRecovery is the workflow.
func RedisRecovery(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request RedisRecoveryRequest
	example := RedisRecoveryRequest{Request: runbook.Request{By: "yuki", Reason: "sessions are gone"}, Redis: "redis"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: RedisRecoveryName, Guards: RedisRecoveryGuards()}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	server, found := run.Plan.RedisServer(request.Redis)
	if !found {
		return report.Report{}, runbook.Refuse("redis %q is not in plan %s: %s", request.Redis, run.Plan.Name, orNone(strings.Join(run.Plan.RedisNames(), ", ")))
	}
	run.Target("redis " + server.Name)
	r := &redisRecovery{
		recoveryLease: recoveryLease{
			run: run, what: "redis " + server.Name,
			place: lease.Place{Namespace: run.Plan.Namespace, Region: server.Region, Target: "redis-" + server.Name},
		},
		redis: server, terms: run.Plan.Runbooks.RedisRecovery,
	}
	return run.Conduct(ctx, r.runbook())
}

func (r *redisRecovery) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Guard: r.leaseIsFree, Do: r.takeLease, Undo: r.returnLease,
			},
			{
				Name: "Find out whether Redis is sick", Budget: quickBudget,
				Guard: r.isSick,
			},
			{
				Name: "Let the master come back by itself", Budget: r.terms.Settle, Bookkeeping: true, Settled: r.waitingIsNoUse,
				Do: r.letItComeBack,
			},
			{
				Name: "Replace its pod", Budget: r.terms.Settle, Settled: r.replacingIsNoUse,
				Guard: r.mayReplace, Approval: &r.terms.Approval, Do: r.replacePods,
			},
			{
				Name: "Choose the replica", Budget: quickBudget, Settled: r.nothingToPromote,
				Guard: r.replicaIsFit,
			},
			{
				Name: "Fence the old master", Budget: quickBudget, Settled: r.nothingToPromote,
				Guard: r.mayFence, Approval: &r.terms.Approval, Do: r.fence, Undo: r.unfence,
			},
			{
				Name: "Prove that the old master is stopped", Budget: proofBudget, Settled: r.nothingToPromote,
				Guard: r.fenceIsProven,
			},
			{
				Name: "Promote the replica", Budget: promotionBudget, Settled: r.nothingToPromote, PointOfNoReturn: true,
				Guard: r.mayPromote, Do: r.promote,
			},
			{
				Name: "Point the applications at the new master", Budget: quickBudget, Settled: r.nothingWasPromoted,
				Guard: r.mayRedirect, Do: r.pointApplications, Verify: r.masterWrites,
			},
			{
				Name: "Free the old master's pod", Budget: quickBudget, Settled: r.nothingHangs,
				Do: r.freePod,
			},
			{
				Name: "Restore redundancy", Budget: r.terms.Settle, Settled: r.nothingWasPromoted,
				Do: r.awaitFollowers,
			},
			{
				Name: "Verify Redis", Budget: proofBudget,
				Verify: r.isWell,
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Do: func(ctx workflow.Context) (string, error) { return "", r.returnLease(ctx) },
			},
		},
		Conclude: r.conclude,
		HandOver: r.handOver,
	}
}

// isSick refuses to touch a Redis that is well.
func (r *redisRecovery) isSick(ctx workflow.Context) (runbook.Verdict, error) {
	if err := r.look(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	verdict := runbook.Verdict{Seen: r.now.String()}
	if r.now.isWell() {
		r.forced = r.run.Overridden(GuardHealthy)
		verdict.Objections = []runbook.Objection{{Guard: GuardHealthy, Why: fmt.Sprintf("redis %s is well: %s", r.redis.Name, r.now), Unblock: "look at what uses it: fukkyu diagnose"}}
		return verdict, nil
	}
	r.run.Detected(workflow.Now(ctx))
	verdict.Facts = []report.Fact{{Name: "cause", Value: r.now.String()}}
	return verdict, nil
}

// waitingIsNoUse says why the master is not waited for: a replica can take over, and its machine is gone.
func (r *redisRecovery) waitingIsNoUse() string {
	if why := r.now.machineGone(); why != "" && len(r.redis.Replicas) > 0 {
		return why
	}
	return r.serves()
}

// serves says that nothing needs to be done.
func (r *redisRecovery) serves() string {
	if r.now.isWell() {
		return "redis " + r.redis.Name + " serves"
	}
	return ""
}

func (r *redisRecovery) letItComeBack(ctx workflow.Context) (string, error) {
	return r.settle(ctx, "patience")
}

func (r *redisRecovery) replacingIsNoUse() string {
	switch gone := r.now.machineGone(); {
	case r.forced:
		return ""
	case r.now.isWell():
		return r.serves()
	case gone != "":
		return gone
	case len(r.now.toReplace()) == 0:
		return "there is no pod"
	case r.hopeless != "" && len(r.redis.Replicas) > 0:
		return "a new pod would fare no better: " + r.hopeless
	}
	return ""
}

func (r *redisRecovery) mayReplace(workflow.Context) (runbook.Verdict, error) {
	verdict := runbook.Verdict{Question: fmt.Sprintf("Replace the pod of redis %s?", r.redis.Name), Binding: "replace"}
	for _, pod := range r.now.toReplace() {
		verdict.Changes = append(verdict.Changes, fmt.Sprintf("pod %s: deleted; its StatefulSet starts it anew", pod.Pod))
	}
	return verdict, nil
}

func (r *redisRecovery) replacePods(ctx workflow.Context) (string, error) {
	var gone []string
	r.forced = false
	for _, pod := range r.now.toReplace() {
		if err := r.deletePod(ctx, pod); err != nil {
			return "", err
		}
		gone = append(gone, pod.UID)
	}
	return r.settle(ctx, "a new pod", gone...)
}

func (r *redisRecovery) deletePod(ctx workflow.Context, pod kubernetes.Instance) error {
	_, err := begin(r.act(ctx, "delete pod "+pod.Pod), kube.DeletePod, kubernetes.DeletePodParams{
		Namespace: r.place.Namespace, Region: r.place.Region, Pod: pod.Pod, UID: pod.UID,
	}).get(ctx)
	return err
}

// isWell looks at the servers once more. What it returns as an error brings a person, or ends a run that another one began.
func (r *redisRecovery) isWell(ctx workflow.Context) (string, error) {
	if err := r.look(ctx); err != nil {
		return "", err
	}
	if !r.now.isWell() {
		return "", fmt.Errorf("redis %s is still sick: %s", r.redis.Name, r.now)
	}
	r.run.Recovered(workflow.Now(ctx))
	checks := checkIntegrity(ctx, r.run, func(ctx workflow.Context) []Finding { return verifyRedisServer(ctx, r.place.Namespace, r.redis) })
	return r.now.String(), checks.record(ctx)
}

func (r *redisRecovery) conclude(made *report.Report) {
	made.RPO.How = "not measured: the master kept its data"
	if r.scheduled {
		silent := r.target.Silent
		made.RPO.Measured = &silent
		made.RPO.How = fmt.Sprintf("how long before its promotion %s had last heard the old master, rounded up to seconds", r.target.Pod)
	}
	if made.RTO.Measured != nil {
		made.RTO.How = "until the master took a write and read it back, or was seen to serve"
	}
	switch {
	case made.Outcome == report.Rehearsed:
		made.Summary = rehearsal(made)
	case made.Outcome.ServiceIsBack() && r.promoted:
		made.Summary = fmt.Sprintf("%s replaced %s as the master of redis %s; proof that the old one is stopped: %s", r.target.Pod, orNone(r.old.Pod), r.redis.Name, orNone(r.stop.proof))
		if wanted := r.now.estate.Wanted() - 1; r.followers < wanted {
			made.Next = append(made.Next, fmt.Sprintf("%d of %d replicas follow %s: the others follow by themselves when their machines are back; see fukkyu verify", r.followers, wanted, r.target.Pod))
		}
	case made.Outcome.ServiceIsBack():
		made.Summary = fmt.Sprintf("redis %s serves: %s", r.redis.Name, orDone(r.helped))
	case !r.now.isWell():
		made.Missing = append(made.Missing, fmt.Sprintf("redis %s is still sick: %s", r.redis.Name, r.now))
		made.Next = append(made.Next, fmt.Sprintf("fukkyu run %s --redis %s --by NAME", RedisLoss.Name, r.redis.Name))
	}
}

// handOver says what stands when the run stops after the promotion was scheduled.
func (r *redisRecovery) handOver(ctx workflow.Context, made *report.Report) error {
	made.Holds = append(made.Holds, fmt.Sprintf("the start gate keeps every server but %s from starting as a master", r.target.Pod))
	if r.promoted {
		made.Holds = append(made.Holds, fmt.Sprintf("%s is the master of redis %s", r.target.Pod, r.redis.Name))
	} else {
		made.Missing = append(made.Missing, fmt.Sprintf("nobody knows whether %s was promoted", r.target.Pod))
	}
	if made.Clocks.Recovered.IsZero() {
		made.Missing = append(made.Missing, fmt.Sprintf("no write to %s has been seen", r.target.Pod))
	}
	made.Next = append(made.Next, fmt.Sprintf("fukkyu run %s --redis %s --by NAME goes on where this run stopped", RedisLoss.Name, r.redis.Name))
	return r.returnLease(ctx)
}
