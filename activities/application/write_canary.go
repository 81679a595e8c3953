package application

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// canaryInterval is the pause between two tries: the time it adds to a measured recovery is at most this.
const canaryInterval = 50 * time.Millisecond

// WriteCanaryParams is the write of the plan and its number.
type WriteCanaryParams struct {
	Canary   plan.Canary   `json:"canary"`
	Number   int64         `json:"number"` // the same at every try of one write
	Patience time.Duration `json:"patience"`
}

// WriteCanaryResult is when it worked.
type WriteCanaryResult struct {
	At       time.Time `json:"at"` // the write was acknowledged, by this worker's clock
	Attempts int       `json:"attempts"`
}

// WriteCanary writes through the application and reads the row back, until both succeed. The write has a number of its own, so
// trying again changes nothing more. Error: NotReady when it did not succeed within its patience.
func (a *Activities) WriteCanary(ctx context.Context, params WriteCanaryParams) (WriteCanaryResult, error) {
	base, found := a.urls.URL(params.Canary.Service)
	if !found {
		return WriteCanaryResult{}, failure.Permanent(failure.NotFound, "write through %s: the site has no url for it", params.Canary.Service)
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	ticker := time.NewTicker(canaryInterval)
	defer ticker.Stop()
	said := "nothing"
	for attempt := 1; ; attempt++ {
		at, err := a.writeOnce(ctx, strings.TrimSuffix(base, "/"), params)
		if err == nil {
			return WriteCanaryResult{At: at, Attempts: attempt}, nil
		}
		if ctx.Err() == nil || attempt == 1 { // that our own patience ended during a try says less than the try before
			said = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if ctx.Err() != nil {
			return WriteCanaryResult{}, failure.Transient(failure.NotReady, "write through %s: not acknowledged within %s, %d tries; the last said: %s",
				params.Canary.Service, params.Patience, attempt, said)
		}
	}
}

func (a *Activities) writeOnce(ctx context.Context, base string, params WriteCanaryParams) (time.Time, error) {
	numbered := func(text string) string {
		return strings.ReplaceAll(text, "{number}", strconv.FormatInt(params.Number, 10))
	}
	if _, err := a.request(ctx, http.MethodPost, base+numbered(params.Canary.Write), numbered(params.Canary.Body)); err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	if _, err := a.request(ctx, http.MethodGet, base+numbered(params.Canary.Read), ""); err != nil {
		return time.Time{}, fmt.Errorf("written, but not read back: %w", err)
	}
	return at, nil
}
