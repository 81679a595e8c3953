package workflows_test

import (
	"testing"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

func TestSlots_Failover_TheOtherReplicasFindTheirsOnTheNewPrimary(t *testing.T) {
	e := newEstate(t).automatic()
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"postgres-replica-0 for postgres-replica-1"}, e.slotted, "neither the new primary nor the dead one is a replica")
	require.Contains(t, got.Facts, report.Fact{Name: "replication slots made", Value: "zone_d"})
}

func TestSlots_Switchover_TheOldPrimaryKeepsNoneForThoseWhoLeftIt(t *testing.T) {
	e := healthyEstate(t)
	got := switchOver(e, handOver())
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"postgres-replica-0 for postgres-replica-1", "drop of postgres-primary-0, primary postgres-replica-0"}, e.slotted)
}
