package plan

import (
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// SiteChannel binds a channel that the plan notifies to something that reaches people: exactly one of its kinds.
type SiteChannel struct {
	Name      string     `yaml:"name" json:"name"` // a channel of the plan
	PagerDuty *PagerDuty `yaml:"pagerduty,omitempty" json:"pagerduty,omitempty"`
	Slack     *Slack     `yaml:"slack,omitempty" json:"slack,omitempty"`
	Email     *Email     `yaml:"email,omitempty" json:"email,omitempty"`
	Webhook   *Webhook   `yaml:"webhook,omitempty" json:"webhook,omitempty"`
}

// PagerDuty is an integration of a PagerDuty service by its Events API, version 2.
type PagerDuty struct {
	RoutingKeyFile string `yaml:"routingKeyFile" json:"routingKeyFile"` // relative to the site file
	// URL takes the events. Empty: PagerDuty's own.
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
	// Source is what PagerDuty shows as the affected system. Empty: fukkyu.
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
}

// Slack is an incoming webhook of a Slack channel. Its URL is a secret: whoever knows it can write to the channel.
type Slack struct {
	WebhookURLFile string `yaml:"webhookURLFile" json:"webhookURLFile"` // relative to the site file
}

// Email is a mail server that takes messages for people.
type Email struct {
	Host string `yaml:"host" json:"host"`
	Port int    `yaml:"port" json:"port"`
	// Security is starttls, tls or none. Empty: starttls, and never without it.
	Security string `yaml:"security,omitempty" json:"security,omitempty"`
	// CAFile holds, as PEM, the authorities that the server's certificate is held against. Empty: the system's. Relative to the
	// site file.
	CAFile       string   `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	From         string   `yaml:"from" json:"from"`
	To           []string `yaml:"to" json:"to"`
	Username     string   `yaml:"username,omitempty" json:"username,omitempty"`
	PasswordFile string   `yaml:"passwordFile,omitempty" json:"passwordFile,omitempty"` // relative to the site file
}

// How a connection to a mail server is secured.
const (
	StartTLS  = "starttls" // plain first, then TLS before anything is said; usual on port 587
	TLS       = "tls"      // TLS from the first byte; usual on port 465
	Unsecured = "none"     // for a relay on the same machine or network; no password is sent by it
)

// Webhook is anything that takes a message as JSON.
type Webhook struct {
	URL string `yaml:"url" json:"url"`
	// SecretFile holds the key of the signature. Empty: messages are not signed. Relative to the site file.
	SecretFile string `yaml:"secretFile,omitempty" json:"secretFile,omitempty"`
	// TokenFile holds a bearer token. Empty: none is sent. Relative to the site file.
	TokenFile string            `yaml:"tokenFile,omitempty" json:"tokenFile,omitempty"`
	Headers   map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"` // sent as they are; no secrets
}

// validateChannels holds the channels against those that the plan notifies. A site without any is valid: nobody is told.
func (s Site) validateChannels(c checker, p Plan) {
	seen := map[string]bool{}
	for i, channel := range s.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		c.oneOf(path+".name", channel.Name, p.Channels())
		c.unique(path+".name", channel.Name, seen)
		channel.validate(c, path)
	}
	if len(s.Channels) == 0 {
		return
	}
	for _, name := range p.Channels() {
		if !seen[name] {
			c.wrong("channels", "channel %s of the plan is missing", name)
		}
	}
}

// validate wants exactly one kind, and that one right.
func (s SiteChannel) validate(c checker, path string) {
	var kinds []string
	if s.PagerDuty != nil {
		kinds = append(kinds, "pagerduty")
		s.PagerDuty.validate(c, path+".pagerduty")
	}
	if s.Slack != nil {
		kinds = append(kinds, "slack")
		c.secretFile(path+".slack.webhookURLFile", s.Slack.WebhookURLFile)
	}
	if s.Email != nil {
		kinds = append(kinds, "email")
		s.Email.validate(c, path+".email")
	}
	if s.Webhook != nil {
		kinds = append(kinds, "webhook")
		s.Webhook.validate(c, path+".webhook")
	}
	switch len(kinds) {
	case 0:
		c.wrong(path, "bound to nothing: give it one of pagerduty, slack, email, webhook")
	case 1:
	default:
		c.wrong(path, "bound to %s; a channel is one of them", strings.Join(kinds, " and "))
	}
}

