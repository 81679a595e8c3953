package application

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// CheckHealthParams are the services to ask.
type CheckHealthParams struct {
	Services []plan.Service `json:"services"`
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

// CheckHealth asks every health path of every service, all at the same time. It changes nothing and returns no error: a
// service that is not well, or not found in the site, is a finding.
func (a *Activities) CheckHealth(ctx context.Context, params CheckHealthParams) (CheckHealthResult, error) {
	var checks []Check
	for _, service := range params.Services {
		for _, path := range service.Health {
			checks = append(checks, Check{Service: service.Name, Path: path})
		}
	}
	var asking sync.WaitGroup
	for i := range checks {
		asking.Go(func() { a.checkOne(ctx, &checks[i]) })
	}
	asking.Wait()
	return CheckHealthResult{Checks: checks}, nil
}

func (a *Activities) checkOne(ctx context.Context, check *Check) {
	base, found := a.urls.URL(check.Service)
	if !found {
		check.Said = "the site has no url for it"
		return
	}
	began := time.Now()
	status, err := a.request(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+check.Path, "")
	check.Took, check.Status, check.OK = time.Since(began), status, err == nil
	if err != nil {
		check.Said = err.Error()
	}
}
