package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A primary that was shut down in order, and whose successor left off exactly there, has nothing that its successor lacks. It
// can follow it as it is, without a copy.

// lookAtSuccessor bounds one look at the successor; the gate looks again.
const lookAtSuccessor = 2 * time.Second

// walEnd is where the WAL of a data directory ends.
type walEnd struct {
	clean      bool // its server was shut down in order
	timeline   uint64
	checkpoint uint64 // position of the last checkpoint
}

// end reads the control file; without data there is none.
func (i instance) end(ctx context.Context, data bool) (walEnd, error) {
	if !data {
		return walEnd{}, nil
	}
	printed, err := i.output(ctx, nil, "pg_controldata", i.data())
	if err != nil {
		return walEnd{}, err
	}
	return parseControlData(printed)
}

func parseControlData(printed string) (walEnd, error) {
	values := map[string]string{}
	for line := range strings.Lines(printed) {
		if name, value, found := strings.Cut(line, ":"); found {
			values[name] = strings.TrimSpace(value)
		}
	}
	checkpoint, err := parsePosition(values["Latest checkpoint location"])
	if err != nil {
		return walEnd{}, fmt.Errorf("read the control file: %w", err)
	}
	timeline, err := strconv.ParseUint(values["Latest checkpoint's TimeLineID"], 10, 32)
	if err != nil {
		return walEnd{}, fmt.Errorf("read the control file: %w", err)
	}
	return walEnd{clean: values["Database cluster state"] == "shut down", timeline: timeline, checkpoint: checkpoint}, nil
}

func parsePosition(text string) (uint64, error) {
	high, low, found := strings.Cut(text, "/")
	upper, err := strconv.ParseUint(high, 16, 32)
	if err != nil || !found {
		return 0, fmt.Errorf("%q is not a WAL position", text)
	}
	lower, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a WAL position", text)
	}
	return upper<<32 | lower, nil
}

// successorDescends says whether the primary behind the Service left this instance's timeline after its last record. The error
// is that it cannot be asked, or is not promoted yet.
func (i instance) successorDescends(ctx context.Context, end walEnd) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookAtSuccessor)
	defer cancel()
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s user=postgres dbname=postgres", os.Getenv("PRIMARY_SERVICE")))
	if err != nil {
		return false, err
	}
	config.Password = os.Getenv("SUPERUSER_PASSWORD")
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("ask the primary for its history: %w", err)
	}
	defer conn.Close(ctx)
	var history string
	const read = `SELECT pg_read_file(format('pg_wal/%s.history', left(pg_walfile_name(pg_current_wal_lsn()), 8)), 0, 1000000, true)`
	if err := conn.QueryRow(ctx, read).Scan(&history); err != nil {
		return false, fmt.Errorf("ask the primary for its history: %w", err)
	}
	return leftAfter(history, end)
}

// leftAfter looks up in a history file where a timeline was left.
func leftAfter(history string, end walEnd) (bool, error) {
	for line := range strings.Lines(history) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != strconv.FormatUint(end.timeline, 10) {
			continue
		}
		left, err := parsePosition(fields[1])
		return left > end.checkpoint, err
	}
	return false, nil
}

// follow makes the data directory a replica's. The signal comes last: without it the gate begins anew, with it the
// instance starts as it is.
func (i instance) follow() error {
	settings, err := os.OpenFile(filepath.Join(i.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer settings.Close()
	connection := fmt.Sprintf("%s password=%s", i.upstream(), os.Getenv("REPLICATOR_PASSWORD"))
	if _, err := fmt.Fprintf(settings, "primary_conninfo = '%s'\n", strings.ReplaceAll(connection, "'", "''")); err != nil {
		return err
	}
	if err := settings.Sync(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.data(), "standby.signal"), nil, 0o600)
}
