package redis

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// PromoteParams names the replica that becomes master.
type PromoteParams struct {
	Instance Instance      `json:"instance"`
	RunID    string        `json:"runID"` // of the process that was chosen
	Proof    string        `json:"proof"` // that the old master is stopped, in words
	Patience time.Duration `json:"patience"`
}

// PromoteResult is the new master.
type PromoteResult struct {
	Server  Server `json:"server"`
	Already bool   `json:"already,omitempty"` // it was master before this try
}

// PromoteRedis makes a replica the master. Doing it again changes nothing. Errors: Unexpected when there is no proof that the old master
// is stopped, or when another process than the one that was chosen answers: its data is not known; NotReady while it loads, and
// when it is not master within the patience; Unreachable.
func (a *Activities) PromoteRedis(ctx context.Context, params PromoteParams) (PromoteResult, error) {
	if params.Proof == "" {
		return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: nothing proves that the old master is stopped, and two masters would both take writes", params.Instance.Pod)
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	client := dial(params.Instance)
	defer hangUp(client)
	for told := false; ; told = true {
		server, err := ask(ctx, client, params.Instance.Pod)
		switch {
		case err != nil:
			return PromoteResult{}, unreachable("promote", params.Instance, err)
		case server.RunID != params.RunID:
			return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: it was restarted since it was chosen (run %s, was %s); choose again", params.Instance.Pod, server.RunID, params.RunID)
		case server.Loading:
			return PromoteResult{}, failure.Transient(failure.NotReady, "promote %s: it is loading its data", params.Instance.Pod)
		case server.Role == Master:
			return PromoteResult{Server: server, Already: !told}, nil
		}
		if err := client.ReplicaOf(ctx, "NO", "ONE").Err(); err != nil {
			return PromoteResult{}, unreachable("promote", params.Instance, err)
		}
		if told && pause(ctx) != nil {
			return PromoteResult{}, failure.Transient(failure.NotReady, "promote %s: not master within %s", params.Instance.Pod, params.Patience)
		}
	}
}
