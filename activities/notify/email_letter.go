package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// letter is a message as mail.
type letter struct {
	id   string   // its Message-ID, the same in every attempt
	from string   // address, without a name
	to   []string // addresses, without names
	text []byte   // RFC 5322
}

// write makes a message mail. Messages about one incident refer to it, so that readers show them together.
func write(site plan.Email, m Message) (letter, error) {
	written := mail.NewMsg(mail.WithEncoding(mail.EncodingQP), mail.WithNoDefaultUserAgent())
	if err := written.From(site.From); err != nil {
		return letter{}, fmt.Errorf("email.from in the site is no address: %w", err)
	}
	if err := written.To(site.To...); err != nil {
		return letter{}, fmt.Errorf("email.to in the site holds what is no address: %w", err)
	}
	l := letter{from: addressOf(site.From)}
	for _, to := range site.To {
		l.to = append(l.to, addressOf(to))
	}
	_, domain, _ := strings.Cut(l.from, "@")
	l.id = m.fingerprint() + "@" + domain
	written.SetMessageIDWithValue(l.id)
	incident := sha256.Sum256([]byte(m.Incident))
	written.SetGenHeader(mail.HeaderReferences, "<"+hex.EncodeToString(incident[:])+"@"+domain+">")
	written.SetGenHeader("Auto-Submitted", "auto-generated") // so that nobody's absence answers (RFC 3834)
	if !m.At.IsZero() {
		written.SetDateWithValue(m.At.UTC())
	}
	written.Subject(m.title())
	written.SetBodyString(mail.TypeTextPlain, letterText(m))
	var text bytes.Buffer
	if _, err := written.WriteTo(&text); err != nil {
		return letter{}, err
	}
	l.text = text.Bytes()
	return l, nil
}

// addressOf is an address without a name. What is none, go-mail has reported already.
func addressOf(text string) string {
	parsed, err := netmail.ParseAddress(text)
	if err != nil {
		return ""
	}
	return parsed.Address
}

// letterText is the body: the title, the facts, the commands to copy.
func letterText(m Message) string {
	var text strings.Builder
	if m.Drill {
		text.WriteString("This is a drill. / これは訓練です。\n\n")
	}
	text.WriteString(m.title() + "\n\n")
	for _, fact := range m.facts() {
		text.WriteString(oneLine(fact.Name+": "+fact.Value) + "\n")
	}
	if len(m.Commands) > 0 {
		text.WriteString("\nWhat can be typed now:\n\n")
		for _, command := range m.Commands {
			text.WriteString("    " + oneLine(command) + "\n")
		}
	}
	return text.String()
}
