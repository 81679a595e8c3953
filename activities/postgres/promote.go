package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// PromoteParams names the replica and the history that it must have.
type PromoteParams struct {
	Database     string        `json:"database"`
	Catalog      string        `json:"catalog"`
	Instance     Instance      `json:"instance"`
	FromTimeline uint32        `json:"fromTimeline"` // the timeline that it leaves
	SystemID     string        `json:"systemId"`
	Patience     time.Duration `json:"patience"`
}

// PromoteResult is what was read back from the new primary.
type PromoteResult struct {
	Timeline uint32        `json:"timeline"`
	LSN      LSN           `json:"lsn"`
	Already  bool          `json:"already"` // it was promoted from that timeline before this call
	Took     time.Duration `json:"took"`
}

// Promote makes a replica the primary and returns when it accepts writes. A server that was promoted from the same timeline
// before is recognised, so the call may be repeated when its answer was lost. Errors: Unexpected, for good, when the server
// has another history than the one expected; Unreachable and NotReady otherwise.
func (a *Activities) Promote(ctx context.Context, params PromoteParams) (PromoteResult, error) {
	began := time.Now()
	conn, err := a.connect(ctx, params.Database, params.Catalog, params.Instance)
	if err != nil {
		return PromoteResult{}, unreachable("promote", params.Instance, err)
	}
	defer hangUp(conn)
	server, err := describe(ctx, conn)
	if err != nil {
		return PromoteResult{}, unreachable("promote", params.Instance, err)
	}
	if err := fitsHistory(server, params); err != nil {
		return PromoteResult{}, err
	}
	already := !server.InRecovery
	if !already {
		if _, err := conn.Exec(ctx, "SELECT pg_promote(wait => false)"); err != nil {
			return PromoteResult{}, unreachable("promote", params.Instance, err)
		}
	}
	promoted, err := awaitWritable(ctx, conn, params)
	promoted.Already, promoted.Took = already, time.Since(began)
	return promoted, err
}

// fitsHistory refuses a server that is not what the decision was about.
func fitsHistory(server Server, params PromoteParams) error {
	if server.SystemID != params.SystemID {
		return failure.Permanent(failure.Unexpected, "promote %s: it belongs to database system %s, not %s; check the address in its pod",
			params.Instance.Pod, server.SystemID, params.SystemID)
	}
	if server.InRecovery {
		if server.Timeline != params.FromTimeline {
			return failure.Permanent(failure.Unexpected, "promote %s: it follows timeline %d, not %d", params.Instance.Pod, server.Timeline, params.FromTimeline)
		}
		return nil
	}
	if len(server.History) == 0 || server.History[len(server.History)-1].Timeline != params.FromTimeline {
		return failure.Permanent(failure.Unexpected, "promote %s: it is a primary already, on timeline %d, which did not leave timeline %d",
			params.Instance.Pod, server.Timeline, params.FromTimeline)
	}
	return nil
}

// awaitWritable returns when the server has given out a transaction ID, which a server in recovery cannot.
func awaitWritable(ctx context.Context, conn *pgx.Conn, params PromoteParams) (PromoteResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	for {
		var recovering bool
		if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering); err != nil {
			return PromoteResult{}, unreachable("watch the promotion", params.Instance, err)
		}
		if !recovering {
			return readBack(ctx, conn, params.Instance)
		}
		if pause(ctx) != nil {
			return PromoteResult{}, failure.Transient(failure.NotReady, "promote %s: still in recovery after %s; see its log", params.Instance.Pod, params.Patience)
		}
	}
}

// readBack writes something and reads timeline and position. The control file names the new timeline only after the next
// checkpoint, the name of the current WAL file does so at once.
func readBack(ctx context.Context, conn *pgx.Conn, instance Instance) (PromoteResult, error) {
	var transaction, walFile, position string
	err := conn.QueryRow(ctx, "SELECT pg_current_xact_id()::text, pg_walfile_name(pg_current_wal_lsn()), pg_current_wal_lsn()::text").Scan(&transaction, &walFile, &position)
	if err != nil {
		return PromoteResult{}, unreachable("write for the first time", instance, err)
	}
	lsn, err := ParseLSN(position)
	if err != nil {
		return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: %s", instance.Pod, err)
	}
	timeline, err := timelineOf(walFile, 0)
	if err != nil {
		return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: %s", instance.Pod, err)
	}
	if transaction == "" {
		return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: %s", instance.Pod, fmt.Errorf("no transaction ID was given out"))
	}
	return PromoteResult{Timeline: timeline, LSN: lsn}, nil
}
