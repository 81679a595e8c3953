// Package notify tells people what a run does and needs, by the channels that the plan names and the site binds.
//
// A message that is sent twice does no harm: PagerDuty knows an incident by its key, a webhook a message by its idempotency
// key, mail by its Message-ID. Slack alone shows it twice.
package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Patience bounds one attempt to send a message. The next one may find a network that has recovered.
const Patience = 10 * time.Second

// Event is what becomes of an incident by a message, in PagerDuty's words.
type Event string

// The events.
const (
	Trigger     Event = "trigger"     // people are called, or called again
	Acknowledge Event = "acknowledge" // somebody is on it
	Resolve     Event = "resolve"     // it is over
)

// Message is what people are told.
type Message struct {
	Channel string `json:"channel"` // the plan's name of it
	Event   Event  `json:"event"`
	// Incident names what happened, the same in all messages about it: Temporal's workflow ID, "/" and run ID.
	Incident string    `json:"incident"`
	Severity string    `json:"severity"`        // critical, error, warning or info, as PagerDuty has them
	Level    string    `json:"level,omitempty"` // of the plan's ladder; empty when nothing was climbed
	Summary  string    `json:"summary"`         // one line
	Details  []Detail  `json:"details,omitempty"`
	Commands []string  `json:"commands,omitempty"` // what can be typed now
	Drill    bool      `json:"drill,omitempty"`
	At       time.Time `json:"at"` // when it became true
}

// Detail is one fact, for example the deadline.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Sent says what became of a message.
type Sent struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`                // pagerduty, slack, email or webhook
	To        string    `json:"to"`                  // host or addresses, and those refused; never a secret
	Reference string    `json:"reference,omitempty"` // by which the other side knows the message
	Withheld  string    `json:"withheld,omitempty"`  // why nothing was sent; empty: it was
}

// sender is one channel of the site.
type sender interface {
	// send makes one attempt. What it returns is safe to show: no secret is in it.
	send(ctx context.Context, m Message) (Sent, error)
}

// Activities send messages.
type Activities struct {
	senders  map[string]sender
	patience time.Duration
}

// New returns activities that send by the channels of a site, each attempt within patience. An error is a channel that is
// bound to nothing. Secrets are read when a message is sent, so that a new one counts at once.
func New(channels []plan.SiteChannel, patience time.Duration) (*Activities, error) {
	a := &Activities{senders: map[string]sender{}, patience: patience}
	client := newClient()
	for _, channel := range channels {
		switch {
		case channel.PagerDuty != nil:
			a.senders[channel.Name] = pagerDuty{site: *channel.PagerDuty, client: client}
		case channel.Slack != nil:
			a.senders[channel.Name] = slack{site: *channel.Slack, client: client}
		case channel.Email != nil:
			a.senders[channel.Name] = email{site: *channel.Email}
		case channel.Webhook != nil:
			a.senders[channel.Name] = webhook{site: *channel.Webhook, client: client}
		default:
			return nil, fmt.Errorf("channel %s of the site is bound to nothing", channel.Name)
		}
	}
	return a, nil
}

// Send makes one attempt to send a message. Sent twice it does no harm. That a drill pages nobody is a result. Errors are
// NotFound when the site binds no such channel or a secret is not there; Forbidden and Rejected with what the other side said,
// which trying again does not mend; Unreachable, which it may.
func (a *Activities) Send(ctx context.Context, m Message) (Sent, error) {
	channel, found := a.senders[m.Channel]
	if !found {
		return Sent{}, failure.Permanent(failure.NotFound, "tell %s: the site binds no such channel; add to its channels, for example: - {name: %s, pagerduty: {routingKeyFile: FILE}}", m.Channel, m.Channel)
	}
	if err := m.check(); err != nil {
		return Sent{}, failure.Permanent(failure.Unexpected, "tell %s: %s", m.Channel, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	sent, err := channel.send(ctx, m)
	if err != nil {
		return Sent{}, err
	}
	sent.At = time.Now().UTC()
	return sent, nil
}

// check finds what no channel could make sense of.
func (m Message) check() error {
	switch m.Event {
	case Trigger, Acknowledge, Resolve:
	default:
		return fmt.Errorf("%q is no event; valid are %s, %s, %s", m.Event, Trigger, Acknowledge, Resolve)
	}
	if m.Incident == "" {
		return fmt.Errorf("the message names no incident")
	}
	return nil
}

// fingerprint is the same for the same message and for no other.
func (m Message) fingerprint() string {
	written, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("a message is plain data: %s", err)) // a time beyond the year 9999
	}
	digest := sha256.Sum256(written)
	return hex.EncodeToString(digest[:])
}
