// Package metrics is the metrics API of a region's cluster, metrics.k8s.io/v1beta1: what nodes and pods use, in place of the real
// metrics-server.
//
// It measures nothing by itself and remembers nothing. Whoever asks gets what the kubelets say at that moment, so that it costs nothing
// while nobody asks. It runs in the first process of the control plane's machine and listens inside that machine only, for the API
// server, which has already checked who asks and whether they may.
package metrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	// kubeletWithin bounds one kubelet: below the two seconds that a diagnosis has for all of them, and far above what a busy one needs.
	kubeletWithin = time.Second
	// headerPatience bounds a caller that never ends its request.
	headerPatience = 5 * time.Second
	// window is what the kubelets' figures of CPU are averaged over.
	window = "10s"

	groupVersion = "metrics.k8s.io/v1beta1"
	root         = "/apis/" + groupVersion
)

// Server is the metrics API of one region.
type Server struct {
	// Kubelets are the URLs of the kubelets by the names of their nodes.
	Kubelets map[string]string
	// Client asks them.
	Client *http.Client

	listen string
	served *tls.Config
}

// New is the metrics API of the region, with the certificates that the region's authority issued.
func New(folder topology.Folder, region topology.Region) (*Server, error) {
	issued := folder.Authority(region.Name)
	ca, err := os.ReadFile(filepath.Join(issued, authority.CA+".crt"))
	if err != nil {
		return nil, fmt.Errorf("read the authority of %s: %w", region.Name, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	kubelets := &tls.Config{RootCAs: pool}
	served := &tls.Config{ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, VerifyConnection: onlyAggregator}
	for holder, config := range map[string]*tls.Config{authority.KubeletClient: kubelets, authority.Metrics: served} {
		certificate, err := tls.LoadX509KeyPair(filepath.Join(issued, holder+".crt"), filepath.Join(issued, holder+".key"))
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s of %s: %w", holder, region.Name, err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	server := &Server{
		Kubelets: map[string]string{},
		Client:   &http.Client{Timeout: kubeletWithin, Transport: &http.Transport{TLSClientConfig: kubelets}},
		listen:   fmt.Sprintf("127.0.0.1:%d", topology.MetricsPort), served: served,
	}
	for _, node := range region.Nodes {
		server.Kubelets[node.Name] = fmt.Sprintf("https://%s:%d", node.Address, topology.KubeletPort)
	}
	return server, nil
}

// onlyAggregator refuses all but the API server: this server itself checks nobody's permissions.
func onlyAggregator(state tls.ConnectionState) error {
	if name := state.PeerCertificates[0].Subject.CommonName; name != authority.Aggregator {
		return fmt.Errorf("%s may not ask the metrics API directly: ask the API server", name)
	}
	return nil
}

// Serve serves until the context ends.
func (s *Server) Serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("serve the metrics API at %s: %w", s.listen, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerPatience, TLSConfig: s.served}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nobody loses anything by it: figures are read, never written
	}()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the metrics API at %s: %w", s.listen, err)
	}
	return nil
}

// Handler routes the requests: the group's resources, and of each the list and the single object.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+root, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, resources) })
	mux.HandleFunc("GET "+root+"/nodes", s.list("NodeMetrics", s.nodes))
	mux.HandleFunc("GET "+root+"/nodes/{name}", s.single(s.nodes))
	mux.HandleFunc("GET "+root+"/pods", s.list("PodMetrics", s.pods))
	mux.HandleFunc("GET "+root+"/namespaces/{namespace}/pods", s.list("PodMetrics", s.pods))
	mux.HandleFunc("GET "+root+"/namespaces/{namespace}/pods/{name}", s.single(s.pods))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "NotFound", r.URL.Path+" is not served")
	})
	return mux
}

// find reads the objects of a request: all of them, or those of its namespace.
type find func(*http.Request) []object

// list serves objects in order of their names. A selector would need the objects' labels, which kubelets do not know: it is refused,
// because a list that ignored it would be wrong.
func (s *Server) list(kind string, find find) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, selector := range []string{"labelSelector", "fieldSelector"} {
			if r.URL.Query().Get(selector) != "" {
				refuse(w, http.StatusBadRequest, "BadRequest", "the metrics API of the lab takes no "+selector)
				return
			}
		}
		answer(w, http.StatusOK, map[string]any{"kind": kind + "List", "apiVersion": groupVersion, "metadata": map[string]any{}, "items": find(r)})
	}
}

func (s *Server) single(find find) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		all := find(r)
		at := slices.IndexFunc(all, func(o object) bool { return o.Metadata.Name == name })
		if at < 0 {
			refuse(w, http.StatusNotFound, "NotFound", "no figures of "+name)
			return
		}
		answer(w, http.StatusOK, all[at])
	}
}

func (s *Server) nodes(r *http.Request) []object {
	found := []object{}
	for _, summary := range s.ask(r.Context()) {
		if used, complete := summary.Node.used(); complete {
			found = append(found, object{Kind: "NodeMetrics", APIVersion: groupVersion, Metadata: metadata{Name: summary.Node.Name}, Timestamp: summary.Node.CPU.Time, Window: window, Usage: used})
		}
	}
	return sorted(found)
}

func (s *Server) pods(r *http.Request) []object {
	namespace := r.PathValue("namespace")
	found := []object{}
	for _, summary := range s.ask(r.Context()) {
		for _, pod := range summary.Pods {
			if namespace != "" && pod.Ref.Namespace != namespace {
				continue
			}
			if measured, complete := pod.object(); complete {
				found = append(found, measured)
			}
		}
	}
	return sorted(found)
}

func sorted(objects []object) []object {
	slices.SortFunc(objects, func(a, b object) int {
		return strings.Compare(a.Metadata.Namespace+"/"+a.Metadata.Name, b.Metadata.Namespace+"/"+b.Metadata.Name)
	})
	return objects
}

func refuse(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is told nothing
}
