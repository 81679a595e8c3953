package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AwaitFlushedParams name a primary and how many replicas should have what it writes.
type AwaitFlushedParams struct {
	Database string        `json:"database"`
	Catalog  string        `json:"catalog"`
	Primary  Instance      `json:"primary"`
	AtLeast  int           `json:"atLeast"`
	Patience time.Duration `json:"patience"`
}

// AwaitFlushedResult lists the replicas that said that they have it.
type AwaitFlushedResult struct {
	Flushed []string `json:"flushed,omitempty"` // names or addresses
	Enough  bool     `json:"enough"`
	Seen    string   `json:"seen"`
}

// AwaitFlushed writes a message of no meaning into the WAL of a primary and waits until enough replicas say that it is on their
// disks: pg_stat_replication goes on calling a replica streaming that has fallen silent, until wal_sender_timeout. The message belongs
// to no transaction, so it waits for no replica itself; called twice it is written twice. That there are too few after its patience is a
// result. The only errors are those of the credentials.
func (a *Activities) AwaitFlushed(ctx context.Context, params AwaitFlushedParams) (AwaitFlushedResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return AwaitFlushedResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	var last AwaitFlushedResult
	err = onInstance(ctx, login, params.Primary, "see replicas flush", func(conn *pgx.Conn) error {
		var written string
		if err := conn.QueryRow(ctx, "SELECT pg_logical_emit_message(false, 'fukkyu', '')::text").Scan(&written); err != nil {
			return err
		}
		last.Seen = fmt.Sprintf("no replica has %s after %s", written, params.Patience)
		for {
			flushed, err := whoFlushed(ctx, conn, written)
			if err != nil {
				return err
			}
			if len(flushed) > 0 {
				last.Seen = fmt.Sprintf("%d replicas have %s", len(flushed), written)
			}
			last.Flushed, last.Enough = flushed, len(flushed) >= params.AtLeast
			if last.Enough {
				return nil
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	})
	if err != nil && last.Seen == "" { // at the end of our patience the look before is worth more
		last.Seen = err.Error()
	}
	return last, nil
}

func whoFlushed(ctx context.Context, conn *pgx.Conn, written string) ([]string, error) {
	const query = `
SELECT ARRAY(SELECT coalesce(nullif(application_name, ''), host(client_addr), 'local') FROM pg_stat_replication
              WHERE state = 'streaming' AND replay_lsn IS NOT NULL AND flush_lsn >= $1::text::pg_lsn ORDER BY 1)`
	var flushed []string
	err := conn.QueryRow(ctx, query, written).Scan(&flushed)
	return flushed, err
}
