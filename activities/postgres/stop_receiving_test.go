//go:build integration

package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func stopReceiving(servers ...*pgtest.Server) postgres.StopReceivingParams {
	params := postgres.StopReceivingParams{Database: "shodo", Catalog: pgtest.Catalog, Patience: 10 * time.Second}
	for _, server := range servers {
		params.Instances = append(params.Instances, at(server))
	}
	return params
}

// A frozen primary keeps its connections: its replicas would listen to it for a minute, and hear it again when it thaws.
func TestStopReceiving_FromAPrimaryThatIsSilent_EndsTheReceivers(t *testing.T) {
	estate := pgtest.Start(t, 2)
	estate.Primary.Query("CREATE TABLE filled AS SELECT generate_series(1, 20000) AS id")
	estate.Primary.Freeze()
	before := read(t, estate.Replicas...)
	require.True(t, before[0].Receiving && before[1].Receiving, "the replicas have not noticed that the primary is silent")
	began := time.Now()

	result, err := activities().StopReceiving(t.Context(), stopReceiving(estate.Replicas...))

	require.NoError(t, err)
	t.Logf("two replicas came to rest in %s", time.Since(began))
	for i, server := range result.Servers {
		require.True(t, server.Reached, server.Error)
		require.False(t, server.Receiving)
		require.GreaterOrEqual(t, server.ReplayLSN, server.ReceiveLSN)
		require.GreaterOrEqual(t, server.ReceiveLSN, before[i].ReceiveLSN)
		requireDefaultPatience(t, estate.Replicas[i])
	}
}

func TestStopReceiving_WhileThePrimaryLives_SaysSoAndLeavesTheReplicaAsItWas(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	replica.Query("ALTER SYSTEM SET wal_receiver_timeout = '50s'")
	replica.Query("SELECT pg_reload_conf()")
	replica.Await("its setting", "SHOW wal_receiver_timeout", "50s")
	keepWriting(t, estate.Primary)
	params := stopReceiving(replica)
	params.Patience = time.Second

	_, err := activities().StopReceiving(t.Context(), params)

	requireFailure(t, err, failure.NotReady, false, "still has a receiver")
	replica.Await("its old setting", "SHOW wal_receiver_timeout", "50s")
	replica.Await("its receiver", "SELECT status FROM pg_stat_wal_receiver", "streaming")
}

func TestStopReceiving_AfterACallThatWasCutOff_PutsTheSettingBack(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	estate.Primary.Kill()
	replica.Query("ALTER SYSTEM SET wal_receiver_timeout = 200")
	replica.Query("SELECT pg_reload_conf()")
	replica.Await("the setting", "SHOW wal_receiver_timeout", "200ms")

	_, err := activities().StopReceiving(t.Context(), stopReceiving(replica))

	require.NoError(t, err)
	requireDefaultPatience(t, replica)
}

func TestStopReceiving_WithoutTheRightToEndASilentReceiver_NamesIt(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	estate.Primary.Query("CREATE ROLE modest LOGIN PASSWORD 'modest' IN ROLE pg_monitor, pg_read_server_files")
	replica.Await("the role", "SELECT count(*) FROM pg_roles WHERE rolname = 'modest'", "1")
	estate.Primary.Freeze()
	params := stopReceiving(replica)
	params.Patience = time.Second

	_, err := postgres.New(fixedCredentials{"modest", "modest"}).StopReceiving(t.Context(), params)

	requireFailure(t, err, failure.NotReady, false, "GRANT ALTER SYSTEM ON PARAMETER wal_receiver_timeout")
}

func requireDefaultPatience(t *testing.T, server *pgtest.Server) {
	t.Helper()
	server.Await("its usual patience", "SHOW wal_receiver_timeout", "1min")
	require.Equal(t, "0", server.Query("SELECT count(*) FROM pg_file_settings WHERE name = 'wal_receiver_timeout'"))
}

func TestStopReceiving_CalledTwice_ChangesNothingMore(t *testing.T) {
	estate := pgtest.Start(t, 1)
	estate.Primary.Kill()

	first, err := activities().StopReceiving(t.Context(), stopReceiving(estate.Replicas...))
	require.NoError(t, err)
	second, err := activities().StopReceiving(t.Context(), stopReceiving(estate.Replicas...))
	require.NoError(t, err)

	require.Equal(t, first, second)
}

// A torn last record is never replayed; here replay is paused, which looks the same and holds still for a test.
func TestStopReceiving_OfAReplicaThatCannotReplayTheRest_DoesNotWaitForIt(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	replica.Query("SELECT pg_wal_replay_pause()")
	replica.Await("its pause", "SELECT pg_get_wal_replay_pause_state()", "paused")
	estate.Primary.Query("CREATE TABLE filled AS SELECT generate_series(1, 20000) AS id")
	end := estate.Primary.Query("SELECT pg_current_wal_flush_lsn()")
	replica.Await("the WAL", "SELECT pg_last_wal_receive_lsn() >= '"+end+"'", "t")
	estate.Primary.Kill()

	result, err := activities().StopReceiving(t.Context(), stopReceiving(replica))

	require.NoError(t, err)
	require.Greater(t, result.Servers[0].ReceiveLSN, result.Servers[0].ReplayLSN)
}

func TestStopReceiving_WithADeadAndAHangingReplica_ReportsThemAndGoesOn(t *testing.T) {
	estate := pgtest.Start(t, 3)
	estate.Primary.Kill()
	estate.Replicas[1].Kill()
	estate.Replicas[2].Freeze()
	began := time.Now()

	result, err := activities().StopReceiving(t.Context(), stopReceiving(estate.Replicas...))

	require.NoError(t, err)
	require.Less(t, time.Since(began), 5*time.Second)
	require.True(t, result.Servers[0].Reached, result.Servers[0].Error)
	require.False(t, result.Servers[1].Reached)
	require.False(t, result.Servers[2].Reached)
}

// keepWriting commits until the test ends, so that replicas always have something to hear.
func keepWriting(t *testing.T, server *pgtest.Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL())
	require.NoError(t, err)
	var writing sync.WaitGroup
	writing.Go(func() {
		for err == nil {
			_, err = conn.Exec(t.Context(), "SELECT pg_logical_emit_message(true, 'test', 'I live'), pg_sleep(0.005)")
		}
	})
	t.Cleanup(writing.Wait) // the context of the test has ended before
}
