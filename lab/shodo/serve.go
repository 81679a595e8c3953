package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

// listenAddress is the same for every service: each has a network of its own.
const listenAddress = ":8080"

// startVariable has how long a service takes until it listens, as one does that loads a model or fills a cache first.
const startVariable = "SHODO_STARTS_IN"

// serve answers until ctx ends, or crashes where the environment wants that.
func serve(ctx context.Context, handler http.Handler) error {
	patient, err := newPatient(handler)
	if err != nil {
		return err
	}
	patient.listen(ctx)
	if err := start(ctx, os.Getenv(startVariable)); err != nil {
		return err
	}
	server := &http.Server{Addr: listenAddress, Handler: patient, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // requests under way are the customers' to repeat
	}()
	log.Printf("serves on %s", listenAddress)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// start takes as long as the environment wants. A service that is asked to stop meanwhile stops as it would later.
func start(ctx context.Context, takes string) error {
	if takes == "" {
		return nil
	}
	wanted, err := time.ParseDuration(takes)
	if err != nil {
		return fmt.Errorf("%s: %w", startVariable, err)
	}
	timer := time.NewTimer(wanted)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil
}

// reply writes one JSON document.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Printf("reply: %s", err)
	}
}

// fail tells the customer what is wrong.
func fail(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}

// runFront is a service that depends on nothing: the frontend and the AI server of the estate.
func runFront(ctx context.Context, name string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"service": name, "status": "ok"})
	})
	return serve(ctx, mux)
}
