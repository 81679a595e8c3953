package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/client"
)

// checkTimeout bounds the questions behind one request to /readyz.
const checkTimeout = 2 * time.Second

// health answers the probes of whatever runs the worker. Alive is the process; ready is a worker that can begin a recovery.
type health struct {
	mutex sync.Mutex
	check func(context.Context) error
}

func newHealth() *health {
	h := &health{}
	h.set(func(context.Context) error { return errors.New("connecting to Temporal") })
	return h
}

func (h *health) set(check func(context.Context) error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.check = check
}

// watch makes readiness depend on Temporal and on the search attributes.
func (h *health) watch(connection client.Client, namespace string) {
	h.set(func(ctx context.Context) error {
		if _, err := connection.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
			return fmt.Errorf("Temporal does not answer: %w", err)
		}
		missing, err := temporalclient.Missing(ctx, connection, namespace, runbook.Attributes())
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			var names []string
			for _, key := range missing {
				names = append(names, key.GetName())
			}
			return fmt.Errorf("search attributes are missing: %s; run fukkyu setup", strings.Join(names, ", "))
		}
		return nil
	})
}

// drain makes the worker unready, so that nobody counts on it any more.
func (h *health) drain() { h.set(func(context.Context) error { return errors.New("draining") }) }

// serve answers on address until the server is closed, and lets metrics answer there too.
func (h *health) serve(address string, metrics http.Handler) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve health on %s: %w; choose another with --listen", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: checkTimeout}
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	return server, nil
}

func (h *health) ready(w http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithTimeout(request.Context(), checkTimeout)
	defer cancel()
	h.mutex.Lock()
	check := h.check
	h.mutex.Unlock()
	if err := check(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
