package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisTimeout bounds what a write waits for the counter, which it can do without.
const redisTimeout = 100 * time.Millisecond

// backend takes numbered writes and says which it has.
type backend struct {
	store   *store
	counter *redis.Client
}

// write is what a customer sends.
type write struct {
	Number int64  `json:"number"`
	Note   string `json:"note"`
}

// acknowledgement answers a write that is committed.
type acknowledgement struct {
	Number int64  `json:"number"`
	Server string `json:"server"` // address of the PostgreSQL server that committed it
}

func runBackend(ctx context.Context) error {
	store, err := openStore()
	if err != nil {
		return err
	}
	defer store.close()
	b := &backend{store: store, counter: redis.NewClient(&redis.Options{
		Addr: os.Getenv("REDIS_ADDRESS"), DialTimeout: redisTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout, MaxRetries: -1,
	})}
	defer b.counter.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/writes", b.take)
	mux.HandleFunc("GET /api/v1/writes/{number}", b.show)
	mux.HandleFunc("GET /api/v1/writes", b.list)
	mux.HandleFunc("GET /health", b.health)
	mux.HandleFunc("GET /api/v1/nlp/health", b.health)
	mux.HandleFunc("GET /api/v1/preview/health", b.health)
	mux.HandleFunc("GET "+alivePath, func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "alive") })
	return serve(ctx, mux)
}

// take acknowledges a write after its commit and not before.
func (b *backend) take(w http.ResponseWriter, request *http.Request) {
	var sent write
	if err := json.NewDecoder(request.Body).Decode(&sent); err != nil || sent.Number <= 0 {
		fail(w, http.StatusBadRequest, errors.New(`send {"number": 1, "note": "…"} with a number above 0`))
		return
	}
	server, err := b.store.insert(request.Context(), sent)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	ctx, cancel := context.WithTimeout(request.Context(), redisTimeout)
	defer cancel()
	b.counter.Incr(ctx, "lpr:writes") // only a statistic: its failure must not take back what is committed
	reply(w, http.StatusOK, acknowledgement{Number: sent.Number, Server: server})
}

func (b *backend) show(w http.ResponseWriter, request *http.Request) {
	number, err := strconv.ParseInt(request.PathValue("number"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	found, err := b.store.between(request.Context(), number, number)
	switch {
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err)
	case len(found) == 0:
		fail(w, http.StatusNotFound, fmt.Errorf("no write %d", number))
	default:
		reply(w, http.StatusOK, write{Number: number})
	}
}

// list returns the numbers that are there, from and to included.
func (b *backend) list(w http.ResponseWriter, request *http.Request) {
	from, fromErr := strconv.ParseInt(request.URL.Query().Get("from"), 10, 64)
	to, toErr := strconv.ParseInt(request.URL.Query().Get("to"), 10, 64)
	if err := errors.Join(fromErr, toErr); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("from and to are numbers: %w", err))
		return
	}
	found, err := b.store.between(request.Context(), from, to)
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	reply(w, http.StatusOK, found)
}

// health is what customers would notice: a database that takes writes, and Redis.
func (b *backend) health(w http.ResponseWriter, request *http.Request) {
	parts, status := map[string]string{"postgres": "ok", "redis": "ok"}, http.StatusOK
	if err := b.store.writable(request.Context()); err != nil {
		parts["postgres"], status = err.Error(), http.StatusServiceUnavailable
	}
	ctx, cancel := context.WithTimeout(request.Context(), redisTimeout)
	defer cancel()
	if err := b.counter.Ping(ctx).Err(); err != nil {
		parts["redis"], status = err.Error(), http.StatusServiceUnavailable
	}
	reply(w, status, parts)
}
