package kubernetes

import (
	"context"
	"fmt"
)

// ScaleParams names a workload and how many pods it is to have.
type ScaleParams struct {
	Workload WorkloadRef `json:"workload"`
	Replicas int32       `json:"replicas"`
}

// ScaleResult says how many it had.
type ScaleResult struct {
	Before int32 `json:"before"`
}

// Scale changes how many pods a workload is to have; one that is to have so many already is left alone. It does not wait. Errors:
// NotFound, Conflict, Forbidden, Unreachable.
func (a *Activities) Scale(ctx context.Context, params ScaleParams) (ScaleResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return ScaleResult{}, err
	}
	found, err := get(ctx, client, params.Workload)
	if err != nil {
		return ScaleResult{}, err
	}
	before := found.replicas()
	if before == params.Replicas {
		return ScaleResult{Before: before}, nil
	}
	return ScaleResult{Before: before}, patch(ctx, client, found, fmt.Sprintf("scale %s to %d", params.Workload, params.Replicas), map[string]any{
		"spec": map[string]any{"replicas": params.Replicas},
	})
}

func (o object) replicas() int32 {
	if o.set != nil {
		return replicasOf(o.set)
	}
	return wantedReplicas(o.deployment)
}
