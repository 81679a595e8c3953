//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

// sink takes what a channel is sent, and answers as it is told.
type sink struct {
	*httptest.Server
	mutex sync.Mutex
	taken []map[string]any
}

// newSink answers the first messages with these statuses, and all others with 202.
func newSink(t *testing.T, statuses ...int) *sink {
	t.Helper()
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if len(statuses) > 0 {
			answer.WriteHeader(statuses[0])
			statuses = statuses[1:]
			return
		}
		var message map[string]any
		if err := json.NewDecoder(request.Body).Decode(&message); err != nil {
			answer.WriteHeader(http.StatusBadRequest)
			return
		}
		s.taken = append(s.taken, message)
		answer.WriteHeader(http.StatusAccepted)
		fmt.Fprint(answer, `{"status": "success", "message": "Event processed"}`)
	}))
	t.Cleanup(s.Close)
	return s
}

// values are those of one field in all messages that were taken.
func (s *sink) values(field string) []any {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var values []any
	for _, message := range s.taken {
		values = append(values, message[field])
	}
	return values
}

// deafPort accepts connections and says nothing.
func deafPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// siteWith is the lab's site with channels of these bindings.
func siteWith(t *testing.T, channels string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Dir, "site.yaml"))
	require.NoError(t, err)
	site := filepath.Join(lab.Dir, "site-with-channels.yaml")
	rest, _, bound := strings.Cut(string(text), "\nchannels:")
	require.True(t, bound, "the lab's own channels are replaced")
	require.NoError(t, os.WriteFile(site, []byte(rest+"\nchannels:\n"+channels), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(lab.Dir, "routing-key"), []byte("0123456789abcdef0123456789abcdef\n"), 0o600))
	return site
}

// Every level is told at once, because users have been without service for longer than the objective allows. Some of the channels
// do not work, and the database comes back as if they did.
func TestNotifications_SomeChannelsBroken_NeverHoldUpTheRecoveryAndTheReportSaysWho(t *testing.T) {
	fresh(t)
	pager, chat := newSink(t), newSink(t, http.StatusInternalServerError)
	refusing := newSink(t, http.StatusBadRequest, http.StatusBadRequest, http.StatusBadRequest)
	busy := newSink(t, http.StatusTooManyRequests)
	site := siteWith(t, fmt.Sprintf(`  - {name: on-call-pager, pagerduty: {url: "%s", routingKeyFile: routing-key}}
  - {name: incident-chat, webhook: {url: "%s"}}
  - {name: development-lead-pager, pagerduty: {url: "%s", routingKeyFile: routing-key}}
  - {name: management-pager, pagerduty: {url: "%s", routingKeyFile: routing-key}}
  - {name: executives-mail, email: {host: 127.0.0.1, port: %d, security: none, from: fukkyu@example.com, to: [executives@example.com]}}
`, pager.URL, chat.URL, refusing.URL, busy.URL, deafPort(t)))
	staff(t, automatic(t), estate.Crew{Site: site})
	do(t, "break", "power-off", "primary")

	got := failOver(t, "--impact-started", "31m")

	require.Equal(t, report.RecoveredLate, got.Outcome, got.Summary)
	require.Less(t, got.Clocks.Recovered.Sub(got.Clocks.Executing), 5*time.Second, "nobody waits for a message")
	require.Equal(t, []any{"trigger", "resolve"}, pager.values("event_action"))
	keys := pager.values("dedup_key")
	require.Equal(t, keys[0], keys[1], "or the incident stays open")
	last := map[string]report.Notification{}
	for _, told := range got.Notifications {
		last[told.Channel] = told
		require.NotContains(t, fmt.Sprint(told), "0123456789abcdef", "a key is nobody's business")
	}
	require.Equal(t, report.Sent, last["incident-chat"].State, "what failed once is tried again")
	require.Equal(t, report.Sent, last["management-pager"].State, last["management-pager"].Why)
	require.Equal(t, report.Undelivered, last["development-lead-pager"].State)
	require.Contains(t, last["development-lead-pager"].Why, "400")
	require.Equal(t, report.Undelivered, last["executives-mail"].State)
}

func TestNotifications_Drill_PagesNobodyAndTheChatKnowsIt(t *testing.T) {
	fresh(t)
	pager, chat := newSink(t), newSink(t)
	site := siteWith(t, fmt.Sprintf(`  - {name: on-call-pager, pagerduty: {url: "%[1]s", routingKeyFile: routing-key}}
  - {name: development-lead-pager, pagerduty: {url: "%[1]s", routingKeyFile: routing-key}}
  - {name: management-pager, pagerduty: {url: "%[1]s", routingKeyFile: routing-key}}
  - {name: executives-mail, webhook: {url: "%[2]s"}}
  - {name: incident-chat, webhook: {url: "%[2]s"}}
`, pager.URL, chat.URL))
	staff(t, automatic(t), estate.Crew{Site: site})
	do(t, "break", "power-off", "primary")

	got := failOver(t, "--drill")

	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "drill", got.Mode)
	require.Empty(t, pager.values("event_action"))
	require.Equal(t, []any{true, true}, chat.values("drill"))
}
