package lease

import "context"

// ReleaseLeaseParams names the lease, its holder and what it should remember.
type ReleaseLeaseParams struct {
	Place
	Holder string `json:"holder"`
	Epoch  int64  `json:"epoch"`
	Record Record `json:"record"`
}

// ReleaseLeaseResult says whether there was anything to do.
type ReleaseLeaseResult struct {
	Already bool `json:"already"`
}

// ReleaseLease gives a lease back with the memory of how the recovery ended. The epoch stays. Called twice, or after somebody
// else has taken the lease, it changes nothing.
func (a *Activities) ReleaseLease(ctx context.Context, params ReleaseLeaseParams) (ReleaseLeaseResult, error) {
	lease, err := a.get(ctx, params.Place)
	if err != nil {
		return ReleaseLeaseResult{}, err
	}
	if holderOf(lease) != params.Holder {
		return ReleaseLeaseResult{Already: true}, nil
	}
	lease.Spec.HolderIdentity = nil
	if err := setRecord(lease, params.Record); err != nil {
		return ReleaseLeaseResult{}, err
	}
	return ReleaseLeaseResult{}, a.put(ctx, params.Place, lease)
}
