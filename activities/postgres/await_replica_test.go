//go:build integration

package postgres_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestAwaitReplica_OnlyTheNamedReplicaCounts(t *testing.T) {
	estate := pgtest.Start(t, 1)
	params := postgres.AwaitReplicaParams{Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), Replica: "replica-0", Patience: 10 * time.Second}
	found, err := activities().AwaitReplica(t.Context(), params)
	require.NoError(t, err)
	require.True(t, found.Streaming, found.Seen)

	params.Replica, params.Patience = "somebody", oneLook
	other, err := activities().AwaitReplica(t.Context(), params)
	require.NoError(t, err)
	require.False(t, other.Streaming)
	require.Equal(t, "somebody is not connected", other.Seen)

	estate.Primary.Freeze()
	silent, err := activities().AwaitReplica(t.Context(), params)
	require.NoError(t, err)
	require.Contains(t, silent.Seen, "cannot be asked")
}

// A clone connects under the name of the replica that it will be, and is none yet.
func TestAwaitReplica_ACloneUnderWay_IsNotAReplica(t *testing.T) {
	estate := pgtest.Start(t, 0)
	cloneSlowly(t, estate)
	found, err := activities().AwaitReplica(t.Context(), postgres.AwaitReplicaParams{
		Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), Replica: "cloning", Patience: 2 * time.Second,
	})
	require.NoError(t, err)
	require.False(t, found.Streaming)
	require.Contains(t, found.Seen, "bytes copied")
}

// cloneSlowly begins a copy of the primary that does not end before the test.
func cloneSlowly(t *testing.T, estate *pgtest.Estate) {
	t.Helper()
	copying := estate.Command(context.Background(), "pg_basebackup", "--pgdata="+estate.Folder()+"/copy", "--wal-method=stream", "--max-rate=32k", "--checkpoint=fast",
		"--dbname=host="+estate.Primary.Host+" user="+pgtest.User+" application_name=cloning port="+strconv.Itoa(estate.Primary.Port))
	copying.Env = append(copying.Env, "PGPASSWORD="+pgtest.Password)
	require.NoError(t, copying.Start())
	estate.Primary.Await("the backup and its stream", "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'cloning' AND state IN ('backup', 'streaming')", "2")
	t.Cleanup(func() {
		require.NoError(t, copying.Process.Kill())
		require.Error(t, copying.Wait())
	})
}
