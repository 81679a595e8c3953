package workflows

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// redisPatience is how long the pod of a Redis server may take to come back by itself, and again after it was replaced.
const redisPatience = 20 * time.Second

// bringBack sees to it that the master of a Redis server runs: its StatefulSet replaces a pod that is lost, and one that does not get ready is
// deleted, once, so that it does. It says why the server is not back.
func (o *fullOutage) bringBack(ctx workflow.Context, redis plan.Redis) string {
	target := kubernetes.WorkloadRef{Namespace: o.run.Plan.Namespace, Region: redis.Region, Kind: plan.StatefulSet, Name: redis.Master}
	seen, err := o.awaitWhole(ctx, target, redisPatience)
	if err != nil {
		return inWords(err)
	}
	for _, pod := range seen.Workload.Pods {
		if pod.Ready && seen.Workload.Whole {
			continue // it may hang all the same, which is why it was found
		}
		act := runbook.Act(ctx, runbook.RegionQueue(redis.Region), "replace pod "+pod.Name)
		if _, err := begin(act, kube.DeletePod, kubernetes.DeletePodParams{Workload: target, Pod: pod.Name, UID: pod.UID}).get(ctx); err != nil {
			return inWords(err)
		}
		if seen, err = o.awaitWhole(ctx, target, redisPatience); err != nil {
			return inWords(err)
		}
	}
	if !seen.Workload.Whole {
		return fmt.Sprintf("its pod does not get ready: %s", orNone(seen.Hopeless))
	}
	o.run.Note(ctx, redis.Name+" is back: "+target.String()+" has its pod")
	return ""
}

func (o *fullOutage) awaitWhole(ctx workflow.Context, target kubernetes.WorkloadRef, patience time.Duration) (kubernetes.AwaitWorkloadResult, error) {
	act := runbook.Act(ctx, runbook.RegionQueue(target.Region), "watch "+target.String())
	return begin(act, kube.AwaitWorkload, kubernetes.AwaitWorkloadParams{Workload: target, Patience: patience}).get(ctx)
}
