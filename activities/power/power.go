// Package power asks the service that switches machines on and off whether one is off, and has it switch one. In a data centre that is a Redfish
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

// The states of a machine. One that is Off runs nothing; the transitional PoweringOff is not it.
const (
	Off = "Off"
	On  = "On"
)

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

func isUnknown(err error) bool { return errors.Is(err, errUnknown) }

// state asks for the power state of a machine.
func (a *Activities) state(ctx context.Context, region, node string) (string, error) {
	request, err := a.request(ctx, http.MethodGet, region, node, "")
	if err != nil {
		return "", err
	}
	return a.ask(request, node)
}

// request prepares a request about a machine, with the credentials of the site.
func (a *Activities) request(ctx context.Context, method, region, node, path string) (*http.Request, error) {
	service, found := a.services.Power(region)
	if !found {
		return nil, fmt.Errorf("region %s has no power service: %w", region, errUnknown)
	}
	system, found := service.Systems[node]
	if !found {
		return nil, fmt.Errorf("node %q is not among the systems of the power service of region %s: %w", node, region, errUnknown)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(service.URL, "/")+"/redfish/v1/Systems/"+url.PathEscape(system)+path, nil)
	if err != nil {
		return nil, failure.Permanent(failure.Unexpected, "ask for the power of %s: %s; see url in the site", node, err)
	}
	if service.PasswordFile != "" {
		password, err := os.ReadFile(service.PasswordFile)
		if err != nil {
			return nil, failure.Permanent(failure.NotFound, "ask for the power of %s: the password of the power service cannot be read: %s", node, err)
		}
		request.SetBasicAuth(service.Username, strings.TrimSpace(string(password)))
	}
	return request, nil
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
