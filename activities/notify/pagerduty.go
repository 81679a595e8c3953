package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// What PagerDuty's Events API v2 takes.
const (
	pagerDutyURL          = "https://events.pagerduty.com/v2/enqueue"
	pagerDutyKeyLimit     = 255  // characters of a dedup_key
	pagerDutySummaryLimit = 1024 // characters of a summary
)

// severities are those that PagerDuty knows.
var severities = []string{"critical", "error", "warning", "info"}

// pagerDuty pages those who are on call.
type pagerDuty struct {
	site   plan.PagerDuty
	client *http.Client
}

// pagerDutyEvent is the document of the Events API v2.
type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     Event             `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"` // of a trigger; the others only name the incident
}

type pagerDutyPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp,omitempty"` // RFC 3339
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

// send sends the event of an incident. Sent twice it changes nothing, because dedup_key names the incident. A drill pages nobody.
func (p pagerDuty) send(ctx context.Context, m Message) (Sent, error) {
	address := cmp.Or(p.site.URL, pagerDutyURL)
	sent := Sent{Kind: "pagerduty", To: host(address), Reference: dedupKey(m.Incident)}
	if m.Drill {
		sent.Withheld = "a drill never pages"
		return sent, nil
	}
	key, err := readSecret(m.Channel, "pagerduty.routingKeyFile", p.site.RoutingKeyFile)
	if err != nil {
		return Sent{}, err
	}
	event := pagerDutyEvent{RoutingKey: key, Action: m.Event, DedupKey: sent.Reference}
	if m.Event == Trigger {
		event.Client, event.Payload = "Fukkyu", p.payload(m)
	}
	request := post{channel: m.Channel, field: "pagerduty.url", url: address, body: encode(event), secrets: secrets{key}}
	return sent, request.do(ctx, p.client)
}

func (p pagerDuty) payload(m Message) *pagerDutyPayload {
	severity := m.Severity
	if !slices.Contains(severities, severity) {
		severity = "critical" // better too loud than refused
	}
	payload := &pagerDutyPayload{
		Summary:  cmp.Or(shorten(m.title(), pagerDutySummaryLimit), m.Incident),
		Source:   cmp.Or(p.site.Source, "fukkyu"),
		Severity: severity,
		Class:    m.Level,
		Details:  map[string]string{"incident": m.Incident},
	}
	if !m.At.IsZero() {
		payload.Timestamp = m.At.UTC().Format(time.RFC3339)
	}
	for i, command := range m.Commands {
		payload.Details[commandName(i)] = command
	}
	for _, detail := range m.Details {
		payload.Details[detail.Name] = detail.Value
	}
	return payload
}

// dedupKey is by what PagerDuty knows an incident: its name, or a digest of one that is too long.
func dedupKey(incident string) string {
	if len(incident) <= pagerDutyKeyLimit {
		return incident
	}
	digest := sha256.Sum256([]byte(incident))
	return "fukkyu-" + hex.EncodeToString(digest[:])
}

// host is all of a URL that is shown: the rest may be a secret.
func host(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Host
}

// commandName sorts the commands as they were given, because PagerDuty sorts details by their names.
func commandName(i int) string { return fmt.Sprintf("command %d", i+1) }
