package application

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// CheckHealthParams are the services to ask.
type CheckHealthParams struct {
	Services []plan.Service `json:"services"`
	Patience time.Duration  `json:"patience"` // how long a service may need until it is well
}

// CheckHealthResult has one check for each health path.
type CheckHealthResult struct {
	Checks []Check `json:"checks"`
}

// Check is one answer of a service.
type Check struct {
	Service string        `json:"service"`
	Path    string        `json:"path"`
	OK      bool          `json:"ok"`
	Status  int           `json:"status,omitempty"` // 0: no answer
	Took    time.Duration `json:"took"`
	Said    string        `json:"said,omitempty"` // what was wrong
}

// healthInterval is the pause between two tries of a path that was not well.
const healthInterval = 250 * time.Millisecond

// CheckHealth asks every health path of every service, all at the same time, until it is well. It changes nothing and returns no
// error: a service that is not well within the patience, or not found in the site, is a finding.
func (a *Activities) CheckHealth(ctx context.Context, params CheckHealthParams) (CheckHealthResult, error) {
	var checks []Check
	var healthy []string // of each check
	for _, service := range params.Services {
		for _, path := range service.Health {
			checks, healthy = append(checks, Check{Service: service.Name, Path: path}), append(healthy, service.Healthy)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	var asking sync.WaitGroup
	for i := range checks {
		asking.Go(func() { a.checkUntilWell(ctx, &checks[i], healthy[i]) })
	}
	asking.Wait()
	return CheckHealthResult{Checks: checks}, nil
}

// checkUntilWell keeps the last answer that was not cut off by the end of the patience.
func (a *Activities) checkUntilWell(ctx context.Context, check *Check, healthy string) {
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for {
		now := Check{Service: check.Service, Path: check.Path}
		a.checkOne(ctx, &now, healthy)
		if ctx.Err() == nil || check.Said == "" {
			*check = now
		}
		if now.OK {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// checkOne asks once. A good status with an answer that does not contain the service's word for being well is not well.
func (a *Activities) checkOne(ctx context.Context, check *Check, healthy string) {
	base, found := a.urls.URL(check.Service)
	if !found {
		check.Said = "the site has no url for it"
		return
	}
	began := time.Now()
	status, said, err := a.answer(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+check.Path, "")
	if err == nil && !strings.Contains(said, healthy) {
		err = fmt.Errorf("its answer does not contain %q: %s", healthy, strings.TrimSpace(said))
	}
	check.Took, check.Status, check.OK = time.Since(began), status, err == nil
	if err != nil {
		check.Said = err.Error()
	}
}
