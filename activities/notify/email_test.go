package notify_test

import (
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// opened is a letter as its reader sees it.
func opened(t *testing.T, letter received) (header mail.Header, subject, body string) {
	t.Helper()
	for _, line := range strings.Split(letter.text, "\r\n") {
		require.LessOrEqual(t, len(line), 998, "RFC 5322 allows no longer line")
		require.NotContains(t, line, "\n")
	}
	read, err := mail.ReadMessage(strings.NewReader(letter.text))
	require.NoError(t, err)
	subject, err = (&mime.WordDecoder{}).DecodeHeader(read.Header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, "quoted-printable", read.Header.Get("Content-Transfer-Encoding"))
	text, err := io.ReadAll(quotedprintable.NewReader(read.Body))
	require.NoError(t, err)
	return read.Header, subject, strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestEmail_AMessage_IsMailThatPeopleCanRead(t *testing.T) {
	office := &postOffice{}
	activities := bind(t, plan.SiteChannel{Email: office.open(t, plan.Unsecured)}, notify.Patience)
	sent, err := activities.Send(t.Context(), message())
	require.NoError(t, err)
	letter := office.letters[0]
	require.Equal(t, "fukkyu@example.com", letter.from)
	require.Equal(t, []string{"aiko@example.com", "ken@example.com"}, letter.to)
	header, subject, body := opened(t, letter)
	require.Equal(t, "[L2] データベース shodo の切替 is at 50% of its RTO", subject)
	require.Equal(t, `[L2] データベース shodo の切替 is at 50% of its RTO

target: shodo
deadline: 2026-11-23T20:30:00Z
severity: critical
at: 2026-11-23 20:15:00 UTC
incident: database-failover/shodo/shodo/0197-run

What can be typed now:

    fukkyu approve --question 1 --by NAME
`, body)
	from, err := header.AddressList("From")
	require.NoError(t, err)
	require.Equal(t, "復旧 Fukkyu", from[0].Name)
	require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
	date, err := header.Date()
	require.NoError(t, err)
	require.True(t, date.Equal(message().At))
	require.Equal(t, "email", sent.Kind)
	require.Equal(t, "aiko@example.com, ken@example.com", sent.To)
	require.Equal(t, header.Get("Message-ID"), sent.Reference)
}

func TestEmail_SentTwice_HasTheSameMessageID(t *testing.T) {
	office := &postOffice{}
	activities := bind(t, plan.SiteChannel{Email: office.open(t, plan.Unsecured)}, notify.Patience)
	resolved := message()
	resolved.Event = notify.Resolve
	for _, next := range []notify.Message{message(), message(), resolved} {
		_, err := activities.Send(t.Context(), next)
		require.NoError(t, err)
	}
	var headers []mail.Header
	for _, letter := range office.letters {
		header, _, _ := opened(t, letter)
		headers = append(headers, header)
	}
	require.Equal(t, headers[0].Get("Message-ID"), headers[1].Get("Message-ID"))
	require.NotEqual(t, headers[0].Get("Message-ID"), headers[2].Get("Message-ID"))
	require.Equal(t, headers[0].Get("References"), headers[2].Get("References"))
}

func TestEmail_ASummaryWithHeaders_AddsNone(t *testing.T) {
	office := &postOffice{}
	nasty := message()
	nasty.Drill = true
	nasty.Summary = "<script>alert(1)</script>\r\nBcc: mallory@example.com\r\n\r\n.\r\nQUIT\r\n" + strings.Repeat("復旧", 300)
	nasty.Details = []notify.Detail{{Name: "a\r\n.\r\nMAIL FROM:<mallory@example.com>", Value: "b\x00c"}}
	_, err := bind(t, plan.SiteChannel{Email: office.open(t, plan.Unsecured)}, notify.Patience).Send(t.Context(), nasty)
	require.NoError(t, err)
	require.Len(t, office.letters, 1)
	header, subject, body := opened(t, office.letters[0])
	require.Empty(t, header.Get("Bcc"))
	require.Equal(t, "[DRILL/訓練] [L2] <script>alert(1)</script> Bcc: mallory@example.com . QUIT "+strings.Repeat("復旧", 300), subject)
	require.True(t, strings.HasPrefix(body, "This is a drill. / これは訓練です。\n\n[DRILL/訓練] "), body)
	require.Contains(t, body, "\na . MAIL FROM:<mallory@example.com>: b c\n")
}

func TestEmail_ASecuredServer_IsGivenTheNameAndThePassword(t *testing.T) {
	for _, security := range []string{plan.StartTLS, plan.TLS} {
		for _, way := range []string{"PLAIN", "LOGIN"} {
			t.Run(security+" "+way, func(t *testing.T) {
				office := &postOffice{ways: []string{way}}
				sent, err := bind(t, plan.SiteChannel{Email: office.open(t, security)}, notify.Patience).Send(t.Context(), message())
				require.NoError(t, err)
				require.Equal(t, "fukkyu", office.letters[0].user)
				require.NotContains(t, fmt.Sprint(sent)+office.letters[0].text, secret)
			})
		}
	}
}

func TestEmail_ACertificateOfAnotherAuthority_IsNotTrusted(t *testing.T) {
	for _, security := range []string{plan.StartTLS, plan.TLS} {
		office := &postOffice{ways: []string{"PLAIN"}}
		site := office.open(t, security)
		site.CAFile = ""
		_, err := bind(t, plan.SiteChannel{Email: site}, notify.Patience).Send(t.Context(), message())
		require.False(t, failed(t, err).NonRetryable())
		require.ErrorContains(t, err, "certificate")
		require.Empty(t, office.letters)
	}
}

func TestEmail_AServerThatOffersLessThanTheSiteWants_GetsNothing(t *testing.T) {
	cases := map[string]struct {
		office *postOffice
		spoil  func(*plan.Email)
		says   string
	}{
		"no STARTTLS":                {&postOffice{}, func(site *plan.Email) { site.Security = plan.StartTLS }, "offers no STARTTLS; see email.security in the site"},
		"no STARTTLS, by default":    {&postOffice{}, func(site *plan.Email) { site.Security = "" }, "offers no STARTTLS"},
		"no TLS for a password":      {&postOffice{ways: []string{"PLAIN"}}, func(*plan.Email) {}, "a password is not sent over a connection that anybody can read"},
		"no address to send from":    {&postOffice{}, func(site *plan.Email) { site.From = "nobody" }, "email.from in the site is no address"},
		"a reader without address":   {&postOffice{}, func(site *plan.Email) { site.To = []string{"a@b\r\nc"} }, "email.to in the site holds what is no address"},
		"no authority in its file":   {&postOffice{}, func(site *plan.Email) { site.CAFile = file(t, "none") }, "holds no certificate"},
		"no way of signing in":       {&postOffice{}, func(site *plan.Email) { site.Security, site.Username = "", "fukkyu" }, "email.passwordFile"},
		"a password file that hides": {&postOffice{}, func(site *plan.Email) { site.Username, site.PasswordFile = "fukkyu", secret }, "email.passwordFile"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			site := c.office.open(t, plan.Unsecured)
			c.spoil(site)
			_, err := bind(t, plan.SiteChannel{Email: site}, notify.Patience).Send(t.Context(), message())
			require.True(t, failed(t, err).NonRetryable())
			require.ErrorContains(t, err, c.says)
			require.Empty(t, c.office.letters)
		})
	}
}

func TestEmail_AServerThatRefuses_IsAskedAgainOnlyWhereThatMayHelp(t *testing.T) {
	refusal := func(code int) *smtp.SMTPError {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: "no, " + secret + strings.Repeat(" no", 500)}
	}
	cases := map[string]struct {
		refuse    map[string]*smtp.SMTPError
		kind      string
		permanent bool
	}{
		"everybody, for now":          {map[string]*smtp.SMTPError{"CONNECT": refusal(421)}, failure.Unreachable, false},
		"everybody":                   {map[string]*smtp.SMTPError{"CONNECT": refusal(554)}, failure.Rejected, true},
		"the sender":                  {map[string]*smtp.SMTPError{"MAIL": refusal(550)}, failure.Rejected, true},
		"whom it does not know":       {map[string]*smtp.SMTPError{"MAIL": refusal(530)}, failure.Forbidden, true},
		"all readers":                 {map[string]*smtp.SMTPError{"RCPT aiko@example.com": refusal(550), "RCPT ken@example.com": refusal(551)}, failure.Rejected, true},
		"all readers, one for now":    {map[string]*smtp.SMTPError{"RCPT aiko@example.com": refusal(450), "RCPT ken@example.com": refusal(550)}, failure.Unreachable, false},
		"the mail, for want of space": {map[string]*smtp.SMTPError{"DATA": refusal(452)}, failure.Unreachable, false},
		"the mail, for what is in it": {map[string]*smtp.SMTPError{"DATA": refusal(554)}, failure.Rejected, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			office := &postOffice{refuse: c.refuse, ways: []string{"PLAIN"}}
			_, err := bind(t, plan.SiteChannel{Email: office.open(t, plan.TLS)}, notify.Patience).Send(t.Context(), message())
			said := failed(t, err)
			require.Equal(t, c.kind, said.Type(), err)
			require.Equal(t, c.permanent, said.NonRetryable())
			require.ErrorContains(t, err, "no, (secret)")
		})
	}
}

