package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AwaitShutdownParams names the replica that must have everything, and whose shutdown is waited for.
type AwaitShutdownParams struct {
	Database string        `json:"database"`
	Catalog  string        `json:"catalog"`
	Replica  Instance      `json:"replica"`
	After    LSN           `json:"after"` // a position of the primary's WAL before it was told to shut down
	Patience time.Duration `json:"patience"`
}

// AwaitShutdownResult is a proof, or what was seen instead.
type AwaitShutdownResult struct {
	Proof string `json:"proof,omitempty"` // a sentence; empty: nothing is proven
	At    LSN    `json:"at,omitempty"`    // where the primary's WAL ended
	Seen  string `json:"seen"`
}

// AwaitShutdown waits until the last record that a replica has replayed is the checkpoint with which its primary shut down. A
// primary writes that record last of all, after its sessions have ended, so it proves at once that the primary stopped cleanly and
// that the replica has everything. It changes nothing but the replica's restart point. That there is no proof after its
// patience is a result; the only errors are those of the credentials.
func (a *Activities) AwaitShutdown(ctx context.Context, params AwaitShutdownParams) (AwaitShutdownResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return AwaitShutdownResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	last := AwaitShutdownResult{Seen: "nothing yet"}
	for {
		conn, err := login.connect(ctx, params.Replica)
		if err == nil {
			last = watchForShutdown(ctx, conn, params)
			hangUp(conn)
		} else if hasTime(ctx) {
			last.Seen = fmt.Sprintf("%s cannot be asked: %s", params.Replica.Pod, brief(err))
		}
		if last.Proof != "" || pause(ctx) != nil {
			return last, nil
		}
	}
}

// watchForShutdown looks again and again on one connection, and gives up with it.
func watchForShutdown(ctx context.Context, conn *pgx.Conn, params AwaitShutdownParams) AwaitShutdownResult {
	var last AwaitShutdownResult
	for {
		end, err := readEnd(ctx, conn)
		switch {
		case err != nil:
			if last.Seen == "" || hasTime(ctx) {
				last.Seen = fmt.Sprintf("%s cannot be asked: %s", params.Replica.Pod, brief(err))
			}
			return last
		case end.isShutdown(params.After):
			return AwaitShutdownResult{At: end.replayed, Proof: fmt.Sprintf(
				"clean shutdown read back: the last record that %s replayed is the primary's shutdown checkpoint at %s", params.Replica.Pod, end.checkpoint)}
		}
		last.Seen = end.String()
		if pause(ctx) != nil {
			return last
		}
	}
}

// walEnd is the end of the WAL that a replica has, and the last checkpoint in it.
type walEnd struct {
	receiving        bool
	replayed         LSN
	checkpoint, redo LSN // of the last checkpoint record, and where a recovery from it would begin
}

// readEnd looks at the end of a replica's WAL once its receiver has none to receive from: a restart point copies the last
// checkpoint record into the control file, where it can be read.
func readEnd(ctx context.Context, conn *pgx.Conn) (walEnd, error) {
	var end walEnd
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')").Scan(&end.receiving); err != nil || end.receiving {
		return end, err
	}
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return end, err
	}
	var replayed, checkpoint, redo string
	const read = "SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text, checkpoint_lsn::text, redo_lsn::text FROM pg_control_checkpoint()"
	if err := conn.QueryRow(ctx, read).Scan(&replayed, &checkpoint, &redo); err != nil {
		return end, err
	}
	var err error
	for _, position := range []struct {
		text string
		into *LSN
	}{{replayed, &end.replayed}, {checkpoint, &end.checkpoint}, {redo, &end.redo}} {
		if *position.into, err = ParseLSN(position.text); err != nil {
			return end, err
		}
	}
	return end, nil
}

// longestCheckpoint is more than a checkpoint record takes with the header of the page that it may begin, in bytes.
const longestCheckpoint = 512

// isShutdown says whether the WAL ends with a shutdown checkpoint that was written after a position. Only a shutdown's
// checkpoint begins where its own record is: while a server runs, WAL is written between the two.
func (e walEnd) isShutdown(after LSN) bool {
	return !e.receiving && e.checkpoint >= after && e.checkpoint == e.redo && e.replayed > e.checkpoint && e.replayed-e.checkpoint <= longestCheckpoint
}

func (e walEnd) String() string {
	if e.receiving {
		return "the primary still sends WAL"
	}
	return fmt.Sprintf("replayed up to %s, the last checkpoint is at %s and begins at %s", e.replayed, e.checkpoint, e.redo)
}
