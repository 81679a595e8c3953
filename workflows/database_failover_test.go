package workflows_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

func request() workflows.DatabaseFailoverRequest {
	return workflows.DatabaseFailoverRequest{Request: runbook.Request{By: "yuki"}, Database: "shodo"}
}

func overriding(guards ...string) workflows.DatabaseFailoverRequest {
	asked := request()
	for _, guard := range guards {
		asked.Overrides = append(asked.Overrides, runbook.Override{Guard: guard, Reason: "the old site burns"})
	}
	return asked
}

// wholeFailover is every write of a failover, in the only order that is safe: fence, promote, redirect, restore.
var wholeFailover = []string{
	"take lease",
	"remember fenced",
	"close gate from postgres-primary-0 epoch 7",
	"hold down postgres-primary-0",
	"stop receivers",
	"remember promoting",
	"open gate for postgres-replica-0",
	"promote postgres-replica-0 from timeline 1",
	"point service at postgres-replica-0",
	"canary",
	"remember redirected",
	"grow postgres-replica to 3",
	"free postgres-primary-0",
	"canary",
	"release lease finished",
}

func TestDatabaseFailover_PrimaryGone_WritesInTheSafeOrderAndRecovers(t *testing.T) {
	e := newEstate(t).automatic()
	got := e.run(request())
	require.Equal(t, wholeFailover, e.journal)
	require.Equal(t, report.Recovered, got.Outcome)
	require.NotNil(t, got.RTO.Measured)
	require.NotNil(t, got.RPO.Measured)
	require.Contains(t, got.Summary, "power off")
}

// A run that is cancelled when one activity has acted and not answered yet: before the promotion is scheduled the estate ends as it was found,
// afterwards nothing is undone and the command that continues is named.
func TestDatabaseFailover_CancelledAtEachWrite_UndoesBeforeThePromotionAndHandsOverAfterIt(t *testing.T) {
	activities := []string{"AcquireLease", "RecordLease", "CloseRole", "HoldDown", "StopReceiving", "Promote", "PointService", "AddReplica"}
	for i, name := range activities {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t).automatic()
			var once sync.Once
			e.after[name] = func() { once.Do(e.CancelWorkflow) }
			got := e.run(request())
			if i < slices.Index(activities, "Promote") {
				require.Equal(t, report.RolledBack, got.Outcome)
				require.NotContains(t, e.journal, "promote postgres-replica-0 from timeline 1")
				requireAsFound(t, e.journal)
				return
			}
			require.Equal(t, report.Incomplete, got.Outcome)
			require.NotContains(t, e.journal, "let up postgres-primary")
			require.Contains(t, got.Next[0], "--continue")
			require.Contains(t, e.journal[len(e.journal)-1], "release lease")
		})
	}
}

// requireAsFound holds the journal to its promise: what was closed is open again, what was held down may come up, the lease is free.
func requireAsFound(t *testing.T, journal []string) {
	t.Helper()
	last := func(texts ...string) int {
		position := -1
		for i, entry := range journal {
			for _, text := range texts {
				if strings.HasPrefix(entry, text) {
					position = i
				}
			}
		}
		return position
	}
	if closed := last("close gate"); closed >= 0 {
		require.Greater(t, last("open gate for postgres-primary-0"), closed)
	}
	if held := last("hold down"); held >= 0 {
		require.Greater(t, last("let up postgres-primary"), held)
	}
	require.Equal(t, "release lease ", journal[len(journal)-1])
}

func TestDatabaseFailover_PrimaryStillAnswersSomebody_IsRefusedAndNothingIsTouched(t *testing.T) {
	witnesses := map[string]func(*estate){
		"the worker":               func(e *estate) { e.answersSQL = true },
		"a pod":                    func(e *estate) { e.answersPod = true },
		"a replica's WAL receiver": func(e *estate) { e.stillHears = true },
	}
	for name, hears := range witnesses {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t).automatic()
			hears(e)
			said := e.refuse(request())
			require.Contains(t, said, workflows.GuardPrimaryAnswers)
			require.Equal(t, []string{"take lease", "release lease "}, e.journal)
		})
	}
}

