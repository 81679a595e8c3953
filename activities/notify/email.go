package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// email sends mail by a server of the site.
type email struct{ site plan.Email }

// send hands a message to the mail server. Sent twice it has the same Message-ID, by which mailboxes know it. It is sent as
// soon as the server takes it for one of its readers; To says whom the server refuses.
func (e email) send(ctx context.Context, m Message) (Sent, error) {
	delivery, err := e.prepare(m)
	if err != nil {
		return Sent{}, err
	}
	connection, err := dial(ctx, net.JoinHostPort(e.site.Host, strconv.Itoa(e.site.Port)))
	if err != nil {
		return Sent{}, delivery.failed("reach the mail server", err)
	}
	defer connection.Close()
	session, err := delivery.open(connection)
	if err != nil {
		return Sent{}, err
	}
	taken, refused, err := delivery.deliver(session)
	if err != nil {
		return Sent{}, err
	}
	_ = session.Quit() // the server has the mail; a word of parting changes nothing
	to := strings.Join(taken, ", ")
	if len(refused) > 0 {
		to += "; refused: " + strings.Join(refused, ", ")
	}
	return Sent{Kind: "email", To: to, Reference: "<" + delivery.letter.id + ">"}, nil
}

// delivery is one attempt to hand a letter to a mail server.
type delivery struct {
	site     plan.Email
	channel  string // the plan's name of it, for errors
	letter   letter
	password string
	tls      *tls.Config
}

// prepare does all that needs no server.
func (e email) prepare(m Message) (delivery, error) {
	d := delivery{site: e.site, channel: m.Channel, tls: &tls.Config{ServerName: e.site.Host, MinVersion: tls.VersionTLS12}}
	var err error
	if d.letter, err = write(e.site, m); err != nil {
		return d, failure.Permanent(failure.Unexpected, "tell %s: %s", m.Channel, err)
	}
	if e.site.CAFile != "" {
		authorities, err := readSecret(m.Channel, "email.caFile", e.site.CAFile)
		if err != nil {
			return d, err
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM([]byte(authorities)) {
			return d, failure.Permanent(failure.NotFound, "tell %s: the file that email.caFile in the site names holds no certificate", m.Channel)
		}
	}
	if e.site.Username != "" {
		d.password, err = readSecret(m.Channel, "email.passwordFile", e.site.PasswordFile)
	}
	return d, err
}

// open greets the server, secures the connection as the site wants it, and says who we are.
func (d delivery) open(connection net.Conn) (*smtp.Client, error) {
	if d.site.Security == plan.TLS {
		connection = tls.Client(connection, d.tls)
	}
	session, err := smtp.NewClient(connection, d.site.Host)
	if err != nil {
		return nil, d.failed("greet the mail server", err)
	}
	session.SkipSMTPUTF8(true) // what we send is ASCII, and not every server behind this one takes anything else
	if err := session.Hello(ownName()); err != nil {
		return nil, d.failed("greet the mail server", err)
	}
	if d.site.Security == "" || d.site.Security == plan.StartTLS {
		if offered, _ := session.Extension("STARTTLS"); !offered {
			return nil, failure.Permanent(failure.Rejected, "tell %s: the mail server offers no STARTTLS; see email.security in the site", d.channel)
		}
		if err := session.StartTLS(d.tls); err != nil {
			return nil, d.failed("secure the connection to the mail server", err)
		}
	}
	return session, d.authenticate(session)
}

// authenticate gives the server our name and password, over TLS only, in one of the two ways that servers have.
func (d delivery) authenticate(session *smtp.Client) error {
	if d.site.Username == "" {
		return nil
	}
	var way smtp.Auth
	_, offered := session.Extension("AUTH")
	switch ways := strings.Fields(strings.ToUpper(offered)); {
	case d.site.Security == plan.Unsecured:
		return failure.Permanent(failure.Unexpected, "tell %s: a password is not sent over a connection that anybody can read; see email.security in the site", d.channel)
	case slices.Contains(ways, "PLAIN"):
		way = smtp.PlainAuth("", d.site.Username, d.password, d.site.Host, false)
	case slices.Contains(ways, "LOGIN"):
		way = smtp.LoginAuth(d.site.Username, d.password, d.site.Host, false)
	default:
		return failure.Permanent(failure.Rejected, "tell %s: the mail server takes a password neither by PLAIN nor by LOGIN", d.channel)
	}
	if err := session.Auth(way); err != nil {
		return d.failed("sign in to the mail server", err)
	}
	return nil
}

// deliver hands the letter over for all whom the server takes it for. It fails when that is nobody.
func (d delivery) deliver(session *smtp.Client) (taken, refused []string, err error) {
	if err := session.Mail(d.letter.from); err != nil {
		return nil, nil, d.failed("send as "+d.letter.from, err)
	}
	var last error
	for _, to := range d.letter.to {
		err := session.Rcpt(to)
		var answer *textproto.Error
		switch {
		case err == nil:
			taken = append(taken, to)
		case errors.As(err, &answer):
			refused, last = append(refused, fmt.Sprintf("%s (%s)", to, d.secrets().said(answer.Error()))), later(last, err)
		default:
			return nil, nil, d.failed("send to "+to, err)
		}
	}
	if len(taken) == 0 {
		return nil, nil, d.failed("send to "+strings.Join(d.letter.to, ", "), last)
	}
	return taken, refused, d.hand(session)
}

// hand sends the text of the letter.
func (d delivery) hand(session *smtp.Client) error {
	body, err := session.Data()
	if err != nil {
		return d.failed("hand the mail over", err)
	}
	if _, err := body.Write(d.letter.text); err != nil {
		return d.failed("hand the mail over", err)
	}
	if err := body.Close(); err != nil {
		return d.failed("hand the mail over", err)
	}
	return nil
}

// later prefers, of two refusals, one that may be gone at the next try.
func later(known, next error) error {
	if isLasting(next) && known != nil {
		return known
	}
	return next
}

// isLasting tells refusals that trying again does not mend (RFC 5321: 5yz) from all else.
func isLasting(err error) bool {
	var answer *textproto.Error
	return errors.As(err, &answer) && answer.Code >= 500
}

// failed is the error of an attempt, with what the server said.
func (d delivery) failed(doing string, err error) error {
	said := d.secrets().said(cause(err))
	var answer *textproto.Error
	switch {
	case !isLasting(err):
		return failure.Transient(failure.Unreachable, "tell %s: %s: %s", d.channel, doing, said)
	case errors.As(err, &answer) && (answer.Code == 530 || answer.Code == 534 || answer.Code == 535):
		return failure.Permanent(failure.Forbidden, "tell %s: %s: %s; see email.username and email.passwordFile in the site", d.channel, doing, said)
	default:
		return failure.Permanent(failure.Rejected, "tell %s: %s: %s", d.channel, doing, said)
	}
}

// secrets are the password, and how it is said to a server.
func (d delivery) secrets() secrets {
	if d.password == "" {
		return nil
	}
	said := base64.StdEncoding.EncodeToString([]byte("\x00" + d.site.Username + "\x00" + d.password))
	return secrets{said, base64.StdEncoding.EncodeToString([]byte(d.password)), d.password}
}

// ownName is what we call ourselves to a server.
func ownName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return oneLine(name)
}
