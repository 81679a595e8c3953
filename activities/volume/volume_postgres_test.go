//go:build integration

package volume_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.RemoveTemplate()
	os.Exit(code)
}

// patience is what a job of these small servers takes at most.
const patience = time.Minute

// bench is a former primary whose rows were lost by a failover, its successor, and a place to work on its volume.
type bench struct {
	t         *testing.T
	estate    *pgtest.Estate
	former    *pgtest.Server
	successor *pgtest.Server
	scratch   string
	place     volume.Place
	before    func(function string) // runs ahead of a function of the scripts, when there is one
	*volume.Activities
}

// Run is a maintenance pod's exec, here.
func (b *bench) Run(ctx context.Context, _ volume.Place, command volume.Command) (volume.Answer, error) {
	if b.before != nil && len(command.Line) > 5 {
		b.before(command.Line[5])
	}
	run := b.estate.Command(ctx, command.Line[0], command.Line[1:]...)
	run.Env = append(run.Env, "FUKKYU_SCRATCH="+b.scratch, "PGDATA="+b.former.Data(), "PGUSER="+pgtest.User, "PGPASSWORD="+pgtest.Password)
	var output, said bytes.Buffer
	run.Stdin, run.Stdout, run.Stderr = strings.NewReader(command.Input), &output, &said
	err := run.Run()
	answer := volume.Answer{Output: output.String(), Errors: said.String(), Code: run.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return answer, err
}

// newBench has a former primary with table accounts of 100 rows that both servers have.
func newBench(t *testing.T) *bench {
	t.Helper()
	estate := pgtest.Start(t, 1)
	b := &bench{t: t, estate: estate, former: estate.Primary, successor: estate.Replicas[0]}
	b.Activities = volume.NewIn(b)
	b.place = volume.Place{Namespace: "shodo", Region: "r", Database: "shodo", Pod: "former", Container: "postgres", Mount: estate.Folder()}
	b.newPod()
	b.former.Configure("wal_log_hints = on") // a rewind needs this or checksums
	b.former.Stop()
	b.former.Start()
	b.former.Query("CREATE TABLE accounts (id int PRIMARY KEY, name text); INSERT INTO accounts SELECT i, 'shared' FROM generate_series(1, 100) AS i")
	b.successor.Await("the shared rows", "SELECT count(*) FROM accounts", "100")
	return b
}

// newPod is what a maintenance pod that was replaced leaves: nothing of its own.
func (b *bench) newPod() {
	b.scratch = filepath.Join(b.estate.Folder(), fmt.Sprintf("pod-%d", time.Now().UnixNano()))
	require.NoError(b.t, b.estate.Command(b.t.Context(), "mkdir", b.scratch).Run())
}

// killPod ends everything that runs on the volume at once.
func (b *bench) killPod() {
	const end = `first=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null) || exit 0
		kill -STOP "$first" 2>/dev/null || exit 0
		all="$first $(cat /proc/"$first"/task/*/children)"
		kill -KILL $all
		for process in $all; do while [ -e /proc/$process ]; do :; done; done`
	output, err := b.estate.Command(b.t.Context(), "sh", "-c", end, b.work()).CombinedOutput()
	require.NoError(b.t, err, string(output))
	b.newPod()
}

func (b *bench) work() string { return filepath.Join(b.estate.Folder(), "rejoin") }

// failOver lets rows be written that only the former primary gets, ends it, and promotes its successor, which goes on.
func (b *bench) failOver(lost ...string) {
	b.successor.Stop()
	for _, sql := range lost {
		b.former.Query(sql)
	}
	b.former.Kill()
	b.successor.Start()
	b.promote()
}

func (b *bench) promote() {
	require.Equal(b.t, "t", b.successor.Query("SELECT pg_promote()"))
	b.successor.Query("INSERT INTO accounts VALUES (1000, 'after the failover')")
}

func (b *bench) inspect() volume.Contents {
	b.t.Helper()
	contents, err := b.InspectVolume(b.t.Context(), volume.InspectVolumeParams{Place: b.place})
	require.NoError(b.t, err)
	return contents
}

// fork is where the successor left the former primary's timeline.
func (b *bench) fork() postgres.LSN {
	b.t.Helper()
	line := strings.Fields(b.successor.Query("SELECT pg_read_file('pg_wal/00000002.history')"))
	at, err := postgres.ParseLSN(line[1])
	require.NoError(b.t, err)
	return at
}

func (b *bench) findLost(contents volume.Contents) volume.FindLostResult {
	b.t.Helper()
	_, err := b.TakeData(b.t.Context(), volume.TakeDataParams{Place: b.place})
	require.NoError(b.t, err)
	found, err := b.FindLost(b.t.Context(), volume.FindLostParams{
		Place: b.place, Timeline: contents.Timeline, Fork: b.fork(), Checkpoint: contents.Checkpoint, SegmentSize: contents.SegmentSize, Patience: patience,
	})
	require.NoError(b.t, err)
	require.True(b.t, found.Done)
	return found
}

func (b *bench) replay(found volume.FindLostResult) {
	b.t.Helper()
	replayed, err := b.Replay(b.t.Context(), volume.ReplayParams{Place: b.place, Past: found.End, Patience: patience})
	require.NoError(b.t, err)
	require.True(b.t, replayed.Done, replayed.Seen)
}

func (b *bench) ledgerParams(contents volume.Contents, found volume.FindLostResult) volume.WriteLedgerParams {
	return volume.WriteLedgerParams{
		Place: b.place, Home: contents.Home, SystemID: contents.SystemID, Timeline: contents.Timeline, Fork: b.fork(), Lost: found, Epoch: 7, Patience: patience,
	}
}

func (b *bench) writeLedger(contents volume.Contents, found volume.FindLostResult) volume.Ledger {
	b.t.Helper()
	written, err := b.WriteLedger(b.t.Context(), b.ledgerParams(contents, found))
	require.NoError(b.t, err)
	require.True(b.t, written.Done)
	return written.Ledger
}

func (b *bench) rewindParams() volume.RewindParams {
	return volume.RewindParams{Place: b.place, Host: b.successor.Host, Port: b.successor.Port, Catalog: pgtest.Catalog, Patience: patience}
}

func (b *bench) rewind() volume.RewindResult {
	b.t.Helper()
	result, err := b.Rewind(b.t.Context(), b.rewindParams())
	require.NoError(b.t, err)
	return result
}

// giveBack puts the data directory back; the configuration in it is its successor's, of which only the port must not be.
func (b *bench) giveBack() {
	b.t.Helper()
	for range 2 {
		_, err := b.ReturnData(b.t.Context(), volume.ReturnDataParams{Place: b.place, Epoch: 7, Rewound: true})
		require.NoError(b.t, err)
	}
	b.former.Configure(fmt.Sprintf("port = %d", b.former.Port))
	b.former.Start()
	b.successor.Await("the former primary as a replica", "SELECT string_agg(application_name || ' ' || state, ',') FROM pg_stat_replication", "former streaming")
	require.Equal(b.t, "t", b.former.Query("SELECT pg_is_in_recovery()"))
}

// entries are the lines of the ledger file that is kept.
func (b *bench) entries(ledger volume.Ledger) []map[string]any {
	b.t.Helper()
	text, err := os.ReadFile(ledger.Path)
	require.NoError(b.t, err)
	digest := sha256.Sum256(text)
	require.Equal(b.t, hex.EncodeToString(digest[:]), ledger.SHA256)
	var all []map[string]any
	for line := range strings.Lines(string(text)) {
		var entry map[string]any
		require.NoError(b.t, json.Unmarshal([]byte(line), &entry), line)
		all = append(all, entry)
	}
	return all
}

func names(entries []map[string]any, table string) []string {
	var found []string
	for _, entry := range entries {
		if row, ok := entry["row"].(map[string]any); ok && entry["table"] == table {
			found = append(found, fmt.Sprint(row["name"]))
		}
	}
	slices.Sort(found)
	return found
}

func TestRejoin_RowsThatOnlyTheFormerPrimaryHas_AreInTheLedgerAndItFollowsItsSuccessor(t *testing.T) {
	b := newBench(t)
	b.failOver(
		"INSERT INTO accounts VALUES (101, 'lost'), (102, 'lost too')",
		"UPDATE accounts SET name = 'changed' WHERE id = 1",
		"BEGIN; SAVEPOINT s; INSERT INTO accounts VALUES (103, 'in a subtransaction'); RELEASE s; COMMIT",
		"BEGIN; INSERT INTO accounts VALUES (104, 'rolled back'); ROLLBACK",
		"DELETE FROM accounts WHERE id = 2",
		`CREATE TABLE "odd ""name""" (a int, b int, name text, PRIMARY KEY (b, a)); INSERT INTO "odd ""name""" VALUES (1, 2, 'odd')`,
		"COPY accounts FROM PROGRAM 'printf \"201\\tcopied\\n202\\tcopied\\n\"'",
		"ANALYZE accounts",
	)
	contents := b.inspect()
	require.Equal(t, volume.AtHome, contents.At)
	require.Equal(t, "in production", contents.State)
	require.Equal(t, b.successor.Query("SELECT system_identifier FROM pg_control_system()"), contents.SystemID)
	require.Equal(t, uint32(1), contents.Timeline)

	found := b.findLost(contents)
	require.NoDirExists(t, contents.Home, "nothing may start it while it is worked on")
	require.Empty(t, found.Incomplete)
	require.Equal(t, 7, found.Transactions)
	b.replay(found)
	ledger := b.writeLedger(contents, found)
	require.Equal(t, int64(7), ledger.Rows)
	require.Equal(t, "public.accounts", ledger.Tables[0].Name)
	require.Equal(t, []string{`{"id" : 101}`, `{"id" : 102}`, `{"id" : 1}`, `{"id" : 103}`, `{"id" : 201}`, `{"id" : 202}`}, ledger.Tables[0].Keys)
	require.Equal(t, int64(1), ledger.Tables[0].Deleted)
	require.Contains(t, strings.Join(ledger.Notes, "; "), "rows deleted: 1")

	rewound := b.rewind()
	require.True(t, rewound.Done, rewound.Seen)
	b.giveBack()
	b.former.Await("the rows of its successor", "SELECT (SELECT count(*) FROM accounts WHERE name = 'shared') || ',' || max(id) FROM accounts", "100,1000")
	entries := b.entries(ledger)
	require.Equal(t, []string{"changed", "copied", "copied", "in a subtransaction", "lost", "lost too"}, names(entries, "public.accounts"))
	require.Equal(t, []string{"odd"}, names(entries, `public.odd "name"`))
	require.InDelta(t, 7, entries[0]["transactions"], 0)
}

// The ledger's numbers are those of the WAL, so a row that was there before must not be in it, whoever touched its page.
func TestRejoin_NothingWasLost_TheLedgerIsEmptyAndTheRewindCostsNothing(t *testing.T) {
	b := newBench(t)
	b.former.Stop() // in order: its replica has everything
	b.promote()
	contents := b.inspect()
	require.True(t, contents.Clean())
	found := b.findLost(contents)
	require.Zero(t, found.Transactions)
	require.Empty(t, found.Incomplete)
	require.True(t, b.rewind().Done)
	b.giveBack()
	b.former.Await("the rows of its successor", "SELECT count(*) FROM accounts", "101")
}

// Each activity is called again as by a worker that took over, and the pod is replaced between them.
func TestRejoin_CalledAgainAndInAnotherPod_EndsAsIfNothingHadHappened(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	contents := b.inspect()
	found := b.findLost(contents)
	require.Equal(t, found, b.findLost(contents))
	b.killPod()
	require.Equal(t, found, b.findLost(contents))
	b.replay(found)
	b.killPod()
	require.Equal(t, volume.AtWork, b.inspect().At)
	b.replay(found)
	b.replay(found)
	ledger := b.writeLedger(contents, found)
	require.Equal(t, ledger, b.writeLedger(contents, found))
	b.killPod()
	require.Equal(t, ledger, b.writeLedger(contents, found), "a ledger that is complete needs no server")
	b.replay(found)
	require.True(t, b.rewind().Done)
	require.True(t, b.rewind().Done)
	b.killPod()
	require.True(t, b.rewind().Done)
	b.giveBack()
	require.Equal(t, []string{"lost"}, names(b.entries(ledger), "public.accounts"))
}

func TestRejoin_InterruptedRewind_IsNeverStartedOrRewoundAgain(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	contents := b.inspect()
	found := b.findLost(contents)
	b.replay(found)
	ledger := b.writeLedger(contents, found)
	b.killPod()
	require.NoError(t, b.estate.Command(t.Context(), "touch", filepath.Join(b.work(), "rewinding")).Run()) // as a pod leaves it that was killed
	require.True(t, b.inspect().Rewinding)

	result := b.rewind()
	require.False(t, result.Done)
	require.Contains(t, result.Half, "interrupted")
	_, err := b.Replay(t.Context(), volume.ReplayParams{Place: b.place, Patience: patience})
	requireFailure(t, err, failure.Unexpected, "must not be started")
	_, err = b.ReturnData(t.Context(), volume.ReturnDataParams{Place: b.place, Epoch: 7, Rewound: true})
	requireFailure(t, err, failure.Unexpected, "was not rewound")
	_, err = b.RestoreData(t.Context(), volume.RestoreDataParams{Place: b.place, Epoch: 7})
	require.NoError(t, err)
	require.NoDirExists(t, contents.Home, "an undo does not put it back either")
	require.DirExists(t, filepath.Join(volume.KeptIn(contents.Home, 7), "data"))
	require.Equal(t, []string{"lost"}, names(b.entries(ledger), "public.accounts"))
}

func requireFailure(t *testing.T, err error, kind, says string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
	require.Contains(t, failed.Error(), says)
}

func TestRejoin_WithoutItsWAL_IsKeptAsideUntouched(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')", "SELECT pg_switch_wal(); CHECKPOINT; INSERT INTO accounts VALUES (102, 'lost')", "SELECT pg_switch_wal()")
	contents := b.inspect()
	fork := b.fork()
	removed := fmt.Sprintf("%08X%08X%08X", 1, 0, uint64(fork)/contents.SegmentSize)
	require.NoError(t, os.Remove(filepath.Join(contents.Home, "pg_wal", removed)))
	found := b.findLost(contents)
	require.Contains(t, found.Incomplete, "is gone")
	b.replay(volume.FindLostResult{})
	result := b.rewind()
	require.NotEmpty(t, result.Impossible)
	require.False(t, b.inspect().Rewinding, "the data directory is untouched")
	for range 2 {
		_, err := b.ReturnData(t.Context(), volume.ReturnDataParams{Place: b.place, Epoch: 7})
		require.NoError(t, err)
	}
	require.NoDirExists(t, contents.Home)
	require.DirExists(t, filepath.Join(volume.KeptIn(contents.Home, 7), "data"))
	require.Equal(t, volume.Nowhere, b.inspect().At)
}

func TestRejoin_OfAnotherSystem_CannotBeRewound(t *testing.T) {
	b := newBench(t)
	b.former.Stop()
	stranger := filepath.Join(b.estate.Folder(), "stranger")
	said, err := b.estate.Command(t.Context(), "initdb", "--no-sync", "--username="+pgtest.User, "--wal-segsize=1", "--data-checksums", "--pgdata="+stranger).CombinedOutput()
	require.NoError(t, err, string(said))
	require.NoError(t, os.RemoveAll(b.former.Data()))
	require.NoError(t, os.Rename(stranger, b.former.Data()))
	b.promote()
	contents := b.inspect()
	require.NotEqual(t, b.successor.Query("SELECT system_identifier FROM pg_control_system()"), contents.SystemID)
	_, err = b.TakeData(t.Context(), volume.TakeDataParams{Place: b.place})
	require.NoError(t, err)
	require.Contains(t, b.rewind().Impossible, "different systems")
}

func TestRejoin_Undone_LeavesTheDataDirectoryAsItWasFound(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	contents := b.inspect()
	found := b.findLost(contents)
	b.replay(found)
	for range 2 {
		_, err := b.RestoreData(t.Context(), volume.RestoreDataParams{Place: b.place, Epoch: 7})
		require.NoError(t, err)
	}
	require.NoFileExists(t, filepath.Join(contents.Home, "standby.signal"))
	require.NoDirExists(t, b.work())
	b.former.Start()
	require.Equal(t, "lost", b.former.Query("SELECT name FROM accounts WHERE id = 101"))
}

func TestRejoin_TheNewPrimaryIsAway_IsTriedAgain(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	b.findLostAndReplay()
	b.successor.Stop()
	_, err := b.Rewind(t.Context(), b.rewindParams())
	requireFailure(t, err, failure.NotReady, "cannot be used")
	require.False(t, b.inspect().Rewinding)
	b.successor.Start()
	require.True(t, b.rewind().Done)
}

func (b *bench) findLostAndReplay() {
	b.t.Helper()
	contents := b.inspect()
	b.replay(b.findLost(contents))
}

// A data directory whose isolated server has crashed is replayed again before it is rewound.
func TestRejoin_TheIsolatedServerCrashes_IsReplayedFirst(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	b.findLostAndReplay()
	b.killPod()
	require.True(t, b.rewind().Unclean)
	b.replay(volume.FindLostResult{})
	require.True(t, b.rewind().Done)
}

// A former primary that is being looked at must never be one.
func TestReplay_IsNeverAPrimaryAndNobodyElseReachesIt(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts VALUES (101, 'lost')")
	b.findLostAndReplay()
	asked := func(sql string) string {
		output, err := b.Run(t.Context(), b.place, volume.Command{Line: []string{"psql", "-XAt", "-h", b.scratch, "-d", pgtest.Catalog, "-c", sql}})
		require.NoError(t, err)
		return strings.TrimSpace(output.Output + output.Errors)
	}
	require.Equal(t, "t", asked("SELECT pg_is_in_recovery()"))
	require.Empty(t, asked("SHOW listen_addresses"))
	require.Equal(t, "off", asked("SHOW archive_mode"))
	require.Contains(t, asked("INSERT INTO accounts VALUES (105, 'never')"), "read-only transaction")
}

// A volume that is full loses rows without a word of psql. What is missing is noticed by counting.
func TestWriteLedger_TheVolumeIsFull_IsAnErrorAndCanBeTriedAgain(t *testing.T) {
	b := newBench(t)
	b.failOver("INSERT INTO accounts SELECT i, repeat('lost', 100) FROM generate_series(101, 300) AS i")
	contents := b.inspect()
	found := b.findLost(contents)
	b.replay(found)
	full := filepath.Join(b.work(), "rows-1")
	b.before = func(function string) { // the rows of the first table go where nothing can be written
		if function == "begin" {
			b.before = nil
			script, err := os.ReadFile(filepath.Join(b.work(), "export.sql"))
			require.NoError(t, err)
			changed := strings.Replace(string(script), `\o rows-1`, `\o /dev/full`, 1)
			require.NotEqual(t, string(script), changed)
			require.NoError(t, os.WriteFile(filepath.Join(b.work(), "export.sql"), []byte("\\! : > "+full+"\n"+changed), 0o644))
		}
	}
	counting := b.before
	b.before = func(function string) { // the first job counts, the second exports
		if function == "begin" {
			b.before = counting
		}
	}
	_, err := b.WriteLedger(t.Context(), b.ledgerParams(contents, found))
	requireFailure(t, err, failure.Unexpected, "is the volume full?")
	require.NoFileExists(t, filepath.Join(b.work(), "ledger.jsonl"))
	require.Equal(t, int64(200), b.writeLedger(contents, found).Rows)
}
