package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// PrepareShutdownParams names the primary that will be shut down and the replica that takes over.
type PrepareShutdownParams struct {
	Database string   `json:"database"`
	Catalog  string   `json:"catalog"`
	Primary  Instance `json:"primary"`
	Replica  Instance `json:"replica"`
}

// PrepareShutdownResult is what the shutdown needs to know.
type PrepareShutdownResult struct {
	DataDirectory string `json:"dataDirectory"`
	Programs      string `json:"programs"` // the folder of PostgreSQL's own programs on that machine
	LSN           LSN    `json:"lsn"`      // a position of the primary's WAL before the shutdown
}

// PrepareShutdown writes a checkpoint on the primary and on the replica, so that the shutdown and its proof have little left to
// write while nobody serves. It changes nothing that lasts, and may be repeated. Errors: Unreachable and those of the credentials.
func (a *Activities) PrepareShutdown(ctx context.Context, params PrepareShutdownParams) (PrepareShutdownResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return PrepareShutdownResult{}, err
	}
	var result PrepareShutdownResult
	if err := onInstance(ctx, login, params.Primary, "write a checkpoint", func(conn *pgx.Conn) error {
		result, err = prepare(ctx, conn)
		return err
	}); err != nil {
		return PrepareShutdownResult{}, err
	}
	// The replica's restart point follows the checkpoint that it has just been sent.
	err = onInstance(ctx, login, params.Replica, "write a restart point", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CHECKPOINT")
		return err
	})
	return result, err
}

func prepare(ctx context.Context, conn *pgx.Conn) (PrepareShutdownResult, error) {
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return PrepareShutdownResult{}, err
	}
	var result PrepareShutdownResult
	var position string
	err := conn.QueryRow(ctx, "SELECT current_setting('data_directory'), (SELECT setting FROM pg_config WHERE name = 'BINDIR'), pg_current_wal_lsn()::text").
		Scan(&result.DataDirectory, &result.Programs, &position)
	if err != nil {
		return PrepareShutdownResult{}, err
	}
	result.LSN, err = ParseLSN(position)
	return result, err
}

// onInstance does something on one connection to an instance.
func onInstance(ctx context.Context, login login, instance Instance, doing string, do func(*pgx.Conn) error) error {
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return unreachable(doing, instance, err)
	}
	defer hangUp(conn)
	if err := do(conn); err != nil {
		return unreachable(doing, instance, err)
	}
	return nil
}
