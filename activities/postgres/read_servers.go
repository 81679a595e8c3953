package postgres

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is one PostgreSQL server as it describes itself.
type Server struct {
	Pod        string    `json:"pod"`
	Reached    bool      `json:"reached"`
	Error      string    `json:"error,omitempty"` // why it was not reached
	InRecovery bool      `json:"inRecovery"`      // a replica
	Timeline   uint32    `json:"timeline"`
	SystemID   string    `json:"systemId"`
	ReceiveLSN LSN       `json:"receiveLsn"` // steps back when the server restarts
	ReplayLSN  LSN       `json:"replayLsn"`
	Receiving  bool      `json:"receiving"`           // a WAL receiver is connected
	LastHeard  time.Time `json:"lastHeard,omitzero"`  // of the sender, by this server's clock; only while receiving
	PrimaryEnd LSN       `json:"primaryEnd"`          // where the sender last said that its WAL ends; only while receiving
	LastCommit time.Time `json:"lastCommit,omitzero"` // newest moment of the primary that it has replayed: a commit or a checkpoint
	History    []Fork    `json:"history,omitempty"`   // the timelines that it descends from, oldest first
	// Ahead is how far this server's clock is ahead of the worker's; negative when it is behind.
	Ahead time.Duration `json:"ahead,omitempty"`
}

// HeardAt is when the server last heard its sender, by the worker's clock. It is for comparing servers with each other; two readings of
// one server are told apart by LastHeard, which is exact.
func (s Server) HeardAt() time.Time {
	if s.LastHeard.IsZero() {
		return s.LastHeard
	}
	return s.LastHeard.Add(-s.Ahead)
}

// Fork is where a timeline was left.
type Fork struct {
	Timeline uint32 `json:"timeline"`
	At       LSN    `json:"at"`
}

// ReadServersParams names the servers to read.
type ReadServersParams struct {
	Database  string        `json:"database"`
	Catalog   string        `json:"catalog"`
	Instances []Instance    `json:"instances"`
	Timeout   time.Duration `json:"timeout"` // for each of them
}

// ReadServersResult has one entry for each instance, in their order.
type ReadServersResult struct {
	Servers []Server  `json:"servers"`
	At      time.Time `json:"at"` // this worker's clock
}

// ReadServers reads how far servers are, all at the same time. It changes nothing. A server that cannot be read is a finding
// and not an error; the only errors are those of the credentials.
func (a *Activities) ReadServers(ctx context.Context, params ReadServersParams) (ReadServersResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return ReadServersResult{}, err
	}
	servers := make([]Server, len(params.Instances))
	var readers sync.WaitGroup
	for i, instance := range params.Instances {
		readers.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, params.Timeout)
			defer cancel()
			servers[i] = readOne(ctx, login, instance)
		})
	}
	readers.Wait()
	return ReadServersResult{Servers: servers, At: time.Now()}, nil
}

func readOne(ctx context.Context, login login, instance Instance) Server {
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	defer hangUp(conn)
	server, err := describe(ctx, conn)
	server.Pod = instance.Pod
	if err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	server.Reached = true
	return server
}

// The timeline of a replica is the newest of which it holds WAL: the control file names it only after the next restart point,
// and what the receiver knew is forgotten with it. The last received position is remembered.
const describeServer = `
SELECT pg_is_in_recovery(),
       (SELECT system_identifier::text FROM pg_control_system()),
       (SELECT greatest(timeline_id, (SELECT max(('x' || left(name, 8))::bit(32)::int)
                                        FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$')) FROM pg_control_checkpoint()),
       CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END,
       CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), '0/0') ELSE pg_current_wal_lsn() END::text,
       CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END::text,
       receiver.pid IS NOT NULL,
       coalesce(receiver.received_tli, 0),
       receiver.last_msg_receipt_time,
       coalesce(receiver.latest_end_lsn, '0/0')::text,
       greatest(pg_last_xact_replay_timestamp(), (SELECT checkpoint_time FROM pg_control_checkpoint())),
       clock_timestamp()
  FROM (SELECT 1) AS one LEFT JOIN pg_stat_wal_receiver AS receiver ON true`

func describe(ctx context.Context, conn *pgx.Conn) (Server, error) {
	var server Server
	var walFile, receive, replay, end string
	var checkpoint, received int64
	var heard, committed *time.Time
	var its time.Time
	asked := time.Now()
	err := conn.QueryRow(ctx, describeServer).Scan(&server.InRecovery, &server.SystemID, &checkpoint, &walFile, &receive, &replay,
		&server.Receiving, &received, &heard, &end, &committed, &its)
	server.Ahead = aheadOf(asked, time.Now(), its)
	if err != nil {
		return server, fmt.Errorf("read its state: %w", err)
	}
	if server.ReceiveLSN, err = ParseLSN(receive); err != nil {
		return server, err
	}
	if server.ReplayLSN, err = ParseLSN(replay); err != nil {
		return server, err
	}
	if server.PrimaryEnd, err = ParseLSN(end); err != nil {
		return server, err
	}
	if server.Timeline, err = timelineOf(walFile, max(checkpoint, received)); err != nil {
		return server, err
	}
	server.LastHeard, server.LastCommit = orZero(heard), orZero(committed)
	server.History, err = readHistory(ctx, conn, server.Timeline)
	return server, err
}

// aheadOf is how far a clock that was read between two moments of ours is ahead. What lies between them is no difference.
func aheadOf(asked, answered, its time.Time) time.Duration {
	switch {
	case its.After(answered):
		return its.Sub(answered)
	case its.Before(asked):
		return its.Sub(asked)
	default:
		return 0
	}
}

// timelineOf is the timeline in the name of the WAL file that a primary writes; a replica has no such file and says otherwise.
func timelineOf(walFile string, otherwise int64) (uint32, error) {
	if walFile == "" {
		return uint32(otherwise), nil
	}
	timeline, err := strconv.ParseUint(walFile[:8], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read the timeline from WAL file %s: %w", walFile, err)
	}
	return uint32(timeline), nil
}

// readHistory reads the forks that led to a timeline from the server's own history file. The first timeline has none.
func readHistory(ctx context.Context, conn *pgx.Conn, timeline uint32) ([]Fork, error) {
	if timeline <= 1 {
		return nil, nil
	}
	var content *string
	err := conn.QueryRow(ctx, "SELECT pg_read_file(format('pg_wal/%s.history', $1::text), 0, 1000000, true)", fmt.Sprintf("%08X", timeline)).Scan(&content)
	if err != nil {
		return nil, fmt.Errorf("read the history of timeline %d: %w", timeline, err)
	}
	if content == nil {
		return nil, nil
	}
	return parseHistory(*content)
}

// parseHistory reads lines of "timeline, LSN, reason".
func parseHistory(content string) ([]Fork, error) {
	var forks []Fork
	lines := bufio.NewScanner(strings.NewReader(content))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		timeline, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read timeline history line %q: %w", lines.Text(), err)
		}
		at, err := ParseLSN(fields[1])
		if err != nil {
			return nil, fmt.Errorf("read timeline history line %q: %w", lines.Text(), err)
		}
		forks = append(forks, Fork{Timeline: uint32(timeline), At: at})
	}
	return forks, lines.Err()
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}
