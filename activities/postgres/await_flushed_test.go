//go:build integration

package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestAwaitFlushed_AReplicaFallsSilent_IsNotTakenForOneThatStreams(t *testing.T) {
	estate := pgtest.Start(t, 2)
	ask := func(atLeast int, patience time.Duration) postgres.AwaitFlushedResult {
		t.Helper()
		got, err := activities().AwaitFlushed(t.Context(), postgres.AwaitFlushedParams{
			Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), AtLeast: atLeast, Patience: patience,
		})
		require.NoError(t, err)
		return got
	}
	both := ask(2, 20*time.Second)
	require.True(t, both.Enough, both.Seen)
	require.Equal(t, []string{"replica-0", "replica-1"}, both.Flushed)

	estate.Replicas[0].Freeze()
	require.Equal(t, "2", estate.Primary.Query("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"), "PostgreSQL does not know yet")
	one := ask(1, 20*time.Second)
	require.True(t, one.Enough, one.Seen)
	require.Equal(t, []string{"replica-1"}, one.Flushed)
	require.False(t, ask(2, 2*time.Second).Enough)

	estate.Replicas[0].Thaw()
	require.True(t, ask(2, 20*time.Second).Enough)
}

func TestAwaitFlushed_CommitsHangOrTheServerIsGone_AnswersAllTheSame(t *testing.T) {
	estate := pgtest.Start(t, 0)
	params := postgres.AwaitFlushedParams{Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), AtLeast: 1, Patience: oneLook}
	estate.Primary.Query("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
	estate.Primary.Query("SELECT pg_reload_conf()")
	estate.Primary.Await("the setting", "SELECT current_setting('synchronous_standby_names')", "ANY 1 (*)")
	alone, err := activities().AwaitFlushed(t.Context(), params)
	require.NoError(t, err)
	require.False(t, alone.Enough)
	require.Contains(t, alone.Seen, "no replica has 0/")

	estate.Primary.Kill()
	gone, err := activities().AwaitFlushed(t.Context(), params)
	require.NoError(t, err)
	require.False(t, gone.Enough)
	require.Contains(t, gone.Seen, "refused")
}
