package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// readTimeout bounds one look at a server while its receiver ends.
const readTimeout = time.Second

// tornAfter is how long a replica without a receiver may replay nothing before the rest counts as a torn record. Nothing is
// lost when this is too short: the received position decides which replica is ahead, and a promotion replays what is whole.
const tornAfter = 100 * time.Millisecond

// StopReceivingParams names the replicas.
type StopReceivingParams struct {
	Database  string        `json:"database"`
	Catalog   string        `json:"catalog"`
	Instances []Instance    `json:"instances"`
	Patience  time.Duration `json:"patience"`
}

// StopReceivingResult is how far the replicas are when nothing arrives any more.
type StopReceivingResult struct {
	Servers []Server `json:"servers"`
}

// StopReceiving ends the WAL receivers of all replicas that can be reached and waits until their positions stand still, so
// that they can be compared. PostgreSQL starts a receiver again by itself when its primary answers, which is why this comes
// after the fence. Called twice it finds nothing to end. Errors: NotReady when a replica does not come to rest, and those of
// the credentials.
func (a *Activities) StopReceiving(ctx context.Context, params StopReceivingParams) (StopReceivingResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return StopReceivingResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	rests := make([]rest, len(params.Instances))
	var stopping sync.WaitGroup
	for i, instance := range params.Instances {
		stopping.Go(func() { rests[i] = bringToRest(ctx, login, instance) })
	}
	stopping.Wait()
	var result StopReceivingResult
	var restless []string
	for _, rest := range rests {
		result.Servers = append(result.Servers, rest.server)
		if rest.server.Reached && !rest.reached {
			restless = append(restless, fmt.Sprintf("%s received %s and replayed %s", rest.server.Pod, rest.server.ReceiveLSN, rest.server.ReplayLSN))
		}
	}
	if len(restless) > 0 {
		return StopReceivingResult{}, failure.Transient(failure.NotReady, "stop receiving WAL: not at rest after %s: %s; is the old primary really fenced?",
			params.Patience, strings.Join(restless, "; "))
	}
	return result, nil
}

// rest is one replica on its way to standing still.
type rest struct {
	server  Server
	reached bool      // it stands still
	since   time.Time // nothing has moved since then
}

// bringToRest returns when the replica stands still, cannot be reached, or nobody waits any more.
func bringToRest(ctx context.Context, login login, instance Instance) rest {
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return rest{server: Server{Pod: instance.Pod, Error: brief(err)}}
	}
	defer hangUp(conn)
	var current rest
	for {
		server, err := endReceiver(ctx, conn)
		switch {
		case err != nil && ctx.Err() != nil && current.server.Reached:
			return current // our patience has ended, not the replica
		case err != nil:
			return rest{server: Server{Pod: instance.Pod, Error: brief(err)}}
		}
		server.Pod, server.Reached = instance.Pod, true
		if current = current.then(server, time.Now()); current.reached {
			return current
		}
		if pause(ctx) != nil {
			return current
		}
	}
}

// endReceiver ends the receiver if there is one and says how far the replica is.
func endReceiver(ctx context.Context, conn *pgx.Conn) (Server, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver"); err != nil {
		return Server{}, err
	}
	return describe(ctx, conn)
}

// then weighs the next look at a replica. Nothing may have arrived since the last look, and what arrived must be replayed.
// The last record may be torn, because WAL travels in pieces of any size: replay then stops before the end of what was
// received for good, which shows by not moving for a while.
func (r rest) then(server Server, now time.Time) rest {
	same := r.server.Reached && !r.server.Receiving && !server.Receiving &&
		r.server.ReceiveLSN == server.ReceiveLSN && r.server.ReplayLSN == server.ReplayLSN
	next := rest{server: server, since: now}
	if same {
		next.since = r.since
	}
	replayed := server.ReplayLSN >= server.ReceiveLSN || now.Sub(next.since) >= tornAfter
	next.reached = !server.InRecovery || same && replayed
	return next
}
