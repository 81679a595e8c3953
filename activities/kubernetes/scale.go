package kubernetes

import (
	"context"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// ScaleParams says how many pods a workload is to have, and how many it was seen to have.
type ScaleParams struct {
	WorkloadName
	From int32 `json:"from"`
	To   int32 `json:"to"`
}

// ScaleResult says whether there was anything to do.
type ScaleResult struct {
	Already bool `json:"already"`
}

// Scale changes the number of pods of a workload, on the condition that it is the one that was seen. Called twice it changes nothing.
// It does not wait: AwaitWorkload does. Errors: Conflict, for good, when somebody else has scaled it meanwhile; NotFound, Forbidden,
// Unreachable.
func (a *Activities) Scale(ctx context.Context, params ScaleParams) (ScaleResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return ScaleResult{}, err
	}
	doing := fmt.Sprintf("scale %s from %d to %d pods", params, params.From, params.To)
	object, err := getWorkload(ctx, client, doing, params.WorkloadName)
	if err != nil {
		return ScaleResult{}, err
	}
	switch object.replicas() {
	case params.To:
		return ScaleResult{Already: true}, nil
	case params.From:
	default:
		return ScaleResult{}, failure.Permanent(failure.Conflict, "%s: it wants %d by now: an autoscaler, or somebody else, scales it", doing, object.replicas())
	}
	object.setReplicas(params.To)
	if err := object.update(ctx, client); err != nil {
		return ScaleResult{}, Failure(doing, err)
	}
	return ScaleResult{}, nil
}
