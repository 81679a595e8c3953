// Package power asks the service that switches machines on and off whether one is off. In a data centre that is a Redfish
// service (DMTF DSP0266), in the lab the power switch, which speaks the same.
package power

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Off is the state of a machine that runs nothing. On and the transitional PoweringOff are not it.
const Off = "Off"

// requestTimeout bounds one question to the power service, which answers from memory.
const requestTimeout = 2 * time.Second

// Services finds the power service of a region; false when the site has none there.
type Services interface {
	Power(region string) (plan.Power, bool)
}

// Activities ask power services.
type Activities struct {
	services Services
	client   *http.Client
}

// New returns activities that ask services.
func New(services Services) *Activities {
	return &Activities{services: services, client: &http.Client{Timeout: requestTimeout}}
}

// errUnknown says that nobody at this site knows about a machine's power.
var errUnknown = errors.New("no power service knows it")

// state asks for the power state of a machine.
func (a *Activities) state(ctx context.Context, region, node string) (string, error) {
	service, found := a.services.Power(region)
	if !found {
		return "", fmt.Errorf("region %s has no power service: %w", region, errUnknown)
	}
	system, found := service.Systems[node]
	if !found {
		return "", fmt.Errorf("node %q is not among the systems of the power service of region %s: %w", node, region, errUnknown)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(service.URL, "/")+"/redfish/v1/Systems/"+url.PathEscape(system), nil)
	if err != nil {
		return "", failure.Permanent(failure.Unexpected, "ask for the power of %s: %s; see url in the site", node, err)
	}
	if service.PasswordFile != "" {
		password, err := os.ReadFile(service.PasswordFile)
		if err != nil {
			return "", failure.Permanent(failure.NotFound, "ask for the power of %s: the password of the power service cannot be read: %s", node, err)
		}
		request.SetBasicAuth(service.Username, strings.TrimSpace(string(password)))
	}
	return a.ask(request, node)
}

func (a *Activities) ask(request *http.Request, node string) (string, error) {
	response, err := a.client.Do(request)
	if err != nil {
		return "", failure.Transient(failure.Unreachable, "ask for the power of %s: %s", node, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", failure.Transient(failure.Unreachable, "ask for the power of %s: %s", node, err)
	}
	switch {
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return "", failure.Permanent(failure.Forbidden, "ask for the power of %s: the power service answers %s; see username and passwordFile in the site", node, response.Status)
	case response.StatusCode == http.StatusNotFound:
		return "", failure.Permanent(failure.NotFound, "ask for the power of %s: the power service does not know the system; see systems in the site", node)
	case response.StatusCode != http.StatusOK:
		return "", failure.Transient(failure.Unreachable, "ask for the power of %s: the power service answers %s", node, response.Status)
	}
	var system struct{ PowerState string }
	if err := json.Unmarshal(body, &system); err != nil || system.PowerState == "" {
		return "", failure.Transient(failure.Unexpected, "ask for the power of %s: the answer of the power service has no PowerState", node)
	}
	return system.PowerState, nil
}
