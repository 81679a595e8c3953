//go:build integration

package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func inspect(t *testing.T, server *pgtest.Server, replicas int) map[string]integrity.Check {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	result, err := activities().InspectServer(ctx, postgres.InspectServerParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(server), Replicas: replicas})
	require.NoError(t, err)
	checks := map[string]integrity.Check{}
	for _, check := range result.Checks {
		checks[check.Name] = check
	}
	return checks
}

func TestInspectServer_OfAHealthyPrimary_FindsNothingWrong(t *testing.T) {
	estate := pgtest.Start(t, 0)
	estate.Primary.Query("CREATE EXTENSION amcheck")
	estate.Primary.Query("CREATE TABLE orders (id serial PRIMARY KEY, note text); INSERT INTO orders (note) VALUES ('a'), ('b')")
	for name, check := range inspect(t, estate.Primary, 0) {
		require.Equal(t, integrity.Pass, check.Verdict, "%s: %+v", name, check)
	}
	require.Contains(t, inspect(t, estate.Primary, 0), "table public.orders")
}

func TestInspectServer_OfADamagedPrimary_NamesWhatIsWrong(t *testing.T) {
	estate := pgtest.Start(t, 0)
	estate.Primary.Query("CREATE TABLE orders (id serial PRIMARY KEY, amount int); INSERT INTO orders (id, amount) VALUES (42, -1)")
	estate.Primary.Query("ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID")

	found := inspect(t, estate.Primary, 2)

	require.Equal(t, integrity.Check{Name: "constraints that are not validated", Measured: "positive on orders", Expected: "none", Verdict: integrity.Fail}, found["constraints that are not validated"])
	require.Equal(t, integrity.Check{Name: "sequences behind their tables", Measured: "orders_id_seq: unused, and orders.id has 42", Expected: "none", Verdict: integrity.Fail}, found["sequences behind their tables"])
	require.Equal(t, integrity.Check{Name: "replicas that stream", Measured: "0", Expected: "2 or more", Verdict: integrity.Fail}, found["replicas that stream"])
}

func TestInspectServer_OfAReplica_SaysThatItIsNoPrimary(t *testing.T) {
	estate := pgtest.Start(t, 1)
	found := inspect(t, estate.Replicas[0], 0)
	require.Equal(t, integrity.Fail, found["recovery state"].Verdict)
}
