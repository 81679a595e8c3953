// Package postgres reads and changes PostgreSQL servers: it asks them how far they are, promotes one, and checks what it holds.
//
// Every activity speaks to one instance by its own address, never through the Service that applications use: that Service
// points at whatever the recovery is about to change.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// pollInterval is the pause between two looks at a server that is changing its state. A promotion takes about 50 ms.
const pollInterval = 10 * time.Millisecond

// connectTimeout bounds one connection attempt of an activity that may be retried.
const connectTimeout = 2 * time.Second

// Credentials resolves the role that recovers a database. The password never enters a Temporal history. Its errors are
// failures of package failure and leave an activity as they are.
type Credentials interface {
	For(ctx context.Context, database string) (username, password string, err error)
}

// Activities reach the instances of the plan's databases.
type Activities struct {
	credentials Credentials
}

// New returns activities that log in with credentials.
func New(credentials Credentials) *Activities { return &Activities{credentials: credentials} }

// Instance is one PostgreSQL server and where it listens.
type Instance struct {
	Pod  string `json:"pod"`
	Host string `json:"host"`
	Port int    `json:"port"`
}

func (i Instance) address() string { return net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) }

// login is the way into the instances of one database.
type login struct {
	username, password, catalog string
}

// login resolves the credentials, once for each activity and before any server is asked: that they cannot be read says
// nothing about a server, and must never look as if a replica were gone.
func (a *Activities) login(ctx context.Context, database, catalog string) (login, error) {
	username, password, err := a.credentials.For(ctx, database)
	return login{username: username, password: password, catalog: catalog}, err
}

// withoutEnvironment keeps PGHOST, PGTARGETSESSIONATTRS and their like from deciding which server is recovered.
const withoutEnvironment = "host=unset port=5432 user=unset password=unset dbname=unset sslmode=disable target_session_attrs=any application_name=fukkyu"

// connect logs in to one instance. The error is pgx's own; callers turn it into a failure or into a finding.
func (l login) connect(ctx context.Context, instance Instance) (*pgx.Conn, error) {
	if instance.Host == "" {
		return nil, errors.New("the pod has no address")
	}
	config, err := pgx.ParseConfig(withoutEnvironment)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection: %w", err)
	}
	config.Host, config.Port, config.Database = instance.Host, uint16(instance.Port), l.catalog
	config.User, config.Password = l.username, l.password
	config.ConnectTimeout = connectTimeout
	// Plain queries: a connection is used once or twice, and a prepared statement would cost a round trip more.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgx.ConnectConfig(ctx, config)
}

// hangUp closes a connection without waiting for a server that does not answer.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = conn.Close(ctx) // nothing depends on a polite goodbye
}

// unreachable turns an error of a connection or a query into a failure that is worth another try.
func unreachable(doing string, instance Instance, err error) error {
	return failure.Transient(failure.Unreachable, "%s on %s (%s): %s", doing, instance.Pod, instance.address(), brief(err))
}

// brief is the part of pgx's error that says what happened, without the connection string.
func brief(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Message
	}
	var operation *net.OpError
	if errors.As(err, &operation) {
		return operation.Err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
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
