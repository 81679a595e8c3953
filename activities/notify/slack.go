package notify

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// slackLineLimit is how many characters of one line are shown; Slack takes 40 000 in all.
const slackLineLimit = 1000

// slack writes to a channel of Slack by its incoming webhook, which is one request with text: a library would add nothing.
type slack struct {
	site   plan.Slack
	client *http.Client
}

// send posts a message. Slack's incoming webhooks know no key, so a message whose answer got lost may be seen twice.
func (s slack) send(ctx context.Context, m Message) (Sent, error) {
	address, err := readSecret(m.Channel, "slack.webhookURLFile", s.site.WebhookURLFile)
	if err != nil {
		return Sent{}, err
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return Sent{}, failure.Permanent(failure.NotFound, "tell %s: the file that slack.webhookURLFile in the site names holds no URL", m.Channel)
	}
	body := encode(struct {
		Text string `json:"text"`
	}{slackText(m)})
	request := post{channel: m.Channel, field: "slack.webhookURLFile", url: address, body: body, secrets: partsOf(parsed)}
	return Sent{Kind: "slack", To: parsed.Host}, request.do(ctx, s.client)
}

// partsOf are the parts of a secret URL that an answer may repeat, the longest first.
func partsOf(address *url.URL) secrets {
	parts := secrets{address.String(), address.RequestURI(), address.Path, strings.TrimPrefix(address.Path, "/")}
	for _, part := range strings.Split(address.Path, "/") {
		if len(part) >= len("T00000000") { // the team, the webhook and its token; not the word services before them
			parts = append(parts, part)
		}
	}
	return parts
}

// slackText is a message in Slack's own markup: the title, the facts, and the commands as a block to copy from.
func slackText(m Message) string {
	var text strings.Builder
	text.WriteString(slackLine(m.title()))
	for _, fact := range m.facts() {
		text.WriteString("\n• " + slackLine(fact.Name+": "+fact.Value))
	}
	if len(m.Commands) > 0 {
		text.WriteString("\n```")
		for _, command := range m.Commands {
			text.WriteString("\n" + strings.ReplaceAll(slackLine(command), "```", "'''"))
		}
		text.WriteString("\n```")
	}
	return text.String()
}

// slackEscapes are the three characters with which Slack's markup begins links, mentions and its own escapes.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackLine(text string) string {
	return slackEscapes.Replace(shorten(oneLine(text), slackLineLimit))
}
