package runbook_test

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// usually is what earlier runs took: ten minutes for each of the three steps, the second of which brings service back.
func usually(one, two, three time.Duration) runbook.Experience {
	return runbook.Experience{Runs: 5, Recovers: "two", Steps: map[string]time.Duration{"one": one, "two": two, "three": three}}
}

func TestForecast_StepsEndSoonerOrLater_MovesWithThem(t *testing.T) {
	b := newBench(t)
	b.experience = usually(3*time.Minute, 3*time.Minute, 3*time.Minute)
	began := b.Now()
	at := func(after time.Duration, recovered, finished time.Duration) {
		b.after(after, func() {
			forecast := b.status().Forecast
			require.Equal(t, 5, forecast.Runs)
			require.Equal(t, recovered, forecast.Recovered.Sub(began), "service back, seen after %s", after)
			require.Equal(t, finished, forecast.Finished.Sub(began), "the run's end, seen after %s", after)
		})
	}
	at(30*time.Second, 6*time.Minute, 9*time.Minute)
	at(90*time.Second, 4*time.Minute, 7*time.Minute) // the first step took one minute instead of three
	b.run(by("yuki"))
}

func TestForecast_ServiceWillNotBeBackInTime_WarnsLongBeforeTheDeadline(t *testing.T) {
	b := newLadder(t)
	b.experience = usually(time.Minute, 25*time.Minute, time.Minute)
	b.steps[0].Do = func(ctx workflow.Context) (string, error) { return "", workflow.Sleep(ctx, 10*time.Minute) }
	b.steps[1].Do = func(ctx workflow.Context) (string, error) { return "", workflow.Sleep(ctx, time.Minute) }
	began := b.Now()
	got := b.run(by("yuki"))
	var warned time.Duration
	for _, entry := range got.Timeline {
		if entry.Kind == runbook.KindClock && warned == 0 {
			warned = entry.At.Sub(began)
			require.Contains(t, entry.Text, "by the pace of 5 earlier runs")
		}
	}
	require.Equal(t, 5*time.Minute, warned, "from then on the second step cannot end within 30 minutes any more")
	require.Contains(t, b.told(), "cto-pager trigger L2", "who could help must learn of it while there is time")
}

func TestForecast_EarlierRunsMissedTheObjective_WarnsAtOnceAndOnce(t *testing.T) {
	b := newBench(t)
	b.experience = usually(40*time.Minute, time.Minute, time.Minute)
	got := b.run(by("yuki"))
	var warnings []report.Entry
	for _, entry := range got.Timeline {
		if entry.Kind == runbook.KindClock {
			warnings = append(warnings, entry)
		}
	}
	require.Len(t, warnings, 1)
	require.Equal(t, got.Clocks.Declared, warnings[0].At)
}

func TestForecast_NoEarlierRun_IsNotMade(t *testing.T) {
	require.Nil(t, newBench(t).run(by("yuki")).Forecast)
}
