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

// StopReceiving waits until the reachable replicas receive nothing any more and their positions stand still, so that they can
// be compared. A receiver that listens to a silent primary is ended, by a setting that is put back. A receiver that hears its
// primary is left alone: then the primary lives, and the error says so. PostgreSQL starts receivers again by itself when the
// primary answers, which is why this comes after the fence. Called twice it finds nothing to end. Errors: NotReady when a
// replica does not come to rest, and those of the credentials.
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
			restless = append(restless, rest.String())
		}
	}
	if len(restless) > 0 {
		return StopReceivingResult{}, failure.Transient(failure.NotReady, "stop receiving WAL: not at rest after %s: %s; see that the old primary is fenced",
			params.Patience, strings.Join(restless, "; "))
	}
	return result, nil
}

// rest is one replica on its way to standing still.
type rest struct {
	server  Server
	reached bool      // it stands still
	since   time.Time // nothing has moved since then
	hurry   error     // why its receiver could not be made to give up a silent primary
}

func (r rest) String() string {
	said := fmt.Sprintf("%s received %s and replayed %s", r.server.Pod, r.server.ReceiveLSN, r.server.ReplayLSN)
	if r.server.Receiving {
		said += " and still has a receiver"
	}
	if r.hurry != nil {
		said += ", which could not be ended: " + r.hurry.Error()
	}
	return said
}

// bringToRest returns when the replica stands still, cannot be reached, or nobody waits any more.
func bringToRest(ctx context.Context, login login, instance Instance) rest {
	lost := func(err error) rest { return rest{server: Server{Pod: instance.Pod, Error: brief(err)}} }
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return lost(err)
	}
	defer hangUp(conn)
	patience, err := readPatience(ctx, conn)
	if err != nil {
		return lost(err)
	}
	defer patience.restore(ctx)
	var current rest
	for {
		server, err := look(ctx, conn)
		if err != nil {
			return lost(err)
		}
		server.Pod, server.Reached = instance.Pod, true
		if current = current.then(server, time.Now()); current.reached {
			return current
		}
		if server.Receiving && current.hurry == nil {
			current.hurry = patience.hurry(ctx)
		}
		if pause(ctx) != nil {
			return current
		}
	}
}

// look outlives ctx for the same reason as every statement on this connection: it still has a setting to put back.
func look(ctx context.Context, conn *pgx.Conn) (Server, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	return describe(ctx, conn)
}

// then weighs the next look at a replica. Nothing may have arrived since the last look, and what arrived must be replayed.
// The last record may be torn, because WAL travels in pieces of any size: replay then stops before the end of what was
// received for good, which shows by not moving for a while.
func (r rest) then(server Server, now time.Time) rest {
	same := r.server.Reached && !r.server.Receiving && !server.Receiving &&
		r.server.ReceiveLSN == server.ReceiveLSN && r.server.ReplayLSN == server.ReplayLSN
	next := rest{server: server, since: now, hurry: r.hurry}
	if same {
		next.since = r.since
	}
	replayed := server.ReplayLSN >= server.ReceiveLSN || now.Sub(next.since) >= tornAfter
	next.reached = !server.InRecovery || same && replayed
	return next
}
