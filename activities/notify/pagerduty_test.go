package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// pagerDuty is a service like PagerDuty, and activities that page it.
func pagerDuty(t *testing.T) (*sink, *notify.Activities) {
	t.Helper()
	service := &sink{said: `{"status": "success", "message": "Event processed", "dedup_key": "as sent"}`}
	return service, bind(t, kinds(t, serve(t, service))["pagerduty"], notify.Patience)
}

func TestPagerDuty_ATrigger_IsAnEventWithAllThatIsKnown(t *testing.T) {
	service, activities := pagerDuty(t)
	sent, err := activities.Send(t.Context(), message())
	require.NoError(t, err)
	require.Equal(t, "/v2/enqueue", service.requests[0].URL.Path)
	require.JSONEq(t, `{
		"routing_key": "`+secret+`",
		"event_action": "trigger",
		"dedup_key": "database-failover/shodo/shodo/0197-run",
		"client": "Fukkyu",
		"payload": {
			"summary": "[L2] データベース shodo の切替 is at 50% of its RTO",
			"source": "fukkyu",
			"severity": "critical",
			"timestamp": "2026-11-23T20:15:00Z",
			"class": "L2",
			"custom_details": {
				"incident": "database-failover/shodo/shodo/0197-run",
				"target": "shodo",
				"deadline": "2026-11-23T20:30:00Z",
				"command 1": "fukkyu approve --question 1 --by NAME"
			}
		}
	}`, service.bodies[0])
	require.Equal(t, "pagerduty", sent.Kind)
	require.True(t, strings.HasPrefix(sent.To, "127.0.0.1:"))
	require.Equal(t, "database-failover/shodo/shodo/0197-run", sent.Reference)
	require.Empty(t, sent.Withheld)
	require.NotZero(t, sent.At)
	require.NotContains(t, fmt.Sprint(sent), secret)
}

func TestPagerDuty_WhatFollowsATrigger_IsAboutTheSameIncident(t *testing.T) {
	service, activities := pagerDuty(t)
	for _, event := range []notify.Event{notify.Trigger, notify.Trigger, notify.Acknowledge, notify.Resolve} {
		next := message()
		next.Event = event
		_, err := activities.Send(t.Context(), next)
		require.NoError(t, err)
	}
	for i, action := range []string{"trigger", "trigger", "acknowledge", "resolve"} {
		var event struct {
			Action   string `json:"event_action"`
			DedupKey string `json:"dedup_key"`
		}
		require.NoError(t, json.Unmarshal([]byte(service.bodies[i]), &event))
		require.Equal(t, action, event.Action)
		require.Equal(t, message().Incident, event.DedupKey)
	}
	require.NotContains(t, service.bodies[3], "payload")
}

func TestPagerDuty_ADrill_PagesNobody(t *testing.T) {
	service, activities := pagerDuty(t)
	for _, event := range []notify.Event{notify.Trigger, notify.Acknowledge, notify.Resolve} {
		drill := message()
		drill.Event, drill.Drill = event, true
		sent, err := activities.Send(t.Context(), drill)
		require.NoError(t, err)
		require.Equal(t, "a drill never pages", sent.Withheld)
	}
	require.Empty(t, service.requests)
}

func TestPagerDuty_WhatIsTooLong_FitsItsLimits(t *testing.T) {
	service, activities := pagerDuty(t)
	long := message()
	long.Incident, long.Summary, long.Severity = strings.Repeat("i", 256), strings.Repeat("復", 2000), "unheard of"
	sent, err := activities.Send(t.Context(), long)
	require.NoError(t, err)
	other := long
	other.Incident = strings.Repeat("i", 257)
	otherSent, err := activities.Send(t.Context(), other)
	require.NoError(t, err)
	require.NotEqual(t, sent.Reference, otherSent.Reference)
	var event struct {
		DedupKey string `json:"dedup_key"`
		Payload  struct{ Summary, Severity string }
	}
	require.NoError(t, json.Unmarshal([]byte(service.bodies[0]), &event))
	require.Equal(t, sent.Reference, event.DedupKey)
	require.LessOrEqual(t, len(event.DedupKey), 255)
	require.Len(t, []rune(event.Payload.Summary), 1024)
	require.Equal(t, "critical", event.Payload.Severity)
}

func TestPagerDuty_ASummaryWithMarkupAndLineBreaks_IsOneLineOfData(t *testing.T) {
	service, activities := pagerDuty(t)
	nasty := message()
	nasty.Summary = "<script>alert(1)</script>\r\nBcc: a@b\x00\xff \u202e\"end\""
	_, err := activities.Send(t.Context(), nasty)
	require.NoError(t, err)
	var event struct{ Payload struct{ Summary string } }
	require.NoError(t, json.Unmarshal([]byte(service.bodies[0]), &event))
	require.Equal(t, "[L2] <script>alert(1)</script> Bcc: a@b \uFFFD \"end\"", event.Payload.Summary)
}

func TestPagerDuty_WithoutAnURL_IsPagerDutyItself(t *testing.T) {
	drill := message()
	drill.Drill = true // so that nothing is sent
	sent, err := bind(t, plan.SiteChannel{PagerDuty: &plan.PagerDuty{RoutingKeyFile: "none"}}, notify.Patience).Send(t.Context(), drill)
	require.NoError(t, err)
	require.Equal(t, "events.pagerduty.com", sent.To)
}
