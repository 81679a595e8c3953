package diagnose

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// mostAnswered is how much of an answer is read: a health page is short, and one that never ends must not fill the memory.
const mostAnswered = 64 << 10

// askEndpoints asks every health path of the region's services once, as their users do: from outside.
func (l *look) askEndpoints(ctx context.Context) {
	var tasks []func()
	for _, service := range l.plan.Services {
		if service.Region != l.region {
			continue
		}
		for _, path := range service.Health {
			l.Endpoints = append(l.Endpoints, diagnosis.Endpoint{Service: service.Name, Path: path})
			at, healthy := len(l.Endpoints)-1, service.Healthy
			tasks = append(tasks, func() { l.askEndpoint(ctx, &l.Endpoints[at], healthy) })
		}
	}
	together(tasks...)
}

func (l *look) askEndpoint(ctx context.Context, endpoint *diagnosis.Endpoint, healthy string) {
	base, found := l.activities.site.URL(endpoint.Service)
	if !found {
		endpoint.Said = "the site has no url for it"
		return
	}
	began := time.Now()
	said, err := bounded(ctx, probeTimeout, func(ctx context.Context) (page, error) {
		return get(ctx, strings.TrimSuffix(base, "/")+endpoint.Path)
	})
	endpoint.Took, endpoint.Status = time.Since(began), said.status
	switch {
	case err != nil:
		endpoint.Said = silence(err)
	case said.status < 200 || said.status > 299:
		endpoint.Said = brief(fmt.Sprintf("answers %d: %s", said.status, said.text))
	case !strings.Contains(said.text, healthy):
		endpoint.Said = brief(fmt.Sprintf("answers %d, but without %q: %s", said.status, healthy, said.text))
	default:
		endpoint.OK = true
	}
}

// page is what an HTTP server answered.
type page struct {
	status int
	text   string
}

// get asks on a connection of its own: a kept one may lead to a server that is gone, which a new user would not meet.
func get(ctx context.Context, address string) (page, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return page{}, err
	}
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return page{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswered))
	return page{status: response.StatusCode, text: strings.TrimSpace(string(text))}, err
}

// silence is why nobody answered, and reason the same without saying that nobody did.
func silence(err error) string {
	if isSilence(err) {
		return fmt.Sprintf("does not answer within %s", probeTimeout)
	}
	return "does not answer: " + brief(err.Error())
}

func reason(err error) string {
	if isSilence(err) {
		return fmt.Sprintf("nothing heard within %s", probeTimeout)
	}
	return brief(err.Error())
}

// askDependencies asks what the estate needs of others.
func (l *look) askDependencies(ctx context.Context) {
	var tasks []func()
	l.Dependencies = make([]diagnosis.Dependency, len(l.activities.site.Dependencies))
	for i, dependency := range l.activities.site.Dependencies {
		tasks = append(tasks, func() { l.Dependencies[i] = askDependency(ctx, dependency) })
	}
	together(tasks...)
}

func askDependency(ctx context.Context, dependency plan.SiteDependency) diagnosis.Dependency {
	way, question := wayTo(dependency)
	began := time.Now()
	_, err := bounded(ctx, probeTimeout, question)
	asked := diagnosis.Dependency{Name: dependency.Name, Way: way, OK: err == nil, Took: time.Since(began)}
	if err != nil {
		asked.Said = silence(err)
	}
	return asked
}

// wayTo is how a dependency is asked, in words without secrets and as a question.
func wayTo(dependency plan.SiteDependency) (string, func(context.Context) (struct{}, error)) {
	switch {
	case dependency.TCP != "":
		return "tcp " + dependency.TCP, func(ctx context.Context) (struct{}, error) {
			var dialer net.Dialer
			connection, err := dialer.DialContext(ctx, "tcp", dependency.TCP)
			if err == nil {
				connection.Close()
			}
			return struct{}{}, err
		}
	case dependency.DNS != "":
		return "dns " + dependency.DNS, func(ctx context.Context) (struct{}, error) {
			_, err := net.DefaultResolver.LookupHost(ctx, dependency.DNS)
			return struct{}{}, err
		}
	default:
		return redacted(dependency.URL), func(ctx context.Context) (struct{}, error) {
			said, err := get(ctx, dependency.URL)
			if err == nil && said.status >= http.StatusInternalServerError {
				err = fmt.Errorf("it answers %d: %s", said.status, said.text)
			}
			return struct{}{}, err
		}
	}
}

// redacted is an address without what only those may know who ask it.
func redacted(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "its url"
	}
	parsed.RawQuery = ""
	return parsed.Redacted()
}
