// Package redis reads and changes Redis servers: it asks them what they are and how their data is kept, promotes one, and tries a write.
//
// Every activity speaks to one instance by its own address, never through the Service that applications use: that Service
// points at whatever the recovery is about to change.
package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

const (
	pollInterval   = 50 * time.Millisecond // between two looks at a server that is changing its state
	connectTimeout = time.Second           // of one connection attempt
	answerTimeout  = 2 * time.Second       // of one command
)

// Activities speak to Redis servers. They are as open as the plan's network lets them be: no password is used.
type Activities struct{}

// New returns activities.
func New() *Activities { return &Activities{} }

// Instance is one Redis server and where it listens.
type Instance struct {
	Pod  string `json:"pod"`
	Host string `json:"host"`
	Port int    `json:"port"`
}

func (i Instance) address() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// dial prepares a connection of its own: a kept one may lead to a server that is gone. Nothing is sent before the first command.
func dial(instance Instance) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: instance.address(), Protocol: 2, PoolSize: 1,
		DialTimeout: connectTimeout, ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, ContextTimeoutEnabled: true,
		MaxRetries: -1, DialerRetries: 1, // whoever asks decides about another try
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func hangUp(client *redis.Client) { _ = client.Close() } // nothing depends on a polite goodbye

// unreachable turns an error of a command into a failure that is worth another try.
func unreachable(doing string, instance Instance, err error) error {
	return failure.Transient(failure.Unreachable, "%s on %s (%s): %s", doing, instance.Pod, instance.address(), brief(err))
}

// brief is the part of an error that says what happened.
func brief(err error) string {
	var operation *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &operation) && operation.Timeout():
		return "no answer in time"
	case errors.As(err, &operation):
		return operation.Err.Error()
	}
	return err.Error()
}

// pause waits for the next poll, or returns the reason why nobody waits any more.
func pause(ctx context.Context) error {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// hasTime says that the time of a context is not over. A connection may notice its end a moment before the context does.
func hasTime(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Now().Before(deadline))
}
