package balancer_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/balancer"
)

func TestBalancer_ANodeThatStopsAnswering_GetsNoMoreCustomers(t *testing.T) {
	named := func(name string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	}
	first, second := named("first"), named("second")
	defer second.Close()
	address := freeAddress(t)
	served := balancer.Balancer{Listen: address, Check: "/", Backends: []string{strings.TrimPrefix(first.URL, "http://"), strings.TrimPrefix(second.URL, "http://")}}
	go func() { _ = served.Serve(t.Context()) }()

	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() string {
		response, err := client.Get("http://" + address)
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return string(body)
	}
	seen := map[string]bool{}
	require.Eventually(t, func() bool { seen[ask()] = true; return seen["first"] && seen["second"] }, 5*time.Second, 10*time.Millisecond)
	first.Close()
	for range 20 {
		require.Equal(t, "second", ask())
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
