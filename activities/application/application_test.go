package application_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// backend keeps rows as an application does, after refusing a number of writes.
type backend struct {
	refuse int // so many writes are refused first
	blind  int // so many readings do not find the row first
	lock   sync.Mutex
	writes []string
	rows   map[string]bool
}

func (b *backend) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch {
	case request.Method == http.MethodPost && request.URL.Path == "/api/v1/rows":
		body, _ := io.ReadAll(request.Body)
		b.writes = append(b.writes, string(body))
		if len(b.writes) <= b.refuse {
			http.Error(response, "cannot execute INSERT in a read-only transaction", http.StatusServiceUnavailable)
			return
		}
		b.rows = map[string]bool{"/api/v1/rows/42": true}
		response.WriteHeader(http.StatusCreated)
	case request.Method == http.MethodGet && b.rows[request.URL.Path]:
		if b.blind--; b.blind >= 0 {
			http.NotFound(response, request)
		}
	case request.URL.Path == "/health":
		fmt.Fprint(response, "ok")
	case request.URL.Path == "/sick":
		http.Error(response, "redis is gone", http.StatusServiceUnavailable)
	default:
		http.NotFound(response, request)
	}
}

var canary = plan.Canary{Service: "backend", Write: "/api/v1/rows", Body: `{"number": {number}}`, Read: "/api/v1/rows/{number}"}

func start(t *testing.T, handler http.Handler) *application.Activities {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return application.New(plan.Site{Services: []plan.SiteService{{Name: "backend", URL: server.URL + "/"}, {Name: "dead", URL: "http://127.0.0.1:1"}}})
}

func TestWriteCanary_ThatSucceedsAtTheThirdTry_IsTheSameWriteEachTime(t *testing.T) {
	served := &backend{refuse: 2}
	before := time.Now()

	result, err := start(t, served).WriteCanary(t.Context(), application.WriteCanaryParams{Canary: canary, Number: 42, Patience: 10 * time.Second})

	require.NoError(t, err)
	require.Equal(t, 3, result.Attempts)
	require.Equal(t, []string{`{"number": 42}`, `{"number": 42}`, `{"number": 42}`}, served.writes)
	require.WithinRange(t, result.At, before, time.Now())
}

func TestWriteCanary_ThatIsNotReadBack_IsTriedAgain(t *testing.T) {
	result, err := start(t, &backend{blind: 1}).WriteCanary(t.Context(), application.WriteCanaryParams{Canary: canary, Number: 42, Patience: 10 * time.Second})
	require.NoError(t, err)
	require.Equal(t, 2, result.Attempts)
}

func TestWriteCanary_ThatNeverSucceeds_SaysWhatTheApplicationSaid(t *testing.T) {
	_, err := start(t, &backend{refuse: 1000}).WriteCanary(t.Context(), application.WriteCanaryParams{Canary: canary, Number: 42, Patience: time.Second})
	requireFailure(t, err, failure.NotReady, false, "read-only transaction")
}

func TestWriteCanary_ThroughAServiceThatHangs_EndsWithItsPatience(t *testing.T) {
	release := make(chan struct{})
	activities := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its requests
	began := time.Now()
	_, err := activities.WriteCanary(t.Context(), application.WriteCanaryParams{Canary: canary, Number: 42, Patience: 200 * time.Millisecond})
	requireFailure(t, err, failure.NotReady, false, "1 tries")
	require.Less(t, time.Since(began), 2*time.Second)
}

func TestWriteCanary_ThroughAServiceThatTheSiteDoesNotKnow_IsRefusedForGood(t *testing.T) {
	_, err := start(t, &backend{}).WriteCanary(t.Context(), application.WriteCanaryParams{Canary: plan.Canary{Service: "ghost"}, Patience: time.Second})
	requireFailure(t, err, failure.NotFound, true, "the site has no url")
}

func TestCheckHealth_FindsEachServiceThatIsNotWell(t *testing.T) {
	result, err := start(t, &backend{}).CheckHealth(t.Context(), application.CheckHealthParams{Services: []plan.Service{
		{Name: "backend", Health: []string{"/health", "/sick", "/nowhere"}},
		{Name: "dead", Health: []string{"/health"}},
		{Name: "ghost", Health: []string{"/health"}},
	}, Patience: time.Second})
	require.NoError(t, err)
	require.Len(t, result.Checks, 5)
	want := []struct {
		ok     bool
		status int
		said   string
	}{{true, 200, ""}, {false, 503, "redis is gone"}, {false, 404, "404"}, {false, 0, "connection refused"}, {false, 0, "the site has no url for it"}}
	for i, check := range result.Checks {
		require.Equal(t, want[i].ok, check.OK, check.Path)
		require.Equal(t, want[i].status, check.Status, check.Path)
		require.Contains(t, check.Said, want[i].said)
	}
	require.Positive(t, result.Checks[0].Took)
}

func TestCheckHealth_GivesAServiceTimeToBecomeWell(t *testing.T) {
	var asked atomic.Int64
	activities := start(t, http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			http.Error(response, "connecting", http.StatusServiceUnavailable)
		}
	}))
	result, err := activities.CheckHealth(t.Context(), application.CheckHealthParams{Services: []plan.Service{{Name: "backend", Health: []string{"/health"}}}, Patience: 10 * time.Second})
	require.NoError(t, err)
	require.True(t, result.Checks[0].OK)
	require.Empty(t, result.Checks[0].Said)
	require.EqualValues(t, 2, asked.Load())
}

func TestCheckHealth_AGoodStatusWithAWrongBody_IsNotWell(t *testing.T) {
	activities := start(t, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(response, `{"database": "%s"}`, request.URL.Path[1:])
	}))
	service := plan.Service{Name: "backend", Health: []string{"/ok", "/gone"}, Healthy: `"database": "ok"`}
	result, err := activities.CheckHealth(t.Context(), application.CheckHealthParams{Services: []plan.Service{service}, Patience: time.Second})
	require.NoError(t, err)
	require.True(t, result.Checks[0].OK)
	require.False(t, result.Checks[1].OK)
	require.Equal(t, 200, result.Checks[1].Status)
	require.Contains(t, result.Checks[1].Said, `its answer does not contain "\"database\": \"ok\"": {"database": "gone"}`)
}

func requireFailure(t *testing.T, err error, kind string, permanent bool, says string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
	require.Equal(t, permanent, failed.NonRetryable(), failed.Error())
	require.Contains(t, failed.Error(), says)
}
