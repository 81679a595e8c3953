package workflows

import (
	"cmp"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// changeRedisRunbook marks in a history full outages that have a run of its own bring a Redis back. Those that began before it do so
// themselves, as is here.
const changeRedisRunbook = "redis-runbook"

// redisPatience is how long the pod of a Redis server may take to come back by itself, and again after it was replaced.
const redisPatience = 20 * time.Second

// bringBack sees to it that the master of a Redis server serves: its StatefulSet replaces a pod that is lost, and one that does not get ready
// or hangs is deleted, once, so that it does. It says why the server is not back.
func (o *fullOutage) bringBack(ctx workflow.Context, redis plan.Redis) string {
	target := kubernetes.WorkloadName{Namespace: o.run.Plan.Namespace, Region: redis.Region, Kind: plan.StatefulSet, Name: redis.Master}
	pods, why, err := o.serves(ctx, redis, target)
	if err == nil && why != "" {
		err = o.replacePods(ctx, target, pods)
	}
	if err == nil && why != "" {
		_, why, err = o.serves(ctx, redis, target)
	}
	if err != nil {
		return inWords(err)
	}
	if why == "" {
		o.run.Note(ctx, redis.Name+" is back: "+target.String()+" has its pod")
	}
	return why
}

// serves waits until the pod of a Redis server is ready, and says why it does not serve all the same.
func (o *fullOutage) serves(ctx workflow.Context, redis plan.Redis, target kubernetes.WorkloadName) ([]kubernetes.Member, string, error) {
	seen, err := o.awaitWhole(ctx, target, redisPatience)
	if err != nil {
		return nil, "", err
	}
	if !seen.Done {
		return seen.Workload.Members, "its pod does not get ready: " + orNone(cmp.Or(seen.Hopeless, seen.Seen)), nil
	}
	sick, _, err := o.diagnoseAll(ctx)
	return seen.Workload.Members, sick[redis.Name].Said, err
}

func (o *fullOutage) replacePods(ctx workflow.Context, target kubernetes.WorkloadName, pods []kubernetes.Member) error {
	for _, pod := range pods {
		act := runbook.Act(ctx, runbook.RegionQueue(target.Region), "replace pod "+pod.Pod)
		if _, err := begin(act, kube.DeletePod, kubernetes.DeletePodParams{Namespace: target.Namespace, Region: target.Region, Pod: pod.Pod, UID: pod.UID}).get(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *fullOutage) awaitWhole(ctx workflow.Context, target kubernetes.WorkloadName, patience time.Duration) (kubernetes.AwaitWorkloadResult, error) {
	act := runbook.Act(ctx, runbook.RegionQueue(target.Region), "watch "+target.String())
	return begin(act, kube.AwaitWorkload, kubernetes.AwaitWorkloadParams{WorkloadName: target, Patience: patience}).get(ctx)
}
