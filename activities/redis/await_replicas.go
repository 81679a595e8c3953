package redis

import (
	"context"
	"time"
)

// AwaitReplicasParams names a master and how many replicas should follow it.
type AwaitReplicasParams struct {
	Master   Instance      `json:"master"`
	AtLeast  int           `json:"atLeast"`
	Patience time.Duration `json:"patience"`
}

// AwaitReplicasResult is how many follow it.
type AwaitReplicasResult struct {
	Enough   bool   `json:"enough"`
	Replicas int    `json:"replicas"`
	Seen     string `json:"seen,omitempty"` // why that is not known; empty when it is
}

// AwaitRedisReplicas waits until so many replicas are connected to a master. It changes nothing and returns no error: that its patience
// ends before is a result.
func (a *Activities) AwaitRedisReplicas(ctx context.Context, params AwaitReplicasParams) (AwaitReplicasResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	result := AwaitReplicasResult{Seen: "no answer"}
	for {
		server := read(ctx, params.Master)
		if hasTime(ctx) || server.Reached {
			result = AwaitReplicasResult{Enough: server.Reached && server.Replicas >= params.AtLeast, Replicas: server.Replicas, Seen: server.Error}
		}
		if result.Enough || pause(ctx) != nil {
			return result, nil
		}
	}
}
