package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AwaitReplicaParams names a replica by the application_name that it streams with.
type AwaitReplicaParams struct {
	Database string        `json:"database"`
	Catalog  string        `json:"catalog"`
	Primary  Instance      `json:"primary"`
	Replica  string        `json:"replica"`
	Patience time.Duration `json:"patience"`
}

// AwaitReplicaResult says how it follows.
type AwaitReplicaResult struct {
	Streaming bool   `json:"streaming"`
	Lag       int64  `json:"lag"`            // bytes of WAL that it has not replayed
	Slot      string `json:"slot,omitempty"` // its replication slot
	Copied    int64  `json:"copied"`         // bytes, while it clones the primary
	Total     int64  `json:"total"`          // estimated
	Seen      string `json:"seen"`
}

// AwaitReplica waits until one replica streams from a primary. That it does not after its patience is a result, because it may clone for
// hours. It changes nothing. The only errors are those of the credentials.
func (a *Activities) AwaitReplica(ctx context.Context, params AwaitReplicaParams) (AwaitReplicaResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return AwaitReplicaResult{}, err
	}
	deadline := time.Now().Add(params.Patience)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	ticker := time.NewTicker(streamingInterval)
	defer ticker.Stop()
	var last AwaitReplicaResult
	for {
		seen, err := lookAtReplica(ctx, login, params)
		switch {
		case err == nil:
			last = seen
		case time.Now().Before(deadline) || last.Seen == "": // at the end of our patience the look before is worth more
			last = AwaitReplicaResult{Seen: fmt.Sprintf("%s cannot be asked: %s", params.Primary.Pod, brief(err))}
		}
		if last.Streaming {
			return last, nil
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-ticker.C:
		}
	}
}

// A clone streams WAL too, by a connection of its own and under the same name. It replays nothing, and a backup runs beside it.
const replicaQuery = `
SELECT r.state, r.replay_lsn IS NOT NULL, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn), 0)::bigint,
       coalesce((SELECT slot_name::text FROM pg_replication_slots AS s WHERE s.active_pid = r.pid), ''),
       coalesce(b.backup_streamed, 0), coalesce(b.backup_total, 0)
  FROM pg_stat_replication AS r LEFT JOIN pg_stat_progress_basebackup AS b ON b.pid = r.pid
 WHERE r.application_name = $1 ORDER BY b.pid IS NULL, r.replay_lsn IS NULL LIMIT 1`

func lookAtReplica(ctx context.Context, login login, params AwaitReplicaParams) (AwaitReplicaResult, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	conn, err := login.connect(ctx, params.Primary)
	if err != nil {
		return AwaitReplicaResult{}, err
	}
	defer hangUp(conn)
	var result AwaitReplicaResult
	var state string
	var replays bool
	err = conn.QueryRow(ctx, replicaQuery, params.Replica).Scan(&state, &replays, &result.Lag, &result.Slot, &result.Copied, &result.Total)
	if errors.Is(err, pgx.ErrNoRows) {
		return AwaitReplicaResult{Seen: params.Replica + " is not connected"}, nil
	}
	if err != nil {
		return AwaitReplicaResult{}, err
	}
	result.Streaming = state == "streaming" && replays
	result.Seen = fmt.Sprintf("%s is in state %s", params.Replica, state)
	if result.Total > 0 {
		result.Seen += fmt.Sprintf(", %d of %d bytes copied", result.Copied, result.Total)
	}
	return result, nil
}
