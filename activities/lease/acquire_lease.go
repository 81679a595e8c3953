package lease

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AcquireLeaseParams names the database and who takes its lease.
type AcquireLeaseParams struct {
	Place
	Holder string        `json:"holder"`
	Rest   time.Duration `json:"rest"` // how long a holder must be closed before its lease passes on
}

// AcquireLeaseResult is the epoch of this holder: one higher than any before it.
type AcquireLeaseResult struct {
	Epoch   int64 `json:"epoch"`
	Already bool  `json:"already"`
}

// AcquireLease takes a lease that is free, or whose holder is closed for long enough. Called twice by one holder it returns the same
// epoch. Errors: Conflict, for good, when somebody else holds it.
func (a *Activities) AcquireLease(ctx context.Context, params AcquireLeaseParams) (AcquireLeaseResult, error) {
	lease, err := a.get(ctx, params.Place)
	if err != nil {
		return AcquireLeaseResult{}, err
	}
	holder, epoch := holderOf(lease), epochOf(lease)
	if holder == params.Holder {
		return AcquireLeaseResult{Epoch: epoch, Already: true}, nil
	}
	if holder != "" {
		closed, since, err := a.closedFor(ctx, holder)
		if err != nil {
			return AcquireLeaseResult{}, err
		}
		if !closed || since < params.Rest {
			return AcquireLeaseResult{}, failure.Permanent(failure.Conflict, "take %s: %s holds it; see fukkyu list", params.Place, holder)
		}
	}
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: params.name(), Namespace: params.Namespace}}
	}
	next, now := int32(epoch+1), metav1.NewMicroTime(time.Now())
	lease.Spec.HolderIdentity, lease.Spec.LeaseTransitions, lease.Spec.AcquireTime = &params.Holder, &next, &now
	return AcquireLeaseResult{Epoch: epoch + 1}, a.put(ctx, params.Place, lease)
}