func TestDatabaseFailover_PrimaryAnswersButOverridden_GoesOn(t *testing.T) {
	e := newEstate(t).automatic()
	e.answersSQL = true
	got := e.run(overriding(workflows.GuardPrimaryAnswers))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, "yuki", got.Overrides[0].By)
}

func TestDatabaseFailover_NoFence_IsNotPromotedWithoutTheOverride(t *testing.T) {
	e := newEstate(t).automatic()
	e.powerState = "On"
	got := e.run(request())
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Contains(t, got.Summary, workflows.GuardUnprovenFence)
	requireAsFound(t, e.journal)
}

func TestDatabaseFailover_NoFenceButOverridden_RecoversUnproven(t *testing.T) {
	e := newEstate(t).automatic()
	e.powerState = "On"
	got := e.run(overriding(workflows.GuardUnprovenFence))
	require.Equal(t, report.RecoveredUnproven, got.Outcome)
	require.NotContains(t, e.journal, "free postgres-primary-0")
}

func TestDatabaseFailover_ReplicasNotFit_IsRefusedWithTheFigures(t *testing.T) {
	cases := map[string]struct {
		change func(*estate)
		says   string
	}{
		"no replica":         {func(e *estate) { e.servers = nil }, "no replica of database shodo can be promoted"},
		"none reached":       {func(e *estate) { e.servers[0].Reached, e.servers[1].Reached = false, false }, "not reached"},
		"all beyond the RPO": {func(e *estate) { behind(e, 10*time.Minute) }, workflows.GuardDataLoss},
		"nobody knows":       {func(e *estate) { e.servers[0].LastHeard, e.servers[1].LastHeard = time.Time{}, time.Time{} }, "nobody can say"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t).automatic()
			c.change(e)
			require.Contains(t, e.refuse(request()), c.says)
			require.Equal(t, []string{"take lease", "release lease "}, e.journal)
		})
	}
}

func behind(e *estate, by time.Duration) {
	for i := range e.servers {
		e.servers[i].LastHeard = e.began.Add(-by)
	}
}

func TestDatabaseFailover_MoreWALArrivesAtAnotherReplicaWhileFencing_TheOtherIsPromoted(t *testing.T) {
	e := newEstate(t).automatic()
	e.before["StopReceiving"] = func() error {
		e.servers[1].ReceiveLSN = 0x5000300
		return nil
	}
	e.run(request())
	require.Contains(t, e.journal, "promote postgres-replica-1 from timeline 1")
	require.NotContains(t, e.journal, "promote postgres-replica-0 from timeline 1")
}

func TestDatabaseFailover_TheChosenOneDiesBeforeThePromotion_AnotherIsPromotedAndAskedFor(t *testing.T) {
	e := newEstate(t)
	e.before["StopReceiving"] = func() error {
		e.servers[0].Reached = false
		return nil
	}
	e.approve(time.Minute, 1)
	e.approve(2*time.Minute, 2)
	got := e.run(request())
	require.Contains(t, e.journal, "promote postgres-replica-1 from timeline 1")
	require.Len(t, got.Decisions, 2)
}

func TestDatabaseFailover_AllDieBeforeThePromotion_StopsWithTheFactsAndTheEstateAsFound(t *testing.T) {
	e := newEstate(t).automatic()
	e.before["StopReceiving"] = func() error {
		e.servers = nil
		return nil
	}
	got := e.run(request())
	require.Equal(t, report.RolledBack, got.Outcome)
	requireAsFound(t, e.journal)
}

// The call of the promotion times out although it happened. The activity recognises that when it is tried again; another
// replica is never promoted beside it.
func TestDatabaseFailover_PromotionFails_OnlyTheSameReplicaIsPromotedAgain(t *testing.T) {
	e := newEstate(t).automatic()
	failed := false
	e.before["Promote"] = func() error {
		if failed {
			return nil
		}
		failed = true
		e.servers[0].Reached = false
		e.servers[1].ReceiveLSN = 0x9000000
		return temporal.NewNonRetryableApplicationError("connection lost", "Unexpected", nil)
	}
	e.decide(time.Minute, runbook.Retry, 1)
	got := e.run(request())
	require.Equal(t, report.Recovered, got.Outcome)
	require.Contains(t, e.journal, "promote postgres-replica-0 from timeline 1")
	require.NotContains(t, e.journal, "promote postgres-replica-1 from timeline 1")
}

