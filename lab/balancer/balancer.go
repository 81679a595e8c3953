// Package balancer is what a cloud's network load balancer is to an estate: one address for each service, in front of every
// node, that sends customers only to nodes that answer.
package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	checkEvery  = 100 * time.Millisecond
	checkWithin = 200 * time.Millisecond
	dialWithin  = 150 * time.Millisecond
)

// Balancer serves one address for several backends.
type Balancer struct {
	Listen   string
	Backends []string // host:port
	Check    string   // path that a backend answers, whatever the status, when its node can be used
}

// backend is one node port and the connections that lead to it.
type backend struct {
	address string

	mutex       sync.Mutex
	healthy     bool
	connections map[net.Conn]bool
}

// Serve listens until ctx ends.
func (b Balancer) Serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", b.Listen)
	if err != nil {
		return fmt.Errorf("listen as the load balancer: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	backends := make([]*backend, len(b.Backends))
	for i, address := range b.Backends {
		backends[i] = &backend{address: address, connections: map[net.Conn]bool{}}
		go backends[i].watch(ctx, b.Check)
	}
	for turn := 0; ; turn++ {
		customer, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept customers on %s: %w", b.Listen, err)
		}
		go carry(ctx, customer, rotated(backends, turn))
	}
}

// rotated begins with another backend at every turn.
func rotated(backends []*backend, turn int) []*backend {
	start := turn % len(backends)
	return append(append([]*backend{}, backends[start:]...), backends[:start]...)
}

// carry connects a customer to the first backend that is healthy and answers.
func carry(ctx context.Context, customer net.Conn, backends []*backend) {
	defer customer.Close()
	dialer := net.Dialer{Timeout: dialWithin}
	for _, candidate := range backends {
		if !candidate.usable() {
			continue
		}
		server, err := dialer.DialContext(ctx, "tcp", candidate.address)
		if err != nil {
			continue
		}
		candidate.join(customer, server)
		return
	}
}

// join copies both ways until either side ends or the backend is found unhealthy.
func (b *backend) join(customer, server net.Conn) {
	b.mutex.Lock()
	b.connections[server] = true
	b.mutex.Unlock()
	defer func() {
		_ = server.Close()
		b.mutex.Lock()
		delete(b.connections, server)
		b.mutex.Unlock()
	}()
	done := make(chan struct{}, 2)
	copyAll := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either side may hang up whenever it likes
		done <- struct{}{}
	}
	go copyAll(server, customer)
	go copyAll(customer, server)
	<-done
}

func (b *backend) usable() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.healthy
}

// watch checks the backend until ctx ends, and cuts its connections when it stops answering.
func (b *backend) watch(ctx context.Context, path string) {
	client := &http.Client{Timeout: checkWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		b.set(answers(ctx, client, "http://"+b.address+path))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

func (b *backend) set(healthy bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.healthy = healthy
	if !healthy {
		for connection := range b.connections {
			_ = connection.Close()
		}
	}
}
