package power

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// SwitchParams names a machine.
type SwitchParams struct {
	Region string `json:"region"`
	Node   string `json:"node"`
}

// SwitchResult says whether there was anything to do.
type SwitchResult struct {
	Already bool `json:"already"`
}

// SwitchOff takes the power from a machine at once, and everything that runs on it with it. Called twice it changes nothing.
// That the machine is off is for AwaitOff to see. Errors: NotFound when the site has no switch for the machine, Forbidden,
// Unreachable.
func (a *Activities) SwitchOff(ctx context.Context, params SwitchParams) (SwitchResult, error) {
	return a.reset(ctx, params, "ForceOff", Off)
}

// SwitchOn gives a machine its power back. Called twice it changes nothing. Errors: as for SwitchOff.
func (a *Activities) SwitchOn(ctx context.Context, params SwitchParams) (SwitchResult, error) {
	return a.reset(ctx, params, "On", On)
}

// reset asks for an action of Redfish, unless the machine is in the wanted state already.
func (a *Activities) reset(ctx context.Context, params SwitchParams, action, wanted string) (SwitchResult, error) {
	doing := fmt.Sprintf("switch machine %s (%s)", params.Node, action)
	state, err := a.state(ctx, params.Region, params.Node)
	if err != nil || state == wanted {
		return SwitchResult{Already: err == nil}, a.known(doing, err)
	}
	request, err := a.request(ctx, http.MethodPost, params.Region, params.Node, "/Actions/ComputerSystem.Reset")
	if err != nil {
		return SwitchResult{}, a.known(doing, err)
	}
	request.Body = io.NopCloser(bytes.NewReader(fmt.Appendf(nil, `{"ResetType": %q}`, action)))
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return SwitchResult{}, failure.Transient(failure.Unreachable, "%s: %s", doing, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return SwitchResult{}, failure.Permanent(failure.Forbidden, "%s: the power service answers %s; see username and passwordFile in the site", doing, response.Status)
	case response.StatusCode >= http.StatusMultipleChoices:
		return SwitchResult{}, failure.Transient(failure.Unreachable, "%s: the power service answers %s", doing, response.Status)
	}
	return SwitchResult{}, nil
}

// known makes a failure of a machine that has no switch at this site.
func (a *Activities) known(doing string, err error) error {
	if err == nil || !isUnknown(err) {
		return err
	}
	return failure.Permanent(failure.NotFound, "%s: %s; see power in the site", doing, err)
}
