package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A customer waits this long for the database and no longer: a server that is gone is found out by these limits, because a
// machine that is off sends no refusal.
const (
	connectTimeout   = 300 * time.Millisecond
	statementTimeout = 700 * time.Millisecond
)

const createTable = `CREATE TABLE IF NOT EXISTS writes (number bigint PRIMARY KEY, note text NOT NULL, written timestamptz NOT NULL DEFAULT now())`

// store is the database of the backend, reached by the name of its Service and the PG variables of the environment, or at
// DATABASE_HOST where a Secret says so.
type store struct{ pool *pgxpool.Pool }

func openStore() (*store, error) {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("read the PG variables: %w", err)
	}
	if host := os.Getenv("DATABASE_HOST"); host != "" {
		config.ConnConfig.Host, config.ConnConfig.Fallbacks = host, nil
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	// A prepared statement of the old server means nothing to the new one.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &store{pool: pool}, nil
}

func (s *store) close() { s.pool.Close() }

// insert commits a write and returns the address of the server that did. The same number again changes nothing.
func (s *store) insert(ctx context.Context, sent write) (server string, err error) {
	err = s.limited(ctx, func(ctx context.Context) error {
		const insert = `WITH done AS (INSERT INTO writes (number, note) VALUES ($1, $2) ON CONFLICT DO NOTHING) SELECT host(inet_server_addr())`
		err := s.pool.QueryRow(ctx, insert, sent.Number, sent.Note).Scan(&server)
		if missingTable(err) {
			if _, err := s.pool.Exec(ctx, createTable); err != nil {
				return err
			}
			return s.pool.QueryRow(ctx, insert, sent.Number, sent.Note).Scan(&server)
		}
		return err
	})
	return server, err
}

// between lists the numbers that are there.
func (s *store) between(ctx context.Context, from, to int64) (numbers []int64, err error) {
	err = s.limited(ctx, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, "SELECT number FROM writes WHERE number BETWEEN $1 AND $2 ORDER BY number", from, to)
		if err != nil {
			return err
		}
		numbers, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	return numbers, err
}

// writable says whether the server behind the Service takes writes.
func (s *store) writable(ctx context.Context) error {
	return s.limited(ctx, func(ctx context.Context) error {
		var standby bool
		if err := s.pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
			return err
		}
		if standby {
			return errors.New("the server is a replica")
		}
		return nil
	})
}

// limited gives a statement its time. After a failure all connections are dropped: where the Service has moved, they lead to
// a server that is gone.
func (s *store) limited(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err := do(ctx)
	if err != nil && !missingTable(err) {
		s.pool.Reset()
	}
	return err
}

func missingTable(err error) bool {
	const undefinedTable = "42P01"
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == undefinedTable
}
