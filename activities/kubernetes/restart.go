package kubernetes

import (
	"context"
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// RestartParams names a workload and for whom it is restarted.
type RestartParams struct {
	Workload WorkloadRef `json:"workload"`
	Mark     string      `json:"mark"` // the same for every attempt of one recovery
}

// RestartResult says whether it had been restarted before.
type RestartResult struct {
	Already bool `json:"already"`
}

// Restart has the pods of a workload replaced by its own strategy, as kubectl rollout restart does. Called twice with the same mark it
// restarts once. It does not wait: AwaitWorkload does. Errors: NotFound, Conflict, Forbidden, Unreachable, Unexpected for a paused
// Deployment, whose rollout would not begin.
func (a *Activities) Restart(ctx context.Context, params RestartParams) (RestartResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return RestartResult{}, err
	}
	return restart(ctx, client, params.Workload, params.Mark)
}

func restart(ctx context.Context, client kubernetes.Interface, ref WorkloadRef, mark string) (RestartResult, error) {
	found, err := get(ctx, client, ref)
	switch {
	case err != nil:
		return RestartResult{}, err
	case found.template().Annotations[rolledFor] == mark:
		return RestartResult{Already: true}, nil
	case found.deployment != nil && found.deployment.Spec.Paused:
		return RestartResult{}, failure.Permanent(failure.Unexpected, "%s is paused: resume it first, with kubectl rollout resume", ref)
	}
	annotations := map[string]string{rolledFor: mark, restartedAt: time.Now().UTC().Format(time.RFC3339)}
	return RestartResult{}, patch(ctx, client, found, "restart "+ref.String(), map[string]any{
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": annotations}}},
	})
}

// patch changes a workload if it is still as it was read.
func patch(ctx context.Context, client kubernetes.Interface, o object, doing string, change map[string]any) error {
	change["metadata"] = map[string]any{"resourceVersion": o.meta().ResourceVersion}
	body, err := json.Marshal(change)
	if err != nil {
		return Failure(doing, err)
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	if o.set != nil {
		_, err = client.AppsV1().StatefulSets(o.ref.Namespace).Patch(ctx, o.ref.Name, types.MergePatchType, body, options)
	} else {
		_, err = client.AppsV1().Deployments(o.ref.Namespace).Patch(ctx, o.ref.Name, types.MergePatchType, body, options)
	}
	return failed(doing, err)
}
