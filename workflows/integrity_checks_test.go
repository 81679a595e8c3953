package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
)

// inspecting is an estate whose primary is the one that was promoted, and whose inspection says what it is given.
func inspecting(t *testing.T, inspect func(context.Context) ([]integrity.Check, error)) *estate {
	e := newEstate(t).automatic()
	e.after["PointService"] = func() { e.found.RolePrimary, e.found.ServicePod = "postgres-replica-0", "postgres-replica-0" }
	e.RegisterActivityWithOptions(func(ctx context.Context, _ postgres.InspectServerParams) (postgres.InspectServerResult, error) {
		checks, err := inspect(ctx)
		return postgres.InspectServerResult{Checks: checks}, err
	}, activity.RegisterOptions{Name: "InspectServer"})
	return e
}

func TestIntegrityChecks_AllPass_AreInTheReport(t *testing.T) {
	got := inspecting(t, func(context.Context) ([]integrity.Check, error) {
		return []integrity.Check{integrity.Compare("recovery state", "primary", "primary")}, nil
	}).run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Empty(t, got.Missing)
	require.Equal(t, []report.Check{
		{Target: "database shodo", Name: "applications are sent to the primary", Measured: "postgres-replica-0", Expected: "postgres-replica-0", Verdict: report.CheckPassed},
		{Target: "database shodo", Name: "recovery state", Measured: "primary", Expected: "primary", Verdict: report.CheckPassed},
	}, got.Checks)
}

// A StatefulSet may still want the pod of the dead primary, which is no replica that the run promised.
func TestIntegrityChecks_DeadPrimaryIsStillWanted_AsManyReplicasAreExpectedAsBefore(t *testing.T) {
	e := newEstate(t).automatic()
	primaryIsTheLastOf(e)
	expected := -1
	handle(e, "InspectServer", func(p postgres.InspectServerParams) (postgres.InspectServerResult, error) {
		expected = p.Replicas
		return postgres.InspectServerResult{}, nil
	})
	e.after["PointService"] = func() { e.found.RolePrimary, e.found.ServicePod = "postgres-primary-0", "postgres-primary-0" }
	e.after["AddReplica"] = func() { e.scale("postgres-replica", 2) }
	require.Equal(t, report.Recovered, e.run(request()).Outcome)
	require.Equal(t, 2, expected)
}

func TestIntegrityChecks_Rejoin_LooksAtTheDatabaseOnceItStreams(t *testing.T) {
	got := newReturned(t).run()
	require.Equal(t, report.Recovered, got.Outcome)
	require.Contains(t, got.Checks, report.Check{Target: "database shodo", Name: "recovery state", Measured: "primary", Expected: "primary", Verdict: report.CheckPassed})
	require.Empty(t, got.Missing)
}

func TestIntegrityChecks_ServiceRecovery_HasTheAnswersThatItAskedForAnyway(t *testing.T) {
	s := newSickService(t)
	s.cure = "delete backend-a uid-a"
	got, err := s.recover(func(request *workflows.ServiceRecoveryRequest) { request.Pod = "backend-a" })
	require.NoError(t, err)
	require.NotEmpty(t, got.Checks)
	require.Equal(t, "service shodo-backend", got.Checks[0].Target)
	require.Empty(t, got.Unsound())
}

func TestIntegrityChecks_OneFails_IsNamedAndTheRecoveryStands(t *testing.T) {
	got := inspecting(t, func(context.Context) ([]integrity.Check, error) {
		return []integrity.Check{integrity.Compare("invalid indexes", "orders_pkey", "none")}, nil
	}).run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{`integrity: database shodo, invalid indexes: measured "orders_pkey", expected "none"`}, got.Missing)
	require.Contains(t, got.Summary, "1 of 2 integrity checks did not pass: database shodo, invalid indexes")
}

func TestIntegrityChecks_OneCannotRun_IsNoPassAndIsNamed(t *testing.T) {
	got := inspecting(t, func(context.Context) ([]integrity.Check, error) {
		return nil, failure.Permanent(failure.Forbidden, "no credentials")
	}).run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, report.CheckNotRun, got.Checks[1].Verdict)
	require.Contains(t, strings.Join(got.Missing, "\n"), "inspect postgres-replica-0: could not be checked: no credentials")
}

func TestIntegrityChecks_OneHangs_DoesNotHoldTheClockAndEndsInItsTime(t *testing.T) {
	tries := 0
	got := inspecting(t, func(context.Context) ([]integrity.Check, error) {
		tries++
		return nil, failure.Transient(failure.Unreachable, "no answer")
	}).run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Positive(t, tries)
	require.Less(t, *got.RTO.Measured, 10*time.Second)
	require.LessOrEqual(t, got.Clocks.Finished.Sub(got.Clocks.Recovered), 25*time.Second)
	require.Equal(t, report.CheckNotRun, got.Checks[1].Verdict)
}

func TestIntegrityChecks_RunThatAnotherBegan_LeavesThemToThatOne(t *testing.T) {
	e := inspecting(t, func(context.Context) ([]integrity.Check, error) { return nil, nil })
	got := e.runWithin(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Empty(t, got.Checks)
}

func TestIntegrityChecks_FullOutage_LooksAtEverythingAndNamesWhatCouldNotRun(t *testing.T) {
	o := newOutage(t)
	o.sick["shodo"] = "no answer"
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome)
	require.NotEmpty(t, got.Checks)
	require.Contains(t, got.Summary, "integrity checks did not pass", "the stand-ins have no primary to look at")
	require.Contains(t, strings.Join(got.Missing, "\n"), "database shodo, find the primary")
	require.Contains(t, got.Checks, report.Check{Target: "service shodo-backend", Name: "/health", Measured: "well in 0s", Expected: "well", Verdict: report.CheckPassed})
}
