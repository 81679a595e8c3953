package power

import (
	"context"
	"errors"
)

// ReadPowerParams names a machine by its Kubernetes node.
type ReadPowerParams struct {
	Region string `json:"region"`
	Node   string `json:"node"`
}

// ReadPowerResult is what the power service says.
type ReadPowerResult struct {
	Known bool   `json:"known"`           // false: no power service knows the machine
	State string `json:"state,omitempty"` // On, Off or Redfish's transitional states
	Said  string `json:"said"`
}

// ReadPower asks once. It changes nothing. A machine that nobody knows is a result; errors are Unreachable, Forbidden and
// NotFound of the power service itself.
func (a *Activities) ReadPower(ctx context.Context, params ReadPowerParams) (ReadPowerResult, error) {
	state, err := a.state(ctx, params.Region, params.Node)
	if errors.Is(err, errUnknown) {
		return ReadPowerResult{Said: err.Error()}, nil
	}
	if err != nil {
		return ReadPowerResult{}, err
	}
	return ReadPowerResult{Known: true, State: state, Said: "machine " + params.Node + " is " + state}, nil
}
