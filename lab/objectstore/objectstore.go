// Package objectstore stands in for the object store that the estate keeps its application data in: something of others that the
// estate needs and no recovery mends. It keeps nothing; it only says at its health path that it is well, or is out of order in one of
// the ways in which such a thing is.
package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// HealthPath is where it says how it is.
const HealthPath = "/health"

const (
	// lookEvery is how soon a fault that is made or mended shows.
	lookEvery      = 100 * time.Millisecond
	headerPatience = 5 * time.Second
)

// Fault is a way to be out of order.
type Fault string

// The faults.
const (
	Refuse      Fault = "refuse" // nothing listens
	Hang        Fault = "hang"   // takes requests and answers none
	Unavailable Fault = "503"    // answers 503 Service Unavailable
)

// Faults are all of them.
func Faults() []Fault { return []Fault{Refuse, Hang, Unavailable} }

// Break puts the object store of the lab out of order, or out of order in another way.
func Break(folder topology.Folder, fault Fault) error {
	if !slices.Contains(Faults(), fault) {
		return fmt.Errorf("no such fault %q of a dependency: it can be %s, %s or %s", fault, Refuse, Hang, Unavailable)
	}
	return topology.WriteFile(folder.ObjectStoreFault(), []byte(fault), 0o644)
}

// Mend puts it in order. One that was in order stays so.
func Mend(folder topology.Folder) error {
	if err := os.Remove(folder.ObjectStoreFault()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mend the object store: %w", err)
	}
	return nil
}

// Broken is the fault that it has; empty: none.
func Broken(folder topology.Folder) Fault {
	text, err := os.ReadFile(folder.ObjectStoreFault())
	if err != nil {
		return ""
	}
	return Fault(strings.TrimSpace(string(text)))
}

// Service is the object store of a lab.
type Service struct {
	Address string
	Folder  topology.Folder
}

// New is the object store of the lab.
func New(folder topology.Folder, lab topology.Lab) Service {
	return Service{Address: fmt.Sprintf("%s:%d", lab.Host(), topology.ObjectStorePort), Folder: folder}
}

// Serve listens whenever its fault is not that nothing does, until the context ends.
func (s Service) Serve(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var listening *http.Server
	for {
		refuses := Broken(s.Folder) == Refuse
		switch {
		case refuses && listening != nil:
			_ = listening.Close()
			listening = nil
		case !refuses && listening == nil:
			var err error
			if listening, err = s.listen(); err != nil {
				return err
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			if listening != nil {
				_ = listening.Close()
			}
			return nil
		}
	}
}

func (s Service) listen() (*http.Server, error) {
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("serve the object store at %s: %w", s.Address, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerPatience}
	go func() { _ = server.Serve(listener) }() // ends when it is closed, and only then
	return server, nil
}

// Handler answers with the health path, or as the fault wants it.
func (s Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+HealthPath, func(w http.ResponseWriter, r *http.Request) {
		s.outlastHang(r.Context())
		if Broken(s.Folder) == Unavailable {
			http.Error(w, "the object store is out of order", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("healthy\n")) // a caller that went away is told nothing
	})
	return mux
}

// outlastHang returns when nothing hangs any more, or the caller has gone.
func (s Service) outlastHang(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for Broken(s.Folder) == Hang {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}
