//go:build integration

package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

const slots = "SELECT coalesce(string_agg(slot_name, ',' ORDER BY slot_name), '') FROM pg_replication_slots"

// useSlot lets a server stream by a slot that its primary may or may not have.
func useSlot(server *pgtest.Server, name string) {
	server.Query("ALTER SYSTEM SET primary_slot_name = '" + name + "'")
	server.Query("SELECT pg_reload_conf()")
	server.Await("its slot to be read", "SELECT current_setting('primary_slot_name')", name)
}

func TestRecreateSlots_AReplicaWhoseSlotTheNewPrimaryLacks_Streams(t *testing.T) {
	estate := pgtest.Start(t, 2)
	useSlot(estate.Replicas[0], "zone_c")
	params := postgres.RecreateSlotsParams{Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), Replicas: []postgres.Instance{at(estate.Replicas[0]), at(estate.Replicas[1])}}
	got, err := activities().RecreateSlots(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, postgres.RecreateSlotsResult{Made: []string{"zone_c"}}, got, "the other uses none")
	estate.Primary.Await("a replica by its slot", "SELECT active FROM pg_replication_slots WHERE slot_name = 'zone_c'", "t")

	again, err := activities().RecreateSlots(t.Context(), params)
	require.NoError(t, err)
	require.Empty(t, again.Made)
	require.Equal(t, "zone_c", estate.Primary.Query(slots))
}

func TestRecreateSlots_AReplicaThatIsAway_IsNamedAndTheOthersGetTheirs(t *testing.T) {
	estate := pgtest.Start(t, 2)
	useSlot(estate.Replicas[0], "zone_c")
	estate.Replicas[1].Kill()
	got, err := activities().RecreateSlots(t.Context(), postgres.RecreateSlotsParams{
		Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), Replicas: []postgres.Instance{at(estate.Replicas[0]), at(estate.Replicas[1])},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"zone_c"}, got.Made)
	require.Len(t, got.Unasked, 1)
	require.Contains(t, got.Unasked[0], "replica-1: ")
}

func TestDropStaleSlots_OnlyThoseWhoseUserFollowsTheNewPrimary_AreDropped(t *testing.T) {
	estate := pgtest.Start(t, 2)
	primary, follower, former := estate.Primary, estate.Replicas[0], estate.Replicas[1] // which was the primary once
	for _, name := range []string{"zone_c", "archive"} {
		former.Query("SELECT pg_create_physical_replication_slot('" + name + "', true)")
	}
	params := postgres.DropStaleSlotsParams{Database: "shodo", Catalog: pgtest.Catalog, Former: at(former), Primary: at(primary)}
	got, err := activities().DropStaleSlots(t.Context(), params)
	require.NoError(t, err)
	require.Empty(t, got.Dropped, "nobody streams from the new primary by a slot of that name")

	useSlot(follower, "zone_c")
	primary.Query("SELECT pg_create_physical_replication_slot('zone_c', true)")
	primary.Await("a replica by its slot", "SELECT active FROM pg_replication_slots WHERE slot_name = 'zone_c'", "t")
	for _, want := range [][]string{{"zone_c"}, {}} {
		got, err = activities().DropStaleSlots(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, want, got.Dropped)
	}
	require.Equal(t, "archive", former.Query(slots), "somebody else's")

	former.Kill()
	_, err = activities().DropStaleSlots(t.Context(), params)
	requireFailure(t, err, failure.Unreachable, false, former.Name)
}
