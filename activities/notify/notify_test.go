package notify_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// secret is what every file of a secret holds in these tests. It must not stand in anything that an activity returns.
const secret = "R0utingKey-that-nobody-may-read"

// patience bounds an attempt in tests of those who do not answer.
const patience = 300 * time.Millisecond

// message is one as a recovery sends it.
func message() notify.Message {
	return notify.Message{
		Channel:  "pager",
		Event:    notify.Trigger,
		Incident: "database-failover/shodo/shodo/0197-run",
		Severity: "critical",
		Level:    "L2",
		Summary:  "データベース shodo の切替 is at 50% of its RTO",
		Details:  []notify.Detail{{Name: "target", Value: "shodo"}, {Name: "deadline", Value: "2026-11-23T20:30:00Z"}},
		Commands: []string{"fukkyu approve --question 1 --by NAME"},
		At:       time.Date(2026, 11, 23, 20, 15, 0, 0, time.UTC),
	}
}

// sink takes requests and answers as it is told.
type sink struct {
	status  int // 0: 202
	headers map[string]string
	said    string

	guard    sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (s *sink) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	s.guard.Lock()
	s.requests, s.bodies = append(s.requests, request), append(s.bodies, string(body))
	s.guard.Unlock()
	for name, value := range s.headers {
		response.Header().Set(name, value)
	}
	if s.status == 0 {
		s.status = http.StatusAccepted
	}
	response.WriteHeader(s.status)
	_, _ = io.WriteString(response, s.said)
}

// serve starts a sink and returns its URL.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// file writes a secret as a person would, with a line break at its end, and returns where it is.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(content+"\n"), 0o600))
	return name
}

// bind returns activities of a site with one channel.
func bind(t *testing.T, channel plan.SiteChannel, patience time.Duration) *notify.Activities {
	t.Helper()
	channel.Name = "pager"
	activities, err := notify.New([]plan.SiteChannel{channel}, patience)
	require.NoError(t, err)
	return activities
}

// failed is the error of an activity, which holds no secret.
func failed(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var said *temporal.ApplicationError
	require.ErrorAs(t, err, &said)
	require.NotContains(t, err.Error(), secret)
	require.Less(t, len(err.Error()), 1000)
	return said
}

// kinds are the channels that are reached by HTTP, each at a given address.
func kinds(t *testing.T, address string) map[string]plan.SiteChannel {
	return map[string]plan.SiteChannel{
		"pagerduty": {PagerDuty: &plan.PagerDuty{URL: address + "/v2/enqueue", RoutingKeyFile: file(t, secret)}},
		"webhook":   {Webhook: &plan.Webhook{URL: address + "/hook", SecretFile: file(t, secret), TokenFile: file(t, secret)}},
		"slack":     {Slack: &plan.Slack{WebhookURLFile: file(t, address+"/services/T00000000/B00000000/"+secret)}},
	}
}

func TestSend_AnAnswerThatIsNoGood_IsTriedAgainOnlyWhereThatMayHelp(t *testing.T) {
	echo := "no such key " + secret + " <html>\r\n" + strings.Repeat("x", 5000)
	tests := []struct {
		name      string
		status    int
		headers   map[string]string
		kind      string
		permanent bool
		delay     time.Duration
		says      string
	}{
		{"a document that it does not take", 400, nil, failure.Rejected, true, 0, "400 Bad Request: no such key (secret) <html> xxx"},
		{"a secret that it does not know", 401, nil, failure.Forbidden, true, 0, "secrets in the site"},
		{"a secret that may not", 403, nil, failure.Forbidden, true, 0, "secrets in the site"},
		{"an address where nobody is", 404, nil, failure.NotFound, true, 0, "in the site"},
		{"an address where nobody is any more", 410, nil, failure.NotFound, true, 0, "in the site"},
		{"a redirect, which is not followed", 307, map[string]string{"Location": "http://127.0.0.1:1/" + secret}, failure.Rejected, true, 0, "redirects are not followed"},
		{"a request that took too long", 408, nil, failure.Unreachable, false, 0, "408"},
		{"too many, without a word when to come again", 429, nil, failure.Unreachable, false, 0, "429"},
		{"too many, come again in 7 s", 429, map[string]string{"Retry-After": "7"}, failure.Unreachable, false, 7 * time.Second, "again in 7s"},
		{"too many, come again tomorrow", 429, map[string]string{"Retry-After": "86400"}, failure.Unreachable, false, 5 * time.Minute, "again in 5m0s"},
		{"too many, come again in the past", 429, map[string]string{"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}, failure.Unreachable, false, 0, "429"},
		{"too many, come again in the far future", 429, map[string]string{"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, failure.Unreachable, false, 5 * time.Minute, "again in 5m0s"},
		{"too many, come again whenever", 429, map[string]string{"Retry-After": "soon"}, failure.Unreachable, false, 0, "429"},
		{"a failure of its own", 500, nil, failure.Unreachable, false, 0, "500 Internal Server Error: no such key (secret)"},
		{"a service that is down for 3 s", 503, map[string]string{"Retry-After": "3"}, failure.Unreachable, false, 3 * time.Second, "503"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := serve(t, &sink{status: test.status, headers: test.headers, said: echo})
			for kind, channel := range kinds(t, address) {
				_, err := bind(t, channel, notify.Patience).Send(t.Context(), message())
				said := failed(t, err)
				require.Equal(t, test.kind, said.Type(), kind)
				require.Equal(t, test.permanent, said.NonRetryable(), kind)
				require.Equal(t, test.delay, said.NextRetryDelay(), kind)
				require.ErrorContains(t, err, test.says, kind)
				require.ErrorContains(t, err, "tell pager: ", kind)
			}
		})
	}
}

func TestSend_NobodyListens_MayBeTriedAgain(t *testing.T) {
	for kind, channel := range kinds(t, refusing(t)) {
		_, err := bind(t, channel, notify.Patience).Send(t.Context(), message())
		said := failed(t, err)
		require.Equal(t, failure.Unreachable, said.Type(), kind)
		require.False(t, said.NonRetryable(), kind)
		require.ErrorContains(t, err, "connection refused", kind)
	}
}

func TestSend_NobodyAnswers_EndsWithThePatienceOfOneAttempt(t *testing.T) {
	release := make(chan struct{})
	address := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its requests
	for kind, channel := range kinds(t, address) {
		began := time.Now()
		_, err := bind(t, channel, patience).Send(t.Context(), message())
		said := failed(t, err)
		require.Equal(t, failure.Unreachable, said.Type(), kind)
		require.False(t, said.NonRetryable(), kind)
		require.ErrorContains(t, err, "no answer in time", kind)
		require.Less(t, time.Since(began), 5*time.Second, kind)
	}
}

func TestSend_AnAnswerThatIsNoHTTP_ShowsNoSecret(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, "-ERR unknown command "+secret+"\r\n\r\n")
			connection.Close()
		}
	}()
	for kind, channel := range kinds(t, "http://"+listener.Addr().String()) {
		_, err := bind(t, channel, notify.Patience).Send(t.Context(), message())
		require.False(t, failed(t, err).NonRetryable(), kind)
	}
}

