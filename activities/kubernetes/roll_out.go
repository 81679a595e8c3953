package kubernetes

import (
	"context"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	appsv1 "k8s.io/api/apps/v1"
)

// rolledFor is the annotation on a pod template that says which recovery had it rolled out.
const rolledFor = "fukkyu.dev/rolled-out-for"

// RollOutParams names Deployments and why they are rolled out.
type RollOutParams struct {
	Namespace   string   `json:"namespace"`
	Region      string   `json:"region"`
	Deployments []string `json:"deployments"`
	Mark        string   `json:"mark"` // the same for every attempt of one recovery
}

// RollOutResult says how many had been rolled out before.
type RollOutResult struct {
	Already int `json:"already"`
}

// RollOut has the pods of Deployments replaced, by their own strategy. Called twice with the same mark it rolls out once. It does not
// wait: AwaitRollOut does. Errors: NotFound, Conflict, Forbidden, Unreachable.
func (a *Activities) RollOut(ctx context.Context, params RollOutParams) (RollOutResult, error) {
	var result RollOutResult
	for _, name := range params.Deployments {
		restarted, err := a.Restart(ctx, RestartParams{WorkloadName: params.deployment(name), Mark: params.Mark})
		if err != nil {
			return RollOutResult{}, err
		}
		if restarted.Already {
			result.Already++
		}
	}
	return result, nil
}

func (p RollOutParams) deployment(name string) WorkloadName {
	return WorkloadName{Namespace: p.Namespace, Region: p.Region, Kind: plan.Deployment, Name: name}
}

// AwaitRollOutParams names Deployments that are being rolled out.
type AwaitRollOutParams struct {
	Namespace   string        `json:"namespace"`
	Region      string        `json:"region"`
	Deployments []string      `json:"deployments"`
	Patience    time.Duration `json:"patience"`
}

// AwaitRollOutResult says whether all of them are.
type AwaitRollOutResult struct {
	Done bool   `json:"done"`
	Seen string `json:"seen"`
}

// AwaitRollOut watches until every pod of the Deployments is a new one and available. It changes nothing. That it takes longer than
// its patience, or has become hopeless, is a result. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) AwaitRollOut(ctx context.Context, params AwaitRollOutParams) (AwaitRollOutResult, error) {
	deadline := time.Now().Add(params.Patience)
	for _, name := range params.Deployments {
		watched, err := a.AwaitWorkload(ctx, AwaitWorkloadParams{
			WorkloadName: WorkloadName{Namespace: params.Namespace, Region: params.Region, Kind: plan.Deployment, Name: name}, Patience: time.Until(deadline),
		})
		if err != nil || !watched.Done {
			return AwaitRollOutResult{Seen: fmt.Sprintf("Deployment %s: %s", name, watched.Seen)}, err
		}
	}
	return AwaitRollOutResult{Done: true, Seen: "rolled out"}, nil
}

func wantedReplicas(deployment *appsv1.Deployment) int32 {
	if deployment.Spec.Replicas == nil {
		return 1
	}
	return *deployment.Spec.Replicas
}