func TestDatabaseFailover_Approval_ShowsTheReplicaAndTheLossBeforeAnythingIsChanged(t *testing.T) {
	e := newEstate(t)
	e.RegisterDelayedCallback(func() {
		question := e.status().Question
		require.Equal(t, []string{"take lease"}, e.journal)
		require.Contains(t, question.Text, "postgres-replica-0")
		require.Contains(t, factsOf(question), "0 bytes of WAL")
	}, 30*time.Second)
	e.approve(time.Minute, 1)
	require.Equal(t, report.Recovered, e.run(request()).Outcome)
}

func TestDatabaseFailover_ThePrimaryComesBackWhilePeopleThink_IsRefused(t *testing.T) {
	e := newEstate(t)
	e.RegisterDelayedCallback(func() { e.answersSQL = true }, 30*time.Second)
	e.approve(time.Minute, 1)
	require.Contains(t, e.refuse(request()), workflows.GuardPrimaryAnswers)
	require.Equal(t, []string{"take lease", "release lease "}, e.journal)
}

func TestDatabaseFailover_AnotherRecoveryRuns_IsRefusedAndNamesItsHolder(t *testing.T) {
	e := newEstate(t).automatic()
	e.held = lease.ReadLeaseResult{Held: true, Holder: "database-failover/shodo/shodo/run-1"}
	require.Contains(t, e.refuse(request()), "fukkyu status database-failover/shodo/shodo")
	require.Empty(t, e.journal)
}

func TestDatabaseFailover_WithinTheCoolingOff_IsRefusedAndNamesTheLastRecovery(t *testing.T) {
	e := newEstate(t).automatic()
	e.held = lease.ReadLeaseResult{Last: lease.Record{Holder: "earlier/run", Phase: "finished", FinishedAt: e.began.Add(-time.Minute)}}
	require.Contains(t, e.refuse(request()), "earlier/run")
	require.Empty(t, e.journal)
}

func TestDatabaseFailover_WithinTheCoolingOffButOverridden_GoesOn(t *testing.T) {
	e := newEstate(t).automatic()
	e.held = lease.ReadLeaseResult{Last: lease.Record{Holder: "earlier/run", Phase: "finished", FinishedAt: e.began.Add(-time.Minute)}}
	require.Equal(t, report.Recovered, e.run(overriding(workflows.GuardCoolingOff)).Outcome)
}

func TestDatabaseFailover_HolderClosedJustNow_WaitsUntilItsActivitiesAreOver(t *testing.T) {
	e := newEstate(t).automatic()
	e.held = lease.ReadLeaseResult{Held: true, Holder: "gone/run", HolderClosed: true}
	e.RegisterDelayedCallback(func() {
		require.Empty(t, e.journal)
		e.held.HolderClosedFor = time.Minute
	}, 3*time.Second)
	require.Equal(t, report.Recovered, e.run(request()).Outcome)
}

func TestDatabaseFailover_StoppedAfterThePromotion_IsContinuedByTheNextRunAndNotBegunAnew(t *testing.T) {
	stopped := lease.Record{Holder: "earlier/run", Phase: "promoted", OldPrimary: "postgres-primary-0", Promoted: "postgres-replica-0", Proof: "power off", Timeline: 1, SystemID: "77"}
	anew := newEstate(t).automatic()
	anew.held = lease.ReadLeaseResult{Last: stopped}
	require.Contains(t, anew.refuse(request()), "--continue")

	e := newEstate(t).automatic()
	e.held = lease.ReadLeaseResult{Last: stopped}
	asked := request()
	asked.Continue = true
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome)
	require.NotContains(t, strings.Join(e.journal, "\n"), "promote ")
	require.Contains(t, e.journal, "point service at postgres-replica-0")
}

