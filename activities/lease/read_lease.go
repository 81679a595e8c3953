package lease

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// ReadLeaseParams names the database.
type ReadLeaseParams struct{ Place }

// ReadLeaseResult is who holds the lease and what it remembers.
type ReadLeaseResult struct {
	Held            bool          `json:"held"`
	Holder          string        `json:"holder,omitempty"`
	HolderClosed    bool          `json:"holderClosed"`    // its workflow run has ended
	HolderClosedFor time.Duration `json:"holderClosedFor"` // how long ago
	Epoch           int64         `json:"epoch"`           // of the holder, or of the last one
	Last            Record        `json:"last"`
}

// ReadLease reads a lease and asks Temporal about its holder. It changes nothing. Errors: Forbidden, Unreachable.
func (a *Activities) ReadLease(ctx context.Context, params ReadLeaseParams) (ReadLeaseResult, error) {
	lease, err := a.get(ctx, params.Place)
	if err != nil {
		return ReadLeaseResult{}, err
	}
	last, err := recordOf(lease)
	if err != nil {
		return ReadLeaseResult{}, err
	}
	result := ReadLeaseResult{Held: holderOf(lease) != "", Holder: holderOf(lease), Epoch: epochOf(lease), Last: last}
	if !result.Held {
		return result, nil
	}
	result.HolderClosed, result.HolderClosedFor, err = a.closedFor(ctx, result.Holder)
	return result, err
}

func (a *Activities) closedFor(ctx context.Context, holder string) (bool, time.Duration, error) {
	closed, at, err := a.holders.Closed(ctx, holder)
	if err != nil {
		return false, 0, failure.Transient(failure.Unreachable, "ask Temporal whether %s still runs: %s", holder, err)
	}
	if !closed {
		return false, 0, nil
	}
	return true, time.Since(at), nil
}
