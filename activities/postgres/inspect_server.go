package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// indexCorrupted is what amcheck raises for an index that is damaged.
const indexCorrupted = "XX002"

// InspectServerParams names the primary and what is known of it.
type InspectServerParams struct {
	Database string   `json:"database"`
	Catalog  string   `json:"catalog"`
	Instance Instance `json:"instance"`
	Replicas int      `json:"replicas"` // that stream from it when all is well
}

// InspectServerResult has one check for each thing that was looked at.
type InspectServerResult struct {
	Checks []Check `json:"checks"`
}

// inspection is one look at a server. Its query returns rows of two columns: what goes behind the name, and the measurement.
type inspection struct {
	name, sql, expected string
}

// The inspections of every primary. Page checksums and indexes are read only where the server can.
const (
	largestTables = `SELECT format(' %I.%I', schemaname, relname), format('%s, about %s rows', pg_size_pretty(pg_total_relation_size(relid)), n_live_tup)
FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC, relid LIMIT 10`
	recoveryState  = `SELECT '', CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END`
	notValidated   = `SELECT '', coalesce(string_agg(format('%s on %s', conname, conrelid::regclass), ', '), 'none') FROM (SELECT * FROM pg_constraint WHERE NOT convalidated ORDER BY conname LIMIT 10) c`
	invalidIndexes = `SELECT '', coalesce(string_agg(indexrelid::regclass::text, ', '), 'none') FROM (SELECT * FROM pg_index WHERE NOT indisvalid ORDER BY indexrelid LIMIT 10) i`
	streaming      = `SELECT '', CASE WHEN count(*) >= %[1]d THEN '%[1]d or more' ELSE count(*)::text END FROM pg_stat_replication WHERE state = 'streaming'`
	furthestBehind = `SELECT '', coalesce(pg_size_pretty(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))), 'nobody streams') FROM pg_stat_replication WHERE state = 'streaming'`
	checksumsKept  = `SELECT '', current_setting('data_checksums')`
	checksums      = `SELECT '', sum(checksum_failures)::text FROM pg_stat_database HAVING current_setting('data_checksums') = 'on'`
	// A sequence that never gave a number out has no last value.
	behindTables = `SELECT '', coalesce(string_agg(format('%s: %s, and %s.%s has %s', s.sequence, coalesce(s.last::text, 'unused'), s.owner, s.attname, s.highest), ', '), 'none')
FROM (SELECT d.objid::regclass AS sequence, d.refobjid::regclass AS owner, a.attname, pg_sequence_last_value(d.objid) AS last,
    ((xpath('/row/m/text()', query_to_xml(format('SELECT max(%I) AS m FROM %s', a.attname, d.refobjid::regclass), false, true, '')))[1])::text::numeric AS highest
  FROM pg_depend d JOIN pg_sequence q ON q.seqrelid = d.objid JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND q.seqincrement > 0 AND NOT q.seqcycle
  ORDER BY d.objid LIMIT 100) s
WHERE s.highest > coalesce(s.last, 0)`
	amcheckSchema = `SELECT '', quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'`
	// The ten largest indexes that are read in seconds: a check must not load the disks of a service that has just come back.
	soundIndexes = `SELECT '', CASE WHEN count(checked.nothing) >= 0 THEN 'sound' END FROM (SELECT %s.bt_index_check(c.oid)::text AS nothing
  FROM (SELECT c.oid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE m.amname = 'btree' AND i.indisvalid AND c.relpersistence = 'p' AND c.relkind = 'i' AND c.relpages < 131072
    ORDER BY c.relpages DESC LIMIT 10) c) checked`
)

// InspectServer looks at what every primary must be, whatever the plan asks: its tables, constraints, indexes, sequences, page
// checksums and replication. It changes nothing. A look that fails, or takes more than its share of the time, is a check that
// could not run. Errors: Unreachable when the server is gone before all is seen, and those of the credentials.
func (a *Activities) InspectServer(ctx context.Context, params InspectServerParams) (InspectServerResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return InspectServerResult{}, err
	}
	conn, err := login.connect(ctx, params.Instance)
	if err != nil {
		return InspectServerResult{}, unreachable("inspect", params.Instance, err)
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		return InspectServerResult{}, unreachable("inspect", params.Instance, err)
	}
	looks := inspections(params.Replicas)
	if schema, err := ask(ctx, conn, amcheckSchema, len(looks)+1); err == nil && len(schema) == 1 {
		looks = append(looks, inspection{"largest indexes by amcheck", fmt.Sprintf(soundIndexes, schema[0][1]), "sound"})
	}
	var result InspectServerResult
	for i, look := range looks {
		checks, err := look.run(ctx, conn, len(looks)-i)
		if conn.IsClosed() {
			return InspectServerResult{}, unreachable("inspect: "+look.name, params.Instance, err)
		}
		result.Checks = append(result.Checks, checks...)
	}
	return result, nil
}

func inspections(replicas int) []inspection {
	return []inspection{
		{"recovery state", recoveryState, "primary"},
		{"replicas that stream", fmt.Sprintf(streaming, replicas), fmt.Sprintf("%d or more", replicas)},
		{"replica furthest behind", furthestBehind, ""},
		{"constraints that are not validated", notValidated, "none"},
		{"indexes that are not valid", invalidIndexes, "none"},
		{"sequences behind their tables", behindTables, "none"},
		{"page checksums", checksumsKept, ""},
		{"pages with a wrong checksum", checksums, "0"},
		{"table", largestTables, ""},
	}
}

// run takes one look. No rows are no checks: there is nothing of what it looks at.
func (l inspection) run(ctx context.Context, conn *pgx.Conn, left int) ([]Check, error) {
	rows, err := ask(ctx, conn, l.sql, left)
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == indexCorrupted {
		return []Check{integrity.Compare(l.name, said.Message, l.expected)}, err
	}
	if err != nil {
		check := integrity.CouldNotRun(l.name, brief(err))
		check.Expected = l.expected
		return []Check{check}, err
	}
	var checks []Check
	for _, row := range rows {
		checks = append(checks, judge(plan.Query{Name: l.name + string(row[0]), Expect: l.expected}, [][][]byte{row[1:]}, nil))
	}
	return checks, nil
}
