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
	"github.com/shodo-ecosystem/fukkyu/plan"
)

func TestCheckIntegrity_TellsRightWrongAndNotRunApart(t *testing.T) {
	estate := pgtest.Start(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()

	result, err := activities().CheckIntegrity(ctx, postgres.CheckIntegrityParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(estate.Primary), Queries: []plan.Query{
		{Name: "right", SQL: "SELECT 2", Expect: "2"},
		{Name: "wrong", SQL: "SELECT 3", Expect: "2"},
		{Name: "error", SQL: "SELECT * FROM nowhere", Expect: "2"},
		{Name: "recorded", SQL: "SELECT 7"},
		{Name: "several rows", SQL: "SELECT 2 FROM generate_series(1, 3)", Expect: "2"},
		{Name: "no row", SQL: "SELECT 2 WHERE false", Expect: "2"},
		{Name: "a write", SQL: "CREATE TABLE forbidden (id int)"},
		{Name: "two statements", SQL: "SELECT 1; DROP TABLE important"},
		{Name: "endless", SQL: "SELECT pg_sleep(60)"},
		{Name: "after all that", SQL: "SELECT 'well'", Expect: "well"},
	}})

	require.NoError(t, err)
	require.Equal(t, []postgres.Check{
		{Name: "right", Measured: "2", Expected: "2", Verdict: postgres.Pass},
		{Name: "wrong", Measured: "3", Expected: "2", Verdict: postgres.Fail},
		{Name: "error", Measured: `relation "nowhere" does not exist`, Expected: "2", Verdict: postgres.NotRun},
		{Name: "recorded", Measured: "7", Verdict: postgres.Pass},
		{Name: "several rows", Measured: "3 rows instead of one", Expected: "2", Verdict: postgres.Fail},
		{Name: "no row", Measured: "0 rows instead of one", Expected: "2", Verdict: postgres.Fail},
		{Name: "a write", Measured: "cannot execute CREATE TABLE in a read-only transaction", Verdict: postgres.NotRun},
		{Name: "two statements", Measured: "cannot insert multiple commands into a prepared statement", Verdict: postgres.NotRun},
		{Name: "endless", Measured: "canceling statement due to statement timeout", Verdict: postgres.NotRun},
		{Name: "after all that", Measured: "well", Expected: "well", Verdict: postgres.Pass},
	}, result.Checks)
}

func TestCheckIntegrity_OfAServerThatDiesBetweenQueries_IsTriedAgain(t *testing.T) {
	estate := pgtest.Start(t, 0)
	_, err := activities().CheckIntegrity(t.Context(), postgres.CheckIntegrityParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(estate.Primary), Queries: []plan.Query{
		{Name: "ends its own session", SQL: "SELECT pg_terminate_backend(pg_backend_pid())"},
		{Name: "never asked", SQL: "SELECT 1"},
	}})
	requireFailure(t, err, failure.Unreachable, false, "ends its own session")

	estate.Primary.Kill()
	_, err = activities().CheckIntegrity(t.Context(), postgres.CheckIntegrityParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(estate.Primary)})
	requireFailure(t, err, failure.Unreachable, false, "connection refused")
}
