package power

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// offInterval is the pause between two questions.
const offInterval = 100 * time.Millisecond

// AwaitOffParams names a machine and how long to wait for it to be off.
type AwaitOffParams struct {
	Region   string        `json:"region"`
	Node     string        `json:"node"`
	Patience time.Duration `json:"patience"`
}

// AwaitOffResult is a proof, or what was seen instead.
type AwaitOffResult struct {
	Off   bool   `json:"off"`
	Proof string `json:"proof,omitempty"` // a sentence; empty: nothing is proven
	Seen  string `json:"seen"`
}

// AwaitOff waits until the power service says that a machine is off. It changes nothing. That the machine is on, or unknown,
// or that the power service does not answer proves nothing and is no error. A service that refuses us is asked only once,
// because controllers lock a user out who is refused again and again.
func (a *Activities) AwaitOff(ctx context.Context, params AwaitOffParams) (AwaitOffResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	ticker := time.NewTicker(offInterval)
	defer ticker.Stop()
	var seen string
	for {
		state, err := a.state(ctx, params.Region, params.Node)
		switch {
		case isUnknown(err), isPermanent(err):
			return AwaitOffResult{Seen: err.Error()}, nil
		case err == nil && state == Off:
			proof := fmt.Sprintf("power off: the power service reports machine %s as Off", params.Node)
			return AwaitOffResult{Off: true, Proof: proof, Seen: proof}, nil
		}
		switch {
		case err == nil:
			seen = fmt.Sprintf("machine %s is %s", params.Node, state)
		case ctx.Err() == nil || seen == "": // at the end of our patience the look before is worth more
			seen = err.Error()
		}
		select {
		case <-ctx.Done():
			return AwaitOffResult{Seen: seen}, nil
		case <-ticker.C:
		}
	}
}

func isPermanent(err error) bool {
	var said *temporal.ApplicationError
	return errors.As(err, &said) && said.NonRetryable()
}
