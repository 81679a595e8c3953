package kubernetes

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// RestartParams names a workload and why its pods are replaced.
type RestartParams struct {
	WorkloadName
	Mark string `json:"mark"` // the same for every attempt of one recovery
}

// RestartResult says whether it had been restarted before.
type RestartResult struct {
	Already bool `json:"already"`
}

// Restart has the pods of a workload replaced by its own strategy, as kubectl rollout restart does. Called twice with the same mark it
// restarts once. It does not wait: AwaitWorkload does. Errors: Unexpected for a paused Deployment, which would never follow; NotFound,
// Conflict, Forbidden, Unreachable.
func (a *Activities) Restart(ctx context.Context, params RestartParams) (RestartResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return RestartResult{}, err
	}
	doing := "restart " + params.String()
	object, err := getWorkload(ctx, client, doing, params.WorkloadName)
	if err != nil {
		return RestartResult{}, err
	}
	template := object.template()
	switch {
	case template.Annotations[rolledFor] == params.Mark:
		return RestartResult{Already: true}, nil
	case object.paused():
		return RestartResult{}, pausedFailure(doing, params.WorkloadName)
	case template.Annotations == nil:
		template.Annotations = map[string]string{}
	}
	template.Annotations[rolledFor] = params.Mark
	template.Annotations[restartedAt] = time.Now().UTC().Format(time.RFC3339)
	if err := object.update(ctx, client); err != nil {
		return RestartResult{}, Failure(doing, err)
	}
	return RestartResult{}, nil
}

// pausedFailure refuses to change what somebody has paused.
func pausedFailure(doing string, name WorkloadName) error {
	return failure.Permanent(failure.Unexpected, "%s: it is paused; when whoever paused it agrees: kubectl -n %s rollout resume deployment/%s", doing, name.Namespace, name.Name)
}
