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
// before, or is on its way, is recognised, so the call may be repeated when its answer was lost. Errors: Unexpected, for
// good, when the server has another history than the one expected; Unreachable, NotReady and those of the credentials otherwise.
func (a *Activities) Promote(ctx context.Context, params PromoteParams) (PromoteResult, error) {
	began := time.Now()
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return PromoteResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	conn, err := login.connect(ctx, params.Instance)
	if err != nil {
		return PromoteResult{}, unreachable("promote", params.Instance, err)
	}
	defer hangUp(conn)
	server, err := describe(ctx, conn)
	if err != nil {
		return PromoteResult{}, unreachable("promote", params.Instance, err)
	}
	called, err := promotionCalled(server, params)
	if err != nil {
		return PromoteResult{}, err
	}
	if !called {
		if _, err := conn.Exec(ctx, "SELECT pg_promote(wait => false)"); err != nil {
			return PromoteResult{}, unreachable("promote", params.Instance, err)
		}
	}
	promoted, err := awaitWritable(ctx, conn, params)
	promoted.Already, promoted.Took = called, time.Since(began)
	return promoted, err
}

// promotionCalled says whether somebody called for this promotion before, and refuses a server that is not what the decision
// was about.
func promotionCalled(server Server, params PromoteParams) (bool, error) {
	refuse := func(why string, args ...any) (bool, error) {
		return false, failure.Permanent(failure.Unexpected, "promote %s: it %s", params.Instance.Pod, fmt.Sprintf(why, args...))
	}
	switch {
	case server.SystemID != params.SystemID:
		return refuse("belongs to database system %s, not %s; check the address in its pod", server.SystemID, params.SystemID)
	case server.InRecovery && server.Timeline == params.FromTimeline:
		return false, nil
	case !server.InRecovery && leaves(server, params.FromTimeline):
		return true, nil
	case !server.InRecovery:
		return refuse("is a primary already, on timeline %d, which did not leave timeline %d", server.Timeline, params.FromTimeline)
	case !server.Receiving && server.Timeline > params.FromTimeline && (len(server.History) == 0 || leaves(server, params.FromTimeline)):
		// Between the first file of the new timeline and its first transaction a promoted server still says that it recovers; the
		// history file comes a moment after the first WAL file. A server that follows somebody else's new timeline looks the
		// same, so it is only waited for and never promoted.
		return true, nil
	default:
		return refuse("follows timeline %d, not %d", server.Timeline, params.FromTimeline)
	}
}

// leaves says whether the timeline of a server began where another one was left.
func leaves(server Server, from uint32) bool {
	return len(server.History) > 0 && server.History[len(server.History)-1].Timeline == from
}

// awaitWritable returns when the server has given out a transaction ID, which a server in recovery cannot.
func awaitWritable(ctx context.Context, conn *pgx.Conn, params PromoteParams) (PromoteResult, error) {
	for {
		var recovering bool
		err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering)
		if err != nil && hasTime(ctx) {
			return PromoteResult{}, unreachable("watch the promotion", params.Instance, err)
		}
		if err == nil && !recovering {
			return readBack(ctx, conn, params.Instance)
		}
		if pause(ctx) != nil {
			return PromoteResult{}, failure.Transient(failure.NotReady, "promote %s: still in recovery after %s; see its log", params.Instance.Pod, params.Patience)
		}
	}
}

// readBack takes a transaction ID, which waits for no other server as a commit might, and reads timeline and position. The control file names the new timeline only after the next
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
		return PromoteResult{}, failure.Permanent(failure.Unexpected, "promote %s: no transaction ID was given out", instance.Pod)
	}
	return PromoteResult{Timeline: timeline, LSN: lsn}, nil
}
