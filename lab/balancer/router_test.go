package balancer

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRouter_LeadsEachPathToItsServiceOnANodeThatTakesIt(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asked for ", r.URL.Path) }))
	t.Cleanup(service.Close)
	at, err := url.Parse(service.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(at.Port())
	require.NoError(t, err)
	// Nobody listens at the second address.
	router := Router{Nodes: []string{"127.0.0.1", "127.0.0.2"}, Port: func(name string) (int, bool) {
		return map[string]int{"tier1-01": port, "tier1-02": 1}[name], name == "tier1-01" || name == "tier1-02"
	}}
	balanced := httptest.NewServer(router.Handler())
	t.Cleanup(balanced.Close)
	for _, test := range []struct {
		path   string
		status int
		body   string
	}{
		{"/tier1-01/health", http.StatusOK, "asked for /health"},
		{"/tier1-01/health", http.StatusOK, "asked for /health"},
		{"/tier1-02/health", http.StatusBadGateway, "tier1-02 answers on no node"},
		{"/nope/health", http.StatusNotFound, "no such service: nope"},
	} {
		response, err := http.Get(balanced.URL + test.path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, test.status, response.StatusCode, test.path)
		require.Contains(t, string(body), test.body)
	}
}
