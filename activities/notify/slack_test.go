package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// said is what a sink like Slack was given to show.
func said(t *testing.T, channel *sink) string {
	t.Helper()
	var document struct{ Text string }
	require.NoError(t, json.Unmarshal([]byte(channel.bodies[0]), &document))
	return document.Text
}

func TestSlack_AMessage_IsTextWithCommandsToCopy(t *testing.T) {
	channel := &sink{status: 200, said: "ok"}
	sent, err := bind(t, kinds(t, serve(t, channel))["slack"], notify.Patience).Send(t.Context(), message())
	require.NoError(t, err)
	require.Equal(t, "/services/T00000000/B00000000/"+secret, channel.requests[0].URL.Path)
	require.Equal(t, strings.Join([]string{
		"[L2] データベース shodo の切替 is at 50% of its RTO",
		"• target: shodo",
		"• deadline: 2026-11-23T20:30:00Z",
		"• severity: critical",
		"• at: 2026-11-23 20:15:00 UTC",
		"• incident: database-failover/shodo/shodo/0197-run",
		"```",
		"fukkyu approve --question 1 --by NAME",
		"```",
	}, "\n"), said(t, channel))
	require.Equal(t, "slack", sent.Kind)
	require.NotContains(t, sent.To, "/")
	require.NotContains(t, fmt.Sprint(sent), secret)
}

func TestSlack_WhatSlackWouldReadAsMarkup_IsEscaped(t *testing.T) {
	channel := &sink{status: 200, said: "ok"}
	nasty := message()
	nasty.Drill, nasty.Event = true, notify.Resolve
	nasty.Summary = "<!channel> <script>alert('a & b')</script>\nsecond line"
	nasty.Details = []notify.Detail{{Name: "<@U1>", Value: "a\n• forged: fact"}}
	nasty.Commands = []string{"echo ```; <https://example.com|click>"}
	_, err := bind(t, kinds(t, serve(t, channel))["slack"], notify.Patience).Send(t.Context(), nasty)
	require.NoError(t, err)
	text := said(t, channel)
	require.True(t, strings.HasPrefix(text, "[DRILL/訓練] [L2] Resolved: &lt;!channel&gt; &lt;script&gt;alert('a &amp; b')&lt;/script&gt; second line\n"), text)
	require.Contains(t, text, "\n• &lt;@U1&gt;: a • forged: fact\n")
	require.Contains(t, text, "\necho '''; &lt;https://example.com|click&gt;\n```")
}

func TestSlack_AFileWithoutAnURL_IsNotRepeated(t *testing.T) {
	for _, content := range []string{secret, "https:///" + secret, "ftp://" + secret, "https://a b/" + secret + "%zz"} {
		_, err := bind(t, plan.SiteChannel{Slack: &plan.Slack{WebhookURLFile: file(t, content)}}, notify.Patience).Send(t.Context(), message())
		require.Equal(t, failure.NotFound, failed(t, err).Type())
		require.ErrorContains(t, err, "holds no URL")
	}
}

func TestSlack_AnAnswerWithPartsOfTheAddress_DoesNotShowThem(t *testing.T) {
	channel := &sink{status: 404, said: "no_team: T00000000, no_service: /services/T00000000/B00000000/" + secret + ", " + secret}
	_, err := bind(t, kinds(t, serve(t, channel))["slack"], notify.Patience).Send(t.Context(), message())
	failed(t, err)
	require.ErrorContains(t, err, "no_team: (secret), no_service: (secret), (secret); see slack.webhookURLFile in the site")
}
