package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

func TestWebhook_AMessage_IsSignedJSON(t *testing.T) {
	receiver := &sink{}
	channel := kinds(t, serve(t, receiver))["webhook"]
	channel.Webhook.Headers = map[string]string{"X-Team": "operations"}
	sent, err := bind(t, channel, notify.Patience).Send(t.Context(), message())
	require.NoError(t, err)
	request, body := receiver.requests[0], receiver.bodies[0]

	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), request.Header.Get("X-Fukkyu-Signature-256"))
	require.Equal(t, "Bearer "+secret, request.Header.Get("Authorization"))
	require.Equal(t, "operations", request.Header.Get("X-Team"))
	require.Equal(t, "application/json; charset=utf-8", request.Header.Get("Content-Type"))
	require.Equal(t, sent.Reference, request.Header.Get("Idempotency-Key"))
	require.JSONEq(t, `{
		"id": "`+sent.Reference+`",
		"title": "[L2] データベース shodo の切替 is at 50% of its RTO",
		"channel": "pager",
		"event": "trigger",
		"incident": "database-failover/shodo/shodo/0197-run",
		"severity": "critical",
		"level": "L2",
		"summary": "データベース shodo の切替 is at 50% of its RTO",
		"details": [{"name": "target", "value": "shodo"}, {"name": "deadline", "value": "2026-11-23T20:30:00Z"}],
		"commands": ["fukkyu approve --question 1 --by NAME"],
		"at": "2026-11-23T20:15:00Z"
	}`, body)
	require.Equal(t, "webhook", sent.Kind)
	require.NotContains(t, sent.To, "/hook")
	require.NotContains(t, fmt.Sprint(sent), secret)
}

func TestWebhook_SentTwice_HasTheSameKeyAndAnotherMessageAnotherOne(t *testing.T) {
	receiver := &sink{}
	activities := bind(t, kinds(t, serve(t, receiver))["webhook"], notify.Patience)
	resolved := message()
	resolved.Event = notify.Resolve
	for _, next := range []notify.Message{message(), message(), resolved} {
		_, err := activities.Send(t.Context(), next)
		require.NoError(t, err)
	}
	var keys []string
	for _, request := range receiver.requests {
		keys = append(keys, request.Header.Get("Idempotency-Key"))
	}
	require.Equal(t, keys[0], keys[1])
	require.NotEqual(t, keys[0], keys[2])
}

func TestWebhook_ADrill_IsMarked(t *testing.T) {
	receiver := &sink{}
	drill := message()
	drill.Drill = true
	sent, err := bind(t, plan.SiteChannel{Webhook: &plan.Webhook{URL: serve(t, receiver)}}, notify.Patience).Send(t.Context(), drill)
	require.NoError(t, err)
	require.Empty(t, sent.Withheld)
	var document struct {
		Title string
		Drill bool
	}
	require.NoError(t, json.Unmarshal([]byte(receiver.bodies[0]), &document))
	require.Equal(t, "[DRILL/訓練] [L2] データベース shodo の切替 is at 50% of its RTO", document.Title)
	require.True(t, document.Drill)
	require.Empty(t, receiver.requests[0].Header.Get("X-Fukkyu-Signature-256"))
	require.Empty(t, receiver.requests[0].Header.Get("Authorization"))
}

func TestWebhook_AnAnswerThatSpellsATokenInItsOwnWay_DoesNotShowIt(t *testing.T) {
	const token = `hidden/+=&"token`
	for _, spelling := range []string{token, `hidden\/+=&\"token`, "hidden%2F%2B%3D%26%22token", "hidden/+=&amp;&#34;token"} {
		address := serve(t, &sink{status: 400, said: "no: " + spelling})
		_, err := bind(t, plan.SiteChannel{Webhook: &plan.Webhook{URL: address, TokenFile: file(t, token)}}, notify.Patience).Send(t.Context(), message())
		require.ErrorContains(t, err, "400 Bad Request: no: (secret)")
		require.NotContains(t, err.Error(), "hidden")
	}
}
