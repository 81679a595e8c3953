package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// readTimeout bounds one look at a server while its receiver ends.
const readTimeout = time.Second

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

// StopReceiving ends the WAL receivers of all replicas that can be reached and waits until they have replayed what they
// received, so that their positions stand still. PostgreSQL starts a receiver again by itself when its primary answers, which
// is why this comes after the fence. Called twice it finds nothing to end. Error: NotReady when a replica does not come to rest.
func (a *Activities) StopReceiving(ctx context.Context, params StopReceivingParams) (StopReceivingResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	servers := make([]Server, len(params.Instances))
	var stopping sync.WaitGroup
	for i, instance := range params.Instances {
		stopping.Go(func() { servers[i] = a.bringToRest(ctx, params, instance) })
	}
	stopping.Wait()
	var restless []string
	for _, server := range servers {
		if server.Reached && !atRest(server) {
			restless = append(restless, fmt.Sprintf("%s received %s and replayed %s", server.Pod, server.ReceiveLSN, server.ReplayLSN))
		}
	}
	if len(restless) > 0 {
		return StopReceivingResult{}, failure.Transient(failure.NotReady, "stop receiving WAL: not at rest after %s: %s", params.Patience, strings.Join(restless, "; "))
	}
	return StopReceivingResult{Servers: servers}, nil
}

// bringToRest returns when the replica is at rest, cannot be reached, or nobody waits any more.
func (a *Activities) bringToRest(ctx context.Context, params StopReceivingParams, instance Instance) Server {
	for {
		server := a.endReceiver(ctx, params, instance)
		if !server.Reached || atRest(server) {
			return server
		}
		if pause(ctx) != nil {
			return server
		}
	}
}

// endReceiver ends the receiver if there is one and says how far the replica is.
func (a *Activities) endReceiver(ctx context.Context, params StopReceivingParams, instance Instance) Server {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := a.connect(ctx, params.Database, params.Catalog, instance)
	if err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver"); err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	server, err := describe(ctx, conn)
	if err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	server.Pod, server.Reached = instance.Pod, true
	return server
}

// atRest says that nothing arrives and everything that arrived is replayed. The last received record may be torn: replay then
// stops less than a page before the end of what was received, and goes no further.
func atRest(server Server) bool {
	const page = 8192
	return !server.InRecovery || !server.Receiving && server.ReplayLSN+page >= server.ReceiveLSN
}
