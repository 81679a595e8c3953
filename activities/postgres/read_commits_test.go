//go:build integration

package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestReadCommits_NoReplicaToWaitFor_SaysWhoWaitsAndHowLong(t *testing.T) {
	estate := pgtest.Start(t, 1)
	ask := func() postgres.ReadCommitsResult {
		t.Helper()
		got, err := activities().ReadCommits(t.Context(), postgres.ReadCommitsParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(estate.Primary)})
		require.NoError(t, err)
		return got
	}
	require.Equal(t, postgres.ReadCommitsResult{Streaming: []string{"replica-0"}}, ask())

	estate.Primary.Query("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (nobody)'")
	estate.Primary.Query("SELECT pg_reload_conf()")
	estate.Primary.Await("the setting", "SELECT current_setting('synchronous_standby_names')", "ANY 1 (nobody)")
	writer, err := pgx.Connect(t.Context(), estate.Primary.URL())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan struct{})
	go func() {
		defer close(hangs)
		_, _ = writer.Exec(ctx, "CREATE TABLE hangs (number int)") // until its session is ended
	}()
	estate.Primary.Await("a commit that hangs", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1")
	got := ask()
	require.Equal(t, 1, got.Waiting)
	require.Equal(t, "ANY 1 (nobody)", got.Names)
	require.Positive(t, got.Longest)
	require.Less(t, got.Longest, time.Minute)
	cancel()
	<-hangs
}