func TestEmail_AWrongPassword_IsForbidden(t *testing.T) {
	for _, way := range []string{"PLAIN", "LOGIN"} {
		office := &postOffice{ways: []string{way}}
		site := office.open(t, plan.StartTLS)
		site.PasswordFile = file(t, "another "+secret)
		_, err := bind(t, plan.SiteChannel{Email: site}, notify.Patience).Send(t.Context(), message())
		said := failed(t, err)
		require.Equal(t, failure.Forbidden, said.Type())
		require.True(t, said.NonRetryable())
		require.ErrorContains(t, err, "see email.username and email.passwordFile in the site")
	}
}

func TestEmail_OneReaderWhomTheServerRefuses_KeepsTheMailFromNobodyElse(t *testing.T) {
	office := &postOffice{refuse: map[string]*smtp.SMTPError{"RCPT aiko@example.com": {Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "left the company"}}}
	sent, err := bind(t, plan.SiteChannel{Email: office.open(t, plan.Unsecured)}, notify.Patience).Send(t.Context(), message())
	require.NoError(t, err)
	require.Equal(t, []string{"ken@example.com"}, office.letters[0].to)
	require.True(t, strings.HasPrefix(sent.To, "ken@example.com; refused: aiko@example.com (550 "), sent.To)
	require.Contains(t, sent.To, "left the company")
}

