package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// postOffice is a mail server that keeps what it takes.
type postOffice struct {
	refuse map[string]*smtp.SMTPError // by command, by "RCPT " and an address, or CONNECT
	ways   []string                   // of signing in

	guard   sync.Mutex
	letters []received
}

// received is a letter as a mail server has it.
type received struct {
	user, from string
	to         []string
	text       string
}

// visit is one session with a post office.
type visit struct {
	office *postOffice
	letter received
}

func (o *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &visit{office: o}, o.answer("CONNECT")
}

func (o *postOffice) answer(command string) error {
	if refusal := o.refuse[command]; refusal != nil {
		return refusal
	}
	return nil
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

func (v *visit) AuthMechanisms() []string { return v.office.ways }

func (v *visit) Auth(way string) (sasl.Server, error) {
	check := func(_, user, password string) error {
		if user != "fukkyu" || password != secret {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not " + password}
		}
		v.letter.user = user
		return nil
	}
	if way == sasl.Plain {
		return sasl.NewPlainServer(check), nil
	}
	return &login{check: check}, nil
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	v.letter.from = from
	return v.office.answer("MAIL")
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := v.office.answer("RCPT " + to); err != nil {
		return err
	}
	v.letter.to = append(v.letter.to, to)
	return nil
}

func (v *visit) Data(reader io.Reader) error {
	text, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	if err := v.office.answer("DATA"); err != nil {
		return err
	}
	v.letter.text = string(text)
	v.office.guard.Lock()
	defer v.office.guard.Unlock()
	v.office.letters = append(v.office.letters, v.letter)
	return nil
}

// login is the server's side of AUTH LOGIN, which asks for the user and then for the password.
type login struct {
	check func(identity, user, password string) error
	given []string
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		l.given = append(l.given, string(response))
	}
	switch len(l.given) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.check("", l.given[0], l.given[1])
	}
}

// open serves a post office, secured as the site wants it, and returns the site's way to it.
func (o *postOffice) open(t *testing.T, security string) *plan.Email {
	t.Helper()
	site := &plan.Email{Security: security, From: "復旧 Fukkyu <fukkyu@example.com>", To: []string{"Aiko <aiko@example.com>", "ken@example.com"}}
	server := smtp.NewServer(o)
	server.Domain, server.ErrorLog = "localhost", quiet{}
	listener := listen(t, site)
	if security != plan.Unsecured {
		certificate, authority := certify(t)
		server.TLSConfig, site.CAFile = &tls.Config{Certificates: []tls.Certificate{certificate}}, file(t, authority)
	}
	if security == plan.TLS {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	if len(o.ways) > 0 {
		site.Username, site.PasswordFile = "fukkyu", file(t, secret)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		listener.Close() // should the server not have begun to serve it
		<-served
	})
	return site
}

// quiet is a log that nobody reads.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// listen opens a port for a mail server, and writes it into the site.
func listen(t *testing.T, site *plan.Email) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	site.Host = host
	site.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	return listener
}

// certify makes a certificate for 127.0.0.1 that is its own authority, and that authority as PEM.
func certify(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "post office"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, string(authority)
}