func (p PagerDuty) validate(c checker, path string) {
	c.secretFile(path+".routingKeyFile", p.RoutingKeyFile)
	if c.isSaid(path + ".url") {
		c.openURL(path+".url", p.URL)
	}
}

func (e Email) validate(c checker, path string) {
	c.required(path+".host", e.Host)
	if e.Port < 1 || e.Port > 65535 {
		c.wrong(path+".port", "%d is no port: 1 to 65535", e.Port)
	}
	if c.isSaid(path + ".security") {
		c.oneOf(path+".security", e.Security, []string{StartTLS, TLS, Unsecured})
	}
	c.address(path+".from", e.From)
	if len(e.To) == 0 {
		c.wrong(path+".to", "missing: name at least one address")
	}
	for i, to := range e.To {
		c.address(fmt.Sprintf("%s.to[%d]", path, i), to)
	}
	switch {
	case e.Username == "" && e.PasswordFile != "":
		c.wrong(path+".username", "missing: passwordFile is of no use without it")
	case e.Username != "" && e.PasswordFile == "":
		c.wrong(path+".passwordFile", "missing: username is of no use without it")
	case e.Username != "" && e.Security == Unsecured:
		c.wrong(path+".username", "a password is not sent over a connection that anybody can read: set security to %s or %s", StartTLS, TLS)
	case e.PasswordFile != "":
		c.secretFile(path+".passwordFile", e.PasswordFile)
	}
}

// forFiles are the headers whose values are secrets.
var forFiles = []string{"authorization", "proxy-authorization", "cookie", "x-api-key"}

// ofOurs are the headers that a message has by itself.
var ofOurs = []string{"content-type", "content-length", "host", "idempotency-key", "user-agent", "x-fukkyu-signature-256"}

// headerName is a token as HTTP (RFC 9110) takes it.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (w Webhook) validate(c checker, path string) {
	c.openURL(path+".url", w.URL)
	if c.isSaid(path + ".secretFile") {
		c.secretFile(path+".secretFile", w.SecretFile)
	}
	if c.isSaid(path + ".tokenFile") {
		c.secretFile(path+".tokenFile", w.TokenFile)
	}
	for name, value := range w.Headers {
		at := path + ".headers." + name
		switch {
		case !headerName.MatchString(name):
			c.wrong(at, "%q is no name of a header", name)
		case slices.Contains(forFiles, strings.ToLower(name)):
			c.wrong(at, "a secret does not belong in a site: put the token in a file, and name it in tokenFile")
		case slices.Contains(ofOurs, strings.ToLower(name)):
			c.wrong(at, "every message has this header by itself")
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
			c.wrong(at, "a header is one line of ASCII")
		}
	}
}

// resolve makes the file names of a channel absolute.
func (s SiteChannel) resolve(folder string) {
	if s.PagerDuty != nil {
		s.PagerDuty.RoutingKeyFile = under(folder, s.PagerDuty.RoutingKeyFile)
	}
	if s.Slack != nil {
		s.Slack.WebhookURLFile = under(folder, s.Slack.WebhookURLFile)
	}
	if s.Email != nil {
		s.Email.PasswordFile, s.Email.CAFile = under(folder, s.Email.PasswordFile), under(folder, s.Email.CAFile)
	}
	if s.Webhook != nil {
		s.Webhook.SecretFile, s.Webhook.TokenFile = under(folder, s.Webhook.SecretFile), under(folder, s.Webhook.TokenFile)
	}
}

// secretFile reports a reference that is missing, and a secret in place of one, without repeating it.
func (c checker) secretFile(path, file string) {
	c.required(path, file)
	if strings.Contains(file, "://") || strings.ContainsAny(file, "\r\n") {
		c.wrong(path, "the name of a file is wanted, which holds the secret; the secret itself does not belong here")
	}
}

// openURL reports a URL that is none, or that holds a password.
func (c checker) openURL(path, value string) {
	if parsed, err := url.Parse(value); err == nil && parsed.User != nil {
		c.wrong(path, "a secret does not belong in a site: the URL has a user before its host")
		return
	}
	c.url(path, value)
}

// address reports what is not one address of a mailbox, for example ops@example.com or Operations <ops@example.com>.
func (c checker) address(path, value string) {
	if _, err := mail.ParseAddress(value); err != nil {
		c.wrong(path, "%q is no address of mail: write for example ops@example.com", value)
	}
}
