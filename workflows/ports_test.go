package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/history"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

var asked = workflows.DatabaseFailoverRequest{Request: runbook.Request{By: "yuki", Reason: "node-a1 is dead"}, Database: "shodo"}

func TestPorts_ARunThatAsks_TellsTheFirstLevelOfThePlanHowToAnswer(t *testing.T) {
	e := newEstate(t)
	e.approve(time.Minute, 1)
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome)
	pager := slices.DeleteFunc(e.told, func(m notify.Message) bool { return m.Channel != "on-call-pager" })
	first := pager[0]
	require.Equal(t, notify.Trigger, first.Event)
	require.Equal(t, "L1", first.Level)
	require.Equal(t, got.WorkflowID+"/"+got.RunID, first.Incident)
	require.Contains(t, first.Summary, "Replace primary postgres-primary-0")
	require.Contains(t, first.Commands, "fukkyu approve "+got.WorkflowID+" --question 1 --by yuki")
	require.Contains(t, first.Details, notify.Detail{Name: "asked for by", Value: "yuki: node-a1 is dead"})
	require.Equal(t, notify.Resolve, pager[len(pager)-1].Event)
}

func TestPorts_AChannelThatRefuses_IsInTheReportAndTheDatabaseRecovers(t *testing.T) {
	e := newEstate(t).automatic()
	handle(e, "Send", func(m notify.Message) (notify.Sent, error) {
		return notify.Sent{}, failure.Permanent(failure.NotFound, "tell %s: the site binds no such channel", m.Channel)
	})
	got := e.run(asked)
	require.Equal(t, report.Recovered, got.Outcome)
	require.NotEmpty(t, got.Notifications)
	require.Equal(t, report.Undelivered, got.Notifications[0].State)
	require.Equal(t, "tell on-call-pager: the site binds no such channel", got.Notifications[0].Why)
}

func TestPorts_EarlierRuns_MakeAForecast(t *testing.T) {
	e := newEstate(t)
	handle(e, "StepTimes", func(p history.StepTimesParams) (history.StepTimesResult, error) {
		require.Equal(t, history.StepTimesParams{Scenario: workflows.DatabaseFailoverName, Target: "database shodo"}, p)
		return history.StepTimesResult{Runs: 3, Recovers: "Point the applications at the new primary", Steps: map[string]time.Duration{
			"Fence the old primary": 2 * time.Minute, "Promote the replica": time.Minute, "Restore redundancy": 10 * time.Minute,
		}}, nil
	})
	e.RegisterDelayedCallback(func() {
		forecast := e.status().Forecast
		require.Equal(t, 3, forecast.Runs)
		require.WithinDuration(t, e.began.Add(3*time.Minute), forecast.Recovered, 5*time.Second)
		require.WithinDuration(t, e.began.Add(13*time.Minute), forecast.Finished, 5*time.Second)
	}, 30*time.Second)
	e.approve(time.Minute, 1)
	require.Nil(t, e.run(asked).Forecast, "a run that is over has nothing to forecast")
}
