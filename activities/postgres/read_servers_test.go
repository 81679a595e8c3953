//go:build integration

package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestReadServers_WithOneDeadAndOneThatHangs_ReadsTheOthersWithinItsTimeout(t *testing.T) {
	estate := pgtest.Start(t, 3)
	estate.Replicas[1].Kill()
	estate.Replicas[2].Freeze()
	params := postgres.ReadServersParams{Database: "shodo", Catalog: pgtest.Catalog, Timeout: oneLook,
		Instances: []postgres.Instance{at(estate.Primary), at(estate.Replicas[0]), at(estate.Replicas[1]), at(estate.Replicas[2]), {Pod: "pending"}}}
	began := time.Now()

	result, err := activities().ReadServers(t.Context(), params)

	require.NoError(t, err)
	require.Less(t, time.Since(began), oneLook+time.Second)
	primary, replica, dead, hanging, pending := result.Servers[0], result.Servers[1], result.Servers[2], result.Servers[3], result.Servers[4]
	require.True(t, primary.Reached, primary.Error)
	require.False(t, primary.InRecovery)
	require.True(t, replica.Reached, replica.Error)
	require.True(t, replica.InRecovery)
	require.True(t, replica.Receiving)
	require.False(t, replica.LastHeard.IsZero())
	require.Zero(t, replica.Ahead, "it has the same clock")
	require.Equal(t, primary.SystemID, replica.SystemID)
	require.Equal(t, uint32(1), replica.Timeline)
	require.False(t, dead.Reached)
	require.Contains(t, dead.Error, "connection refused")
	require.False(t, hanging.Reached)
	require.NotEmpty(t, hanging.Error)
	require.Equal(t, "the pod has no address", pending.Error)
}

func TestReadServers_OfAForkedReplica_TellsItsHistory(t *testing.T) {
	estate := pgtest.Start(t, 2)
	stray, loyal := estate.Replicas[0], estate.Replicas[1]
	fork, err := activities().Promote(t.Context(), promotion(t, stray))
	require.NoError(t, err)
	stray.Query("CREATE TABLE stray AS SELECT generate_series(1, 20000) AS id")
	stray.Stop()
	stray.Follow(estate.Primary) // a replica again, of a history that it has left
	stray.Start()
	estate.Primary.Query("CREATE TABLE loyal (id int)")
	loyal.Await("the table", "SELECT count(*) FROM pg_class WHERE relname = 'loyal'", "1")

	servers := read(t, stray, loyal)

	require.True(t, servers[0].Reached, servers[0].Error)
	require.True(t, servers[0].InRecovery)
	require.Equal(t, uint32(2), servers[0].Timeline)
	require.Len(t, servers[0].History, 1)
	require.Equal(t, uint32(1), servers[0].History[0].Timeline)
	require.LessOrEqual(t, servers[0].History[0].At, fork.LSN)
	require.Greater(t, servers[0].ReplayLSN, servers[1].ReplayLSN, "the fork has the higher position, and must be told apart by its history alone")
	require.Equal(t, uint32(1), servers[1].Timeline)
	require.Empty(t, servers[1].History)
}

func TestReadServers_OfAReplicaThatRestarted_KeepsWhatItReplayedWhenWhatItReceivedStepsBack(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	estate.Primary.Query("CREATE TABLE filled AS SELECT generate_series(1, 20000) AS id")
	end := estate.Primary.Query("SELECT pg_current_wal_flush_lsn()")
	replica.Await("the rows", "SELECT pg_last_wal_replay_lsn() >= '"+end+"'", "t")
	before := read(t, replica)[0]
	estate.Primary.Kill()
	replica.Stop()
	replica.Start()
	replica.Await("its replay", "SELECT pg_last_wal_replay_lsn() >= '"+end+"'", "t")

	after := read(t, replica)[0]

	require.Less(t, after.ReceiveLSN, before.ReceiveLSN, "PostgreSQL remembers what it received only while it runs")
	require.Equal(t, max(before.ReceiveLSN, before.ReplayLSN), max(after.ReceiveLSN, after.ReplayLSN))
	require.False(t, after.Receiving)
	require.Equal(t, uint32(1), after.Timeline)
}

func TestReadServers_WhenCredentialsCannotBeRead_BlamesNoServer(t *testing.T) {
	estate := pgtest.Start(t, 0)
	unreadable := postgres.New(unreadableCredentials{})

	_, err := unreadable.ReadServers(t.Context(), postgres.ReadServersParams{Instances: []postgres.Instance{at(estate.Primary)}, Timeout: time.Second})
	requireFailure(t, err, failure.Unreachable, false, "read secret")
	_, err = unreadable.ProbeServer(t.Context(), postgres.ProbeServerParams{Instance: at(estate.Primary), Timeout: time.Second})
	requireFailure(t, err, failure.Unreachable, false, "read secret")
	_, err = unreadable.StopReceiving(t.Context(), postgres.StopReceivingParams{Instances: []postgres.Instance{at(estate.Primary)}, Patience: time.Second})
	requireFailure(t, err, failure.Unreachable, false, "read secret")
}

// unreadableCredentials are behind an API server that answers 500.
type unreadableCredentials struct{}

func (unreadableCredentials) For(context.Context, string) (string, string, error) {
	return "", "", failure.Transient(failure.Unreachable, "read secret shodo/postgres: the server answers 500")
}