func TestEmail_NobodyListens_MayBeTriedAgain(t *testing.T) {
	site := &plan.Email{Security: plan.Unsecured, From: "a@example.com", To: []string{"b@example.com"}}
	listen(t, site).Close()
	_, err := bind(t, plan.SiteChannel{Email: site}, notify.Patience).Send(t.Context(), message())
	require.Equal(t, failure.Unreachable, failed(t, err).Type())
	require.False(t, failed(t, err).NonRetryable())
	require.ErrorContains(t, err, "connection refused")
}

func TestEmail_AServerThatDoesNotSpeakAsItShould_EndsWithThePatienceOfOneAttempt(t *testing.T) {
	slowly := func(connection net.Conn, ended <-chan struct{}) {
		ticker := time.NewTicker(patience / 10)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				_, _ = io.WriteString(connection, "2")
			}
		}
	}
	cases := map[string]struct {
		serve func(connection net.Conn, ended <-chan struct{})
		says  string
	}{
		"it hangs":                    {func(_ net.Conn, ended <-chan struct{}) { <-ended }, "no answer in time"},
		"it speaks a byte at a time":  {slowly, "greet the mail server"},
		"it greets, and then hangs":   {func(c net.Conn, ended <-chan struct{}) { _, _ = io.WriteString(c, "220 hello\r\n"); <-ended }, "no answer in time"},
		"it greets, and then is slow": {func(c net.Conn, ended <-chan struct{}) { _, _ = io.WriteString(c, "220 hello\r\n"); slowly(c, ended) }, "no answer in time"},
		"it hangs up":                 {func(net.Conn, <-chan struct{}) {}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, security := range []string{plan.Unsecured, plan.StartTLS} {
				site := &plan.Email{Security: security, From: "a@example.com", To: []string{"b@example.com"}}
				serveConnections(t, listen(t, site), c.serve)
				began := time.Now()
				_, err := bind(t, plan.SiteChannel{Email: site}, patience).Send(t.Context(), message())
				said := failed(t, err)
				require.Equal(t, failure.Unreachable, said.Type())
				require.False(t, said.NonRetryable())
				require.ErrorContains(t, err, c.says)
				require.Less(t, time.Since(began), 5*time.Second)
			}
		})
	}
}

func TestEmail_AServerThatNeverStopsItsGreeting_IsNotHeardToTheEnd(t *testing.T) {
	site := &plan.Email{Security: plan.Unsecured, From: "a@example.com", To: []string{"b@example.com"}}
	serveConnections(t, listen(t, site), func(connection net.Conn, _ <-chan struct{}) {
		for {
			if _, err := io.WriteString(connection, strings.Repeat("220-hello\r\n", 1000)); err != nil {
				return
			}
		}
	})
	_, err := bind(t, plan.SiteChannel{Email: site}, notify.Patience).Send(t.Context(), message())
	require.False(t, failed(t, err).NonRetryable())
	require.ErrorContains(t, err, "it says too much")
}

// serveConnections gives every connection to serve, until the test ends.
func serveConnections(t *testing.T, listener net.Listener, serve func(connection net.Conn, ended <-chan struct{})) {
	t.Helper()
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		listener.Close()
	})
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				serve(connection, ended)
			}()
		}
	}()
}
