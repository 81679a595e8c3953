package lease

import "context"

// RecordLeaseParams names the lease, its holder and what it should remember.
type RecordLeaseParams struct {
	Place
	Holder string `json:"holder"`
	Epoch  int64  `json:"epoch"`
	Record Record `json:"record"`
}

// RecordLeaseResult has no fields yet.
type RecordLeaseResult struct{}

// RecordLease lets a lease remember how far its holder has come. Called twice it writes the same again. Error: Conflict, for
// good, when this run no longer holds the lease.
func (a *Activities) RecordLease(ctx context.Context, params RecordLeaseParams) (RecordLeaseResult, error) {
	lease, err := a.owned(ctx, params.Place, params.Holder, params.Epoch)
	if err != nil {
		return RecordLeaseResult{}, err
	}
	if err := setRecord(lease, params.Record); err != nil {
		return RecordLeaseResult{}, err
	}
	return RecordLeaseResult{}, a.put(ctx, params.Place, lease)
}
