package workflows_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// frozenEstate is one whose primary says nothing, on a machine that is on.
func frozenEstate(t *testing.T) *estate {
	t.Helper()
	e := newEstate(t).automatic()
	e.powerState = power.On
	e.plan.Runbooks.DatabaseFailover.PowerOff = true
	return e
}

func TestDatabaseFailover_FrozenPrimary_IsSwitchedOffBeforeThePromotion(t *testing.T) {
	e := frozenEstate(t)
	got := e.run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	off := slices.Index(e.journal, "switch node-a1 off")
	require.Greater(t, off, slices.Index(e.journal, "hold down postgres-primary-0"))
	require.Greater(t, slices.Index(e.journal, "promote postgres-replica-0 from timeline 1"), off)
}

func TestDatabaseFailover_FrozenPrimaryAndThePlanForbidsToSwitchItOff_IsRefused(t *testing.T) {
	e := frozenEstate(t)
	e.plan.Runbooks.DatabaseFailover.PowerOff = false
	got := e.run(request())
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, got.Summary, workflows.GuardUnprovenFence)
	require.NotContains(t, e.journal, "switch node-a1 off")
}

func TestDatabaseFailover_KubeletStopsThePrimary_ItsMachineStaysOn(t *testing.T) {
	e := frozenEstate(t)
	e.found.Instances[0].NodeReady, e.stopped = true, true
	require.Equal(t, report.Recovered, e.run(request()).Outcome)
	require.NotContains(t, e.journal, "switch node-a1 off")
}

func TestDatabaseFailover_CancelledAfterTheSwitch_GivesTheMachineItsPowerBack(t *testing.T) {
	e := frozenEstate(t)
	var once sync.Once
	e.after["SwitchOff"] = func() { once.Do(e.CancelWorkflow) }
	require.Equal(t, report.RolledBack, e.run(request()).Outcome)
	on := slices.Index(e.journal, "switch node-a1 on")
	require.Positive(t, on)
	require.Greater(t, slices.Index(e.journal, "let up postgres-primary"), on)
	requireAsFound(t, e.journal)
}
