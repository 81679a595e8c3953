package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// channels binds every channel of the reference plan, each kind at least once.
const channels = `channels:
  - name: on-call-pager
    pagerduty: {routingKeyFile: on-call-key}
  - name: development-lead-pager
    pagerduty: {routingKeyFile: lead-key, url: "http://10.0.0.1:8500/v2/enqueue", source: shodo}
  - name: management-pager
    webhook: {url: "https://pager.example.com/hook", secretFile: hook-secret, tokenFile: hook-token, headers: {X-Team: operations}}
  - name: incident-chat
    slack: {webhookURLFile: chat-url}
  - name: executives-mail
    email: {host: mail.example.com, port: 587, security: starttls, caFile: ca.pem, from: Fukkyu <fukkyu@example.com>, to: [aiko@example.com], username: fukkyu, passwordFile: mail-password}
`

func TestParseSite_Channels_AreHeldAgainstThePlan(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	_, err = plan.ParseSite("site.yaml", []byte(site+channels), pinned.Plan)
	require.NoError(t, err)
	cases := map[string]struct{ replace, with, says string }{
		"a channel that nobody notifies": {"name: on-call-pager", "name: on-call-phone", `channels[0].name: "on-call-phone" is unknown; valid are on-call-pager, incident-chat`},
		"a channel that is missing":      {"  - name: incident-chat\n    slack: {webhookURLFile: chat-url}\n", "", "channels: channel incident-chat of the plan is missing"},
		"a channel twice":                {"name: incident-chat", "name: on-call-pager", `channels[3].name: "on-call-pager" is there twice`},
		"a channel of no kind":           {"    slack: {webhookURLFile: chat-url}\n", "", "channels[3]: bound to nothing: give it one of pagerduty, slack, email, webhook"},
		"a channel of two kinds":         {"    slack: {", "    pagerduty: {routingKeyFile: key}\n    slack: {", "channels[3]: bound to pagerduty and slack; a channel is one of them"},
		"a kind that is unknown":         {"    slack: {", "    telex: {", "channels[3].telex: unknown field; the fields here are name, pagerduty, slack, email, webhook"},
		"no key":                         {"{routingKeyFile: on-call-key}", "{source: shodo}", "channels[0].pagerduty.routingKeyFile: missing"},
		"a URL that is none":             {`"http://10.0.0.1:8500/v2/enqueue"`, "pager", "channels[1].pagerduty.url: \"pager\" is no URL"},
		"an empty URL":                   {`"http://10.0.0.1:8500/v2/enqueue"`, `""`, "channels[1].pagerduty.url: \"\" is no URL"},
		"no URL of a webhook":            {`url: "https://pager.example.com/hook", `, "", "channels[2].webhook.url: \"\" is no URL"},
		"a reference that is empty":      {"secretFile: hook-secret", "secretFile: ''", "channels[2].webhook.secretFile: missing"},
		"a header that is none":          {"X-Team:", `"X Team":`, `channels[2].webhook.headers.X Team: "X Team" is no name of a header`},
		"a header that ends":             {"X-Team: operations", `X-Team: "a\r\nb"`, "a header is one line of ASCII"},
		"a header of our own":            {"X-Team:", "idempotency-key:", "every message has this header by itself"},
		"no host":                        {"host: mail.example.com, ", "", "channels[4].email.host: missing"},
		"no port":                        {"port: 587, ", "", "channels[4].email.port: 0 is no port"},
		"a security of its own":          {"security: starttls", "security: ssl", `channels[4].email.security: "ssl" is unknown; valid are starttls, tls, none`},
		"nobody who sends":               {"from: Fukkyu <fukkyu@example.com>", "from: Fukkyu", `channels[4].email.from: "Fukkyu" is no address of mail`},
		"nobody who reads":               {"to: [aiko@example.com]", "to: []", "channels[4].email.to: missing: name at least one address"},
		"a header in an address":         {"to: [aiko@example.com]", `to: ["aiko@example.com\r\nBcc: m@example.com"]`, "channels[4].email.to[0]: "},
		"two readers in one":             {"to: [aiko@example.com]", `to: ["aiko@example.com, ken@example.com"]`, "channels[4].email.to[0]: "},
		"a password of nobody":           {"username: fukkyu, ", "", "channels[4].email.username: missing"},
		"a name without a password":      {", passwordFile: mail-password", "", "channels[4].email.passwordFile: missing"},
		"a password that all can read":   {"security: starttls", "security: none", "channels[4].email.username: a password is not sent over a connection that anybody can read"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, channels, c.replace)
			_, err := plan.ParseSite("site.yaml", []byte(site+strings.Replace(channels, c.replace, c.with, 1)), pinned.Plan)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestParseSite_ASecretInPlaceOfTheNameOfItsFile_IsRefusedAndNotRepeated(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	cases := map[string]struct{ replace, with, path string }{
		"the URL of a webhook of Slack": {"chat-url", `"https://hooks.slack.com/services/T0/B0/hidden"`, "channels[3].slack.webhookURLFile"},
		"a key of several lines":        {"on-call-key", `"begin\nhidden"`, "channels[0].pagerduty.routingKeyFile"},
		"a password in a URL":           {"https://pager.example.com", "https://fukkyu:hidden@pager.example.com", "channels[2].webhook.url"},
		"a token in a header":           {"X-Team: operations", "authorization: Bearer hidden", "channels[2].webhook.headers.authorization"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, channels, c.replace)
			_, err := plan.ParseSite("site.yaml", []byte(site+strings.Replace(channels, c.replace, c.with, 1)), pinned.Plan)
			require.ErrorContains(t, err, c.path+": ")
			require.NotContains(t, err.Error(), "hidden")
		})
	}
}

func TestParseSite_WithoutAnyChannel_IsValid(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	for _, none := range []string{"", "channels: []\n"} {
		_, err := plan.ParseSite("site.yaml", []byte(site+none), pinned.Plan)
		require.NoError(t, err)
	}
}

func TestLoadSite_SecretsOfChannels_AreInTheFolderOfTheSite(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "site.yaml"), []byte(site+channels), 0o600))
	found, err := plan.LoadSite(filepath.Join(folder, "site.yaml"), pinned.Plan)
	require.NoError(t, err)
	bound := map[string]plan.SiteChannel{}
	for _, channel := range found.Channels {
		bound[channel.Name] = channel
	}
	require.Equal(t, filepath.Join(folder, "on-call-key"), bound["on-call-pager"].PagerDuty.RoutingKeyFile)
	require.Equal(t, filepath.Join(folder, "chat-url"), bound["incident-chat"].Slack.WebhookURLFile)
	require.Equal(t, filepath.Join(folder, "mail-password"), bound["executives-mail"].Email.PasswordFile)
	require.Equal(t, filepath.Join(folder, "ca.pem"), bound["executives-mail"].Email.CAFile)
	require.Equal(t, filepath.Join(folder, "hook-secret"), bound["management-pager"].Webhook.SecretFile)
	require.Equal(t, filepath.Join(folder, "hook-token"), bound["management-pager"].Webhook.TokenFile)
}
