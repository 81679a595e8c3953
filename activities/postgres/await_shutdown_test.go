//go:build integration

package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

// prepared is an estate whose primary is about to be shut down, and what to wait for.
func prepared(t *testing.T) (*pgtest.Estate, postgres.AwaitShutdownParams) {
	t.Helper()
	estate := pgtest.Start(t, 1)
	ready, err := activities().PrepareShutdown(t.Context(), postgres.PrepareShutdownParams{
		Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), Replica: at(estate.Replicas[0]),
	})
	require.NoError(t, err)
	require.DirExists(t, ready.DataDirectory)
	require.FileExists(t, ready.Programs+"/pg_ctl")
	return estate, postgres.AwaitShutdownParams{
		Database: "shodo", Catalog: pgtest.Catalog, Replica: at(estate.Replicas[0]), After: ready.LSN, Patience: time.Second,
	}
}

func TestAwaitShutdown_PrimaryShutDownUnderLoad_IsProvenByItsLastRecord(t *testing.T) {
	estate, params := prepared(t)
	estate.Primary.Query("CREATE TABLE load AS SELECT generate_series(1, 10000)")
	stopped := make(chan struct{})
	go func() {
		estate.Primary.Stop()
		close(stopped)
	}()
	params.Patience = 20 * time.Second
	found, err := activities().AwaitShutdown(t.Context(), params)
	<-stopped
	require.NoError(t, err)
	require.Contains(t, found.Proof, "shutdown checkpoint", found.Seen)
	require.Equal(t, "10000", estate.Replicas[0].Query("SELECT count(*) FROM load"))
}

func TestAwaitShutdown_PrimaryAlive_ProvesNothing(t *testing.T) {
	estate, params := prepared(t)
	estate.Primary.Query("CHECKPOINT")
	found, err := activities().AwaitShutdown(t.Context(), params)
	require.NoError(t, err)
	require.Empty(t, found.Proof)
	require.Contains(t, found.Seen, "still sends WAL")
}

func TestAwaitShutdown_PrimaryKilled_ProvesNothing(t *testing.T) {
	estate, params := prepared(t)
	estate.Primary.Query("CREATE TABLE last_words AS SELECT 1")
	estate.Primary.Kill()
	found, err := activities().AwaitShutdown(t.Context(), params)
	require.NoError(t, err)
	require.Empty(t, found.Proof)
}

// A replica that does not get the last WAL looks as if the primary had stopped at some earlier point.
func TestAwaitShutdown_ReplicaLacksTheEnd_ProvesNothing(t *testing.T) {
	estate, params := prepared(t)
	receiver := estate.Replicas[0].Query("SELECT pid FROM pg_stat_wal_receiver")
	require.NotEmpty(t, receiver)
	estate.Replicas[0].Query("ALTER SYSTEM SET primary_conninfo = ''")
	estate.Replicas[0].Query("SELECT pg_reload_conf()")
	estate.Replicas[0].Await("the end of its receiver", "SELECT count(*) FROM pg_stat_wal_receiver", "0")
	estate.Primary.Query("CREATE TABLE unseen AS SELECT 1")
	estate.Primary.Stop()
	found, err := activities().AwaitShutdown(t.Context(), params)
	require.NoError(t, err)
	require.Empty(t, found.Proof)
}

func TestAwaitWritable_ReplicaStoppedAndPrimary_OnlyThePrimaryIs(t *testing.T) {
	estate := pgtest.Start(t, 1)
	ask := func(server *pgtest.Server) postgres.AwaitWritableResult {
		result, err := activities().AwaitWritable(t.Context(), postgres.AwaitWritableParams{
			Database: "shodo", Catalog: pgtest.Catalog, Instance: at(server), Patience: oneLook,
		})
		require.NoError(t, err)
		return result
	}
	require.True(t, ask(estate.Primary).Writable)
	require.Contains(t, ask(estate.Replicas[0]).Seen, "recovery")
	estate.Primary.Kill()
	require.Contains(t, ask(estate.Primary).Seen, "refused")
}

func TestSetSynchronous_OnAReplicaAheadOfItsPromotion_HoldsAfterIt(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	set := func(names string) postgres.SetSynchronousResult {
		result, err := activities().SetSynchronous(t.Context(), postgres.SetSynchronousParams{
			Database: "shodo", Catalog: pgtest.Catalog, Instance: at(replica), Names: names,
		})
		require.NoError(t, err)
		return result
	}
	require.Empty(t, set("ANY 1 (*)").Was)
	require.True(t, set("ANY 1 (*)").Already)
	estate.Primary.Kill()
	require.Equal(t, "ANY 1 (*)", set("").Was)
	_, err := activities().Promote(t.Context(), promotion(t, replica))
	require.NoError(t, err)
	replica.Query("CREATE TABLE hangs_if_it_waits (id int)")
	require.Equal(t, "0", replica.Query("SELECT count(*) FROM hangs_if_it_waits"))
}
