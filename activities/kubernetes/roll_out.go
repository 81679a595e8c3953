package kubernetes

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rolledFor is the annotation on a pod template that says which recovery had it rolled out: a template that changes is rolled out.
const rolledFor = "fukkyu.dev/rolled-out-for"

// rollOutInterval is the pause between two looks at a Deployment.
const rollOutInterval = 200 * time.Millisecond

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
	client, err := a.client(params.Region)
	if err != nil {
		return RollOutResult{}, err
	}
	var result RollOutResult
	deployments := client.AppsV1().Deployments(params.Namespace)
	for _, name := range params.Deployments {
		doing := fmt.Sprintf("roll out Deployment %s/%s", params.Namespace, name)
		deployment, err := deployments.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return RollOutResult{}, Failure(doing, err)
		}
		template := &deployment.Spec.Template
		if template.Annotations[rolledFor] == params.Mark {
			result.Already++
			continue
		}
		if template.Annotations == nil {
			template.Annotations = map[string]string{}
		}
		template.Annotations[rolledFor] = params.Mark
		if _, err := deployments.Update(ctx, deployment, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
			return RollOutResult{}, Failure(doing, err)
		}
	}
	return result, nil
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

// AwaitRollOut waits until every pod of the Deployments is a new one and available. It changes nothing. That it takes longer than
// its patience is a result. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) AwaitRollOut(ctx context.Context, params AwaitRollOutParams) (AwaitRollOutResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return AwaitRollOutResult{}, err
	}
	deadline := time.Now().Add(params.Patience)
	ticker := time.NewTicker(rollOutInterval)
	defer ticker.Stop()
	for {
		seen := ""
		for _, name := range params.Deployments {
			deployment, err := client.AppsV1().Deployments(params.Namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return AwaitRollOutResult{}, Failure(fmt.Sprintf("look at Deployment %s/%s", params.Namespace, name), err)
			}
			if !rolledOut(deployment) {
				seen = fmt.Sprintf("Deployment %s: %d of %d pods are new and available", name, deployment.Status.UpdatedReplicas-deployment.Status.UnavailableReplicas, wantedReplicas(deployment))
			}
		}
		if seen == "" {
			return AwaitRollOutResult{Done: true, Seen: "rolled out"}, nil
		}
		if time.Now().After(deadline) {
			return AwaitRollOutResult{Seen: seen}, nil
		}
		select {
		case <-ctx.Done():
			return AwaitRollOutResult{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// rolledOut is kubectl's own judgement of a finished roll-out.
func rolledOut(deployment *appsv1.Deployment) bool {
	status, wanted := deployment.Status, wantedReplicas(deployment)
	return status.ObservedGeneration >= deployment.Generation && status.UpdatedReplicas == wanted && status.Replicas == wanted && status.AvailableReplicas == wanted
}

func wantedReplicas(deployment *appsv1.Deployment) int32 {
	if deployment.Spec.Replicas == nil {
		return 1
	}
	return *deployment.Spec.Replicas
}
