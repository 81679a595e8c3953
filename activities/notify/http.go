package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

const (
	// readLimit bounds, in bytes, what is read of an answer.
	readLimit = 64 << 10
	// longestDelay bounds a wait that the other side asks for. A message that comes later is of no use in a disaster.
	longestDelay = 5 * time.Minute
)

// newClient returns a client that finds proxies by the environment, follows no redirect, which would carry a message and its
// secrets elsewhere, and keeps no connection, of which it could not know whether it is still good.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post is one request with a JSON document.
type post struct {
	channel string // the plan's name of it, for errors
	field   string // of the site that names the URL, for errors
	url     string
	body    []byte
	headers map[string]string
	secrets secrets
}

// do sends the document. Every answer with 2xx is good.
func (p post) do(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return failure.Permanent(failure.Unexpected, "tell %s: what %s in the site names is no URL", p.channel, p.field)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "fukkyu")
	for name, value := range p.headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return failure.Transient(failure.Unreachable, "tell %s: %s does not answer: %s", p.channel, request.URL.Host, p.secrets.said(cause(err)))
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, readLimit))
	switch {
	case response.StatusCode/100 == 2:
		return nil // the message is taken, even if the end of the answer is lost
	case err != nil:
		return failure.Transient(failure.Unreachable, "tell %s: the answer %d of %s ends early: %s", p.channel, response.StatusCode, request.URL.Host, p.secrets.said(cause(err)))
	}
	return p.refused(response, string(said))
}

// cause is an error without the URL that net/http puts around it, which may be a secret.
func cause(err error) string {
	var around *url.Error
	if errors.As(err, &around) {
		err = around.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return "no answer in time"
	}
	return err.Error()
}

// refused tells answers that trying again does not mend from those that it may.
func (p post) refused(response *http.Response, said string) error {
	answer := fmt.Sprintf("tell %s: %s answers %d %s", p.channel, response.Request.URL.Host, response.StatusCode, http.StatusText(response.StatusCode))
	if said = p.secrets.said(said); said != "" {
		answer += ": " + said
	}
	switch status := response.StatusCode; {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		if delay := retryAfter(response.Header.Get("Retry-After"), time.Now()); delay > 0 {
			return failure.Later(failure.Unreachable, delay, "%s (again in %s)", answer, delay.Round(time.Second))
		}
		return failure.Transient(failure.Unreachable, "%s", answer)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return failure.Permanent(failure.Forbidden, "%s; see the channel's secrets in the site", answer)
	case status == http.StatusNotFound, status == http.StatusGone:
		return failure.Permanent(failure.NotFound, "%s; see %s in the site", answer, p.field)
	case status/100 == 3:
		return failure.Permanent(failure.Rejected, "%s; redirects are not followed: give %s in the site the address behind it", answer, p.field)
	default:
		return failure.Permanent(failure.Rejected, "%s", answer)
	}
}

// retryAfter reads the header of that name (RFC 9110): seconds, or a moment. 0: it says nothing that can be used.
func retryAfter(header string, now time.Time) time.Duration {
	delay := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		delay = time.Duration(seconds) * time.Second
	} else if moment, err := http.ParseTime(header); err == nil {
		delay = moment.Sub(now)
	}
	return min(max(delay, 0), longestDelay)
}

// encode writes a document as JSON, with < and > as they are.
func encode(document any) []byte {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		panic(fmt.Sprintf("a message is plain data: %s", err)) // a time beyond the year 9999
	}
	return bytes.TrimSpace(written.Bytes())
}