func TestDatabaseFailover_Rehearsed_ChangesNothing(t *testing.T) {
	e := newEstate(t)
	asked := request()
	asked.Mode = runbook.Rehearse
	got := e.run(asked)
	require.Equal(t, report.Rehearsed, got.Outcome)
	require.Empty(t, e.journal)
	for _, step := range got.Steps {
		require.NotEqual(t, report.Blocked, step.State, step.Result)
	}
}

func TestDatabaseFailover_RequestThatCannotBeTaken_IsRefusedWithTheValidValues(t *testing.T) {
	cases := map[string]struct {
		input []any
		says  string
	}{
		"nothing":             {nil, `"database":"shodo"`},
		"{}":                  {[]any{map[string]any{}}, "by is missing"},
		"an unknown database": {[]any{map[string]any{"by": "yuki", "database": "shoda"}}, "is not in plan shodo: shodo"},
		"no database":         {[]any{map[string]any{"by": "yuki"}}, "is not in plan shodo: shodo"},
		"a string":            {[]any{"shodo"}, `"database":"shodo"`},
		"an unknown field":    {[]any{map[string]any{"by": "yuki", "db": "shodo"}}, `unknown field "db"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t)
			e.ExecuteWorkflow(workflows.DatabaseFailoverName, c.input...)
			require.True(t, runbook.IsRefused(e.GetWorkflowError()))
			require.ErrorContains(t, e.GetWorkflowError(), c.says)
			require.Empty(t, e.journal)
		})
	}
}

func TestDatabaseFailover_NoStartGateAndAMiddlePod_IsRefused(t *testing.T) {
	e := newEstate(t).automatic()
	e.plan.Databases[0].StartGate = false
	e.found.Instances[0].StatefulSet, e.found.Instances[0].Ordinal = "postgres-replica", 2
	e.found.Sets[1] = kubernetes.Set{Name: "postgres-replica", Replicas: 4}
	require.Contains(t, e.refuse(request()), "start gate")
}

// primaryIsTheLastOf makes the last pod of the replicas' StatefulSet the primary, as a switchover may leave it.
func primaryIsTheLastOf(e *estate) {
	e.found.RolePrimary, e.found.ServicePod = "postgres-replica-1", "postgres-replica-1"
	e.found.Instances[0].NodeReady, e.found.Instances[0].NodeHeartbeat = true, time.Time{}
	e.found.Instances[2].NodeReady, e.found.Instances[2].NodeHeartbeat = false, e.began.Add(-3*time.Second)
	e.servers = []postgres.Server{e.replica("postgres-primary-0", 0x5000200), e.replica("postgres-replica-0", 0x5000100)}
}

func TestDatabaseFailover_TheDeadPrimaryWasTheLastOfItsSet_AnotherSetGrows(t *testing.T) {
	e := newEstate(t).automatic()
	primaryIsTheLastOf(e)
	got := e.run(request())
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, e.journal, "grow postgres-primary to 2", "postgres-replica would only ask for the dead pod again")
}

func TestDatabaseFailover_TheDeadPrimaryWasTheLastOfTheOnlySet_ItsPodIsFreedFirst(t *testing.T) {
	e := newEstate(t).automatic()
	primaryIsTheLastOf(e)
	e.found.Sets[0].Replicas = 0 // a former primary is held down there
	e.found.Instances, e.servers = e.found.Instances[1:], e.servers[1:]
	got := e.run(request())
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	freed, grown := slices.Index(e.journal, "free postgres-replica-1"), slices.Index(e.journal, "grow postgres-replica to 2")
	require.Positive(t, freed)
	require.Greater(t, grown, freed, "the new pod has the name of the one that hangs")
}

// Within a full outage the application may be sick of something else, and has its turn after the database.
func TestDatabaseFailover_WithinAnOutageWhoseApplicationIsSick_IsDoneWhenTheDatabaseTakesWrites(t *testing.T) {
	e := newEstate(t).automatic()
	e.before["WriteCanary"] = func() error { return failure.Transient(failure.NotReady, "its pods crash") }
	e.comesBack = true
	got := e.runWithin(request())
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, got.Summary, "shodo-backend has not written to it yet: its pods crash")
	require.Nil(t, got.RTO.Measured, "nobody has seen service to be back")
	require.Contains(t, e.journal, "grow postgres-replica to 3")
}
