package runbook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// newLadder is a bench whose plan has three levels: at the beginning, at half of the RTO of 30 minutes, and when it is missed.
func newLadder(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.escalation = []plan.EscalationLevel{
		{Level: "L1", At: 0, Who: []string{"on-call"}, RespondWithin: 4 * time.Minute, Notify: []string{"pager", "chat"}},
		{Level: "L2", At: plan.Percents(50), Who: []string{"cto"}, RespondWithin: 3 * time.Minute, Notify: []string{"cto-pager", "chat"}},
		{Level: "L3", At: plan.Percents(100), Who: []string{"cto"}, Notify: []string{"mail"}},
	}
	return b
}

// told lists channel, event and level of each notice.
func (b *bench) told() []string {
	var told []string
	for _, notice := range b.notices {
		told = append(told, notice.Channel+" "+notice.Event+" "+notice.Level)
	}
	return told
}

func TestEscalation_UneventfulRun_TellsTheFirstLevelAtTheFirstChangeAndResolves(t *testing.T) {
	b := newLadder(t)
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{"pager trigger L1", "chat trigger L1", "pager resolve L1", "chat resolve L1"}, b.told())
	for _, sent := range got.Notifications {
		require.Equal(t, report.Sent, sent.State)
		require.Equal(t, "sink", sent.To)
	}
	for _, notice := range b.notices {
		require.Equal(t, got.WorkflowID+"/"+got.RunID, notice.Incident, "what is triggered must be resolved under the same name")
		require.False(t, notice.Drill)
	}
}

func TestEscalation_ClockRunsOn_ClimbsWithTheShareThatIsUsedUp(t *testing.T) {
	b := newLadder(t)
	b.steps[1].Do = func(ctx workflow.Context) (string, error) { return "", workflow.Sleep(ctx, time.Hour) }
	var levels []string
	b.notify = func(ctx workflow.Context, notice runbook.Notice) (runbook.Delivery, error) {
		if notice.Event == runbook.Trigger && notice.Channel != "chat" {
			levels = append(levels, notice.Level+" after "+workflow.Now(ctx).Sub(b.status().Clocks.Declared).String()+" "+notice.Severity)
		}
		return runbook.Delivery{}, nil
	}
	b.run(by("yuki"))
	require.Equal(t, []string{"L1 after 0s warning", "L2 after 15m0s error", "L3 after 30m0s critical"}, levels)
}

func TestEscalation_ImpactStartedLongAgo_TellsEveryLevelThatIsDueAtOnce(t *testing.T) {
	b := newLadder(t)
	request := by("yuki")
	request.ImpactStarted = b.Now().Add(-20 * time.Minute)
	b.run(request)
	require.ElementsMatch(t, []string{"pager trigger L1", "chat trigger L1", "cto-pager trigger L2", "chat trigger L2"}, b.told()[:4])
}

func TestEscalation_QuestionUnanswered_ClimbsAsOftenAsNobodyResponds(t *testing.T) {
	b := newLadder(t)
	asking(b, 1, plan.Unanswered{After: 10 * time.Minute, Then: plan.Proceed})
	b.after(4*time.Minute+30*time.Second, func() { require.Len(t, b.told(), 4, "L1 may take four minutes from the question on") })
	b.after(5*time.Minute+30*time.Second, func() { require.Contains(t, b.told(), "cto-pager trigger L2") })
	b.after(8*time.Minute+30*time.Second, func() { require.Contains(t, b.told(), "mail trigger L3", "L2 had three more") })
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome, "the plan's default still decides")
	question := b.notices[2]
	require.Contains(t, question.Summary, "Replace it?")
	require.Contains(t, question.Commands, "fukkyu approve "+got.WorkflowID+" --question 1 --by aiko", "who is told must be able to answer")
	require.Contains(t, question.Details, report.Fact{Name: "loss", Value: "0 bytes"})
}

func TestEscalation_QuestionAnswered_IsAcknowledgedAndClimbsNoFurther(t *testing.T) {
	b := newLadder(t)
	asking(b, 1, hold)
	b.after(2*time.Minute, func() { b.update(runbook.Approve, runbook.Decision{Question: 1, By: "aiko"}) })
	b.run(by("yuki"))
	require.Contains(t, b.told(), "pager acknowledge L1")
	require.NotContains(t, b.told(), "cto-pager trigger L2")
}

