// Package application looks at the services as their users do: from outside, over HTTP.
package application

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// tryTimeout bounds one request. A service that needs longer is not well.
const tryTimeout = time.Second

// URLs finds where a service of the plan answers at this site.
type URLs interface {
	URL(service string) (string, bool)
}

// Activities speak to services.
type Activities struct {
	urls   URLs
	client *http.Client
}

// New returns activities that find services through urls.
func New(urls URLs) *Activities {
	// Every request has a connection of its own: a kept one may lead to a server that is gone, which a new user would not meet.
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	return &Activities{urls: urls, client: &http.Client{Transport: transport, Timeout: tryTimeout}}
}

// request sends one request and returns the status code; an answer outside 2xx is an error that quotes it.
func (a *Activities) request(ctx context.Context, method, url, body string) (int, error) {
	status, _, err := a.answer(ctx, method, url, body)
	return status, err
}

// answer is request with the beginning of what was answered.
func (a *Activities) answer(ctx context.Context, method, url, body string) (status int, said string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return response.StatusCode, "", err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return response.StatusCode, string(text), fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return response.StatusCode, string(text), nil
}
