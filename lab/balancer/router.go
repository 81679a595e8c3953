package balancer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync/atomic"
)

// Router serves many services at one address, each below a path of its name. Unlike a Balancer it checks nothing while
// nobody asks: sixty services would keep a small machine busy with checks alone. It goes on to the next node instead when one does
// not take the connection.
type Router struct {
	Listen string
	Nodes  []string                         // addresses
	Port   func(service string) (int, bool) // of a service on every node
}

// Serve listens until ctx ends.
func (r Router) Serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", r.Listen)
	if err != nil {
		return fmt.Errorf("listen as the load balancer: %w", err)
	}
	server := &http.Server{Handler: r.Handler(), ReadHeaderTimeout: checkWithin}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve as the load balancer: %w", err)
	}
	return nil
}

// Handler leads /SERVICE/PATH to PATH of the service, on the nodes in turn.
func (r Router) Handler() http.Handler {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: r.dialer()}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		service, path, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
		port, known := r.Port(service)
		if !known {
			http.Error(w, "no such service: "+service, http.StatusNotFound)
			return
		}
		proxy := httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.URL.Path = "http", net.JoinHostPort(service, strconv.Itoa(port)), "/"+path
		}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}}
		proxy.ServeHTTP(w, request)
	})
}

// dialer connects to the port on the first node that takes the connection, beginning with another node at every turn.
func (r Router) dialer() func(context.Context, string, string) (net.Conn, error) {
	var turn atomic.Uint64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		service, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		dialer := net.Dialer{Timeout: dialWithin}
		start := turn.Add(1)
		for i := range uint64(len(r.Nodes)) {
			node := r.Nodes[(start+i)%uint64(len(r.Nodes))]
			var connection net.Conn
			if connection, err = dialer.DialContext(ctx, network, net.JoinHostPort(node, port)); err == nil {
				return connection, nil
			}
		}
		return nil, fmt.Errorf("%s answers on no node: %w", service, err)
	}
}
