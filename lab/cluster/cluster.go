// Package cluster asks a region's API server the few things the lab itself must know.
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// One question takes milliseconds; a server that needs longer is asked again. The interval is that of waiting.
const (
	answerWithin = 2 * time.Second
	askEvery     = 100 * time.Millisecond
)

// ErrNotFound means that the API server has no such object.
var ErrNotFound = errors.New("not found")

// Server is the API server of one region, asked as its administrator.
type Server struct {
	region topology.Region
	client *http.Client
}

// New reads the administrator's certificate. The server need not be up yet.
func New(folder topology.Folder, region topology.Region) (Server, error) {
	issued := folder.Authority(region.Name)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(issued, authority.Admin+".crt"), filepath.Join(issued, authority.Admin+".key"))
	if err != nil {
		return Server{}, fmt.Errorf("read the administrator's certificate of %s: %w", region.Name, err)
	}
	ca, err := os.ReadFile(filepath.Join(issued, authority.CA+".crt"))
	if err != nil {
		return Server{}, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return Server{region: region, client: &http.Client{
		Timeout:   answerWithin,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}, ForceAttemptHTTP2: true},
	}}, nil
}

// Get reads an object into result; the path is that of the API, such as /api/v1/nodes.
func (s Server) Get(ctx context.Context, path string, result any) error {
	data, err := s.raw(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("read %s of the API server of %s: %w", path, s.region.Name, err)
	}
	return nil
}

func (s Server) raw(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.region.Server()+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the API server of %s: %w", s.region.Name, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask the API server of %s for %s: %w", s.region.Name, path, err)
	case response.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("ask the API server of %s for %s: %w", s.region.Name, path, ErrNotFound)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("ask the API server of %s for %s: %s: %.200s", s.region.Name, path, response.Status, data)
	}
	return data, nil
}

// Ready waits until the API server says that it is ready.
func (s Server) Ready(ctx context.Context) error {
	return s.wait(ctx, func() error {
		_, err := s.raw(ctx, "/readyz")
		return err
	})
}

// wait asks again and again, and fails with the last answer when the time is up.
func (s Server) wait(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for the API server of %s: %w", s.region.Name, ctx.Err()), err)
		case <-time.After(askEvery):
		}
	}
}

// Nodes says of every node the API server knows whether it is Ready.
func (s Server) Nodes(ctx context.Context) (map[string]bool, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Status struct {
				Conditions []struct {
					Type   string `json:"type"`
					Status string `json:"status"`
				} `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := s.Get(ctx, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	ready := map[string]bool{}
	for _, node := range list.Items {
		ready[node.Metadata.Name] = false
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" {
				ready[node.Metadata.Name] = condition.Status == "True"
			}
		}
	}
	return ready, nil
}

// NodesReady waits until every node of the region is Ready. For a while after a power cut the API server goes on calling
// a node Ready, so a node counts only when it was heard of since it was started.
func (s Server) NodesReady(ctx context.Context, started func(node topology.Node) time.Time) error {
	return s.wait(ctx, func() error {
		ready, err := s.Nodes(ctx)
		if err != nil {
			return err
		}
		heard, err := s.heard(ctx)
		if err != nil {
			return err
		}
		for _, node := range s.region.Nodes {
			if !ready[node.Name] || heard[node.Name].Before(started(node)) {
				return fmt.Errorf("node %s is not Ready", node.Name)
			}
		}
		return nil
	})
}

// heard says when each node last renewed its lease.
func (s Server) heard(ctx context.Context) (map[string]time.Time, error) {
	var leases struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				RenewTime time.Time `json:"renewTime"`
			} `json:"spec"`
		} `json:"items"`
	}
	if err := s.Get(ctx, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", &leases); err != nil {
		return nil, err
	}
	heard := map[string]time.Time{}
	for _, lease := range leases.Items {
		heard[lease.Metadata.Name] = lease.Spec.RenewTime
	}
	return heard, nil
}