func TestSend_ASecretThatIsNotThere_SaysWhichLineOfTheSiteAndNotWhatIsInIt(t *testing.T) {
	address := serve(t, &sink{})
	empty := file(t, "")
	for _, reference := range []string{secret, empty} { // the key itself in place of the name of its file, and nothing
		for field, channel := range map[string]plan.SiteChannel{
			"pagerduty.routingKeyFile": {PagerDuty: &plan.PagerDuty{URL: address, RoutingKeyFile: reference}},
			"slack.webhookURLFile":     {Slack: &plan.Slack{WebhookURLFile: reference}},
			"email.passwordFile":       {Email: &plan.Email{Host: "127.0.0.1", Port: 1, From: "a@b.c", To: []string{"a@b.c"}, Username: "fukkyu", PasswordFile: reference}},
			"email.caFile":             {Email: &plan.Email{Host: "127.0.0.1", Port: 1, From: "a@b.c", To: []string{"a@b.c"}, CAFile: reference}},
			"webhook.secretFile":       {Webhook: &plan.Webhook{URL: address, SecretFile: reference}},
			"webhook.tokenFile":        {Webhook: &plan.Webhook{URL: address, TokenFile: reference}},
		} {
			_, err := bind(t, channel, notify.Patience).Send(t.Context(), message())
			said := failed(t, err)
			require.Equal(t, failure.NotFound, said.Type())
			require.True(t, said.NonRetryable())
			require.ErrorContains(t, err, field)
		}
	}
}

func TestSend_ByAChannelThatTheSiteDoesNotBind_SaysWhichLineToAdd(t *testing.T) {
	activities, err := notify.New(nil, notify.Patience)
	require.NoError(t, err)
	_, err = activities.Send(t.Context(), message())
	said := failed(t, err)
	require.Equal(t, failure.NotFound, said.Type())
	require.True(t, said.NonRetryable())
	require.ErrorContains(t, err, "add to its channels, for example: - {name: pager, pagerduty: {routingKeyFile: FILE}}")
}

func TestSend_AMessageWithoutSense_IsNotSent(t *testing.T) {
	receiver := &sink{}
	activities := bind(t, kinds(t, serve(t, receiver))["webhook"], notify.Patience)
	for _, spoil := range []func(*notify.Message){
		func(m *notify.Message) { m.Event = "shout" },
		func(m *notify.Message) { m.Incident = "" },
	} {
		wrong := message()
		spoil(&wrong)
		_, err := activities.Send(t.Context(), wrong)
		require.True(t, failed(t, err).NonRetryable())
	}
	require.Empty(t, receiver.requests)
}

func TestSend_WhenItIsCancelled_EndsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for kind, channel := range kinds(t, serve(t, &sink{})) {
		_, err := bind(t, channel, notify.Patience).Send(ctx, message())
		require.Error(t, err, kind)
	}
}

func TestNew_AChannelBoundToNothing_IsAnError(t *testing.T) {
	_, err := notify.New([]plan.SiteChannel{{Name: "pager"}}, notify.Patience)
	require.ErrorContains(t, err, "channel pager")
}

// refusing returns the URL of a port where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

func TestSend_AsTemporalCallsIt_TakesAndReturnsPlainData(t *testing.T) {
	receiver := &sink{}
	environment := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	environment.RegisterActivity(bind(t, kinds(t, serve(t, receiver))["webhook"], notify.Patience))
	value, err := environment.ExecuteActivity("Send", message())
	require.NoError(t, err)
	var sent notify.Sent
	require.NoError(t, value.Get(&sent))
	require.Equal(t, receiver.requests[0].Header.Get("Idempotency-Key"), sent.Reference)
	require.Equal(t, time.UTC, sent.At.Location())
}
