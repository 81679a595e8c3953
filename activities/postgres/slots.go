package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RecreateSlotsParams name a new primary and the replicas that follow it from now on.
type RecreateSlotsParams struct {
	Database string     `json:"database"`
	Catalog  string     `json:"catalog"`
	Primary  Instance   `json:"primary"`
	Replicas []Instance `json:"replicas"`
}

// RecreateSlotsResult lists the slots that were made, and the replicas that could not be asked for theirs.
type RecreateSlotsResult struct {
	Made    []string `json:"made,omitempty"`
	Unasked []string `json:"unasked,omitempty"` // with the reason
}

// RecreateSlots gives a new primary the physical replication slots by which its replicas stream (primary_slot_name): slots are not
// replicated, and a replica whose slot is not there never streams. Called twice it makes them once. A replica that does not answer is
// a result; errors are those of the primary: NotReady, Unreachable, and those of the credentials.
func (a *Activities) RecreateSlots(ctx context.Context, params RecreateSlotsParams) (RecreateSlotsResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return RecreateSlotsResult{}, err
	}
	var result RecreateSlotsResult
	var wanted []string
	for _, replica := range params.Replicas {
		name, err := slotOf(ctx, login, replica)
		switch {
		case err != nil:
			result.Unasked = append(result.Unasked, fmt.Sprintf("%s: %s", replica.Pod, brief(err)))
		case name != "":
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return result, nil
	}
	err = onInstance(ctx, login, params.Primary, "make replication slots", func(conn *pgx.Conn) error {
		const missing = "SELECT name FROM unnest($1::text[]) AS name WHERE name NOT IN (SELECT slot_name FROM pg_replication_slots)"
		result.Made, err = eachName(ctx, conn, "SELECT pg_create_physical_replication_slot($1, true)", missing, wanted)
		return err
	})
	return result, err
}

// slotOf is the slot by which a replica streams, empty when it uses none.
func slotOf(ctx context.Context, login login, replica Instance) (string, error) {
	var name string
	err := onInstance(ctx, login, replica, "read primary_slot_name", func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT current_setting('primary_slot_name')").Scan(&name)
	})
	return name, err
}

// DropStaleSlotsParams name a former primary that is a replica now, and its primary.
type DropStaleSlotsParams struct {
	Database string   `json:"database"`
	Catalog  string   `json:"catalog"`
	Former   Instance `json:"former"`
	Primary  Instance `json:"primary"`
}

// DropStaleSlotsResult lists the slots that were dropped.
type DropStaleSlotsResult struct {
	Dropped []string `json:"dropped,omitempty"`
}

// DropStaleSlots drops the physical slots of a former primary that nobody uses there any more, because whoever did streams from the new
// primary by a slot of that name: they would keep WAL for ever and fill the disk. Others are left alone. Called twice it drops them
// once. Errors: NotReady, Unreachable, and those of the credentials.
func (a *Activities) DropStaleSlots(ctx context.Context, params DropStaleSlotsParams) (DropStaleSlotsResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return DropStaleSlotsResult{}, err
	}
	var used []string
	err = onInstance(ctx, login, params.Primary, "read replication slots", func(conn *pgx.Conn) error {
		used, err = queryNames(ctx, conn, "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical' AND active")
		return err
	})
	if err != nil || len(used) == 0 {
		return DropStaleSlotsResult{}, err
	}
	var result DropStaleSlotsResult
	err = onInstance(ctx, login, params.Former, "drop stale replication slots", func(conn *pgx.Conn) error {
		const stale = "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active AND slot_name = ANY($1::text[]) AND pg_is_in_recovery()"
		result.Dropped, err = eachName(ctx, conn, "SELECT pg_drop_replication_slot($1)", stale, used)
		return err
	})
	return result, err
}

// eachName runs a statement for each name that a query finds, and returns those.
func eachName(ctx context.Context, conn *pgx.Conn, statement, query string, arguments ...any) ([]string, error) {
	names, err := queryNames(ctx, conn, query, arguments...)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, statement, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func queryNames(ctx context.Context, conn *pgx.Conn, sql string, arguments ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