func TestEscalation_ChannelsThatFailOrHang_NeverHoldUpTheRecovery(t *testing.T) {
	b := newLadder(t)
	b.notify = func(ctx workflow.Context, notice runbook.Notice) (runbook.Delivery, error) {
		switch notice.Channel {
		case "pager":
			return runbook.Delivery{}, errors.New("400: unknown routing key")
		default:
			return runbook.Delivery{}, workflow.Sleep(ctx, 24*time.Hour)
		}
	}
	got := b.run(by("yuki"))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, 3*time.Minute, got.Clocks.Finished.Sub(got.Clocks.Declared), "three steps of a minute")
	require.Equal(t, report.Undelivered, got.Notifications[0].State)
	require.Contains(t, got.Notifications[0].Why, "unknown routing key")
	require.Equal(t, report.Undelivered, got.Notifications[1].State)
	require.Contains(t, got.Notifications[1].Why, "had not answered when the run ended")
}

func TestEscalation_ChannelThatIsSlow_GetsItsMessagesInTheirOrder(t *testing.T) {
	b := newLadder(t)
	var arrived []string
	b.notify = func(ctx workflow.Context, notice runbook.Notice) (runbook.Delivery, error) {
		if notice.Event == runbook.Trigger {
			if err := workflow.Sleep(ctx, 3*time.Minute+time.Second); err != nil { // as long as the whole run takes, and longer
				return runbook.Delivery{}, err
			}
		}
		arrived = append(arrived, notice.Channel+" "+notice.Event)
		return runbook.Delivery{}, nil
	}
	b.run(by("yuki"))
	require.Equal(t, []string{"pager trigger", "pager resolve"}, slices.DeleteFunc(arrived, func(s string) bool { return strings.HasPrefix(s, "chat") }),
		"an incident that is resolved before it is opened stays open")
}

func TestEscalation_RunThatIsRefused_WakesNobody(t *testing.T) {
	b := newLadder(t)
	b.steps[0].Guard = never("", "the primary is fine")
	b.ExecuteWorkflow("Bench", by("yuki"))
	require.True(t, runbook.IsRefused(b.GetWorkflowError()))
	require.Empty(t, b.told())
}

func TestEscalation_PlannedRun_CallsNobodyUnlessItGoesWrong(t *testing.T) {
	b := newLadder(t)
	b.planned = true
	b.run(by("yuki"))
	require.Empty(t, b.told(), "nothing was broken, and nothing is")

	b = newLadder(t)
	b.planned = true
	b.steps[1].UndoOnFailure = true
	b.steps[1].Do = func(workflow.Context) (string, error) { return "", errors.New("it does not shut down") }
	got := b.run(by("yuki"))
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"pager trigger L1", "chat trigger L1"}, b.told())
	require.Contains(t, b.notices[0].Summary, "it ended rolled-back: ")
}

func TestEscalation_Rehearsal_TellsNobody(t *testing.T) {
	b := newLadder(t)
	b.run(runbook.Request{By: "yuki", Mode: runbook.Rehearse})
	require.Empty(t, b.told())
}

func TestEscalation_Drill_IsSaidInEveryNotice(t *testing.T) {
	b := newLadder(t)
	got := b.run(runbook.Request{By: "yuki", Mode: runbook.Drill})
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{"do one", "do two", "do three"}, b.journal, "a drill does everything")
	require.NotEmpty(t, b.notices)
	for _, notice := range b.notices {
		require.True(t, notice.Drill)
	}
}

func TestEscalation_RunThatEndsWithoutService_IsNotResolved(t *testing.T) {
	b := newLadder(t)
	b.after(90*time.Second, func() { b.update(runbook.Abort, runbook.Decision{By: "yuki", Comment: "wrong database"}) })
	got := b.run(by("yuki"))
	require.Equal(t, report.RolledBack, got.Outcome)
	require.NotContains(t, b.told(), "pager resolve L1")
	require.Contains(t, b.notices[len(b.notices)-1].Summary, "it ended rolled-back")
}
