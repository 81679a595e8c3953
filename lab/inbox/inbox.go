// Package inbox is where the people of the lab's estate are told things: a webhook for each of their channels, which keeps what it is sent.
package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	headerPatience = 5 * time.Second
	// mostBytes is the longest message that is taken.
	mostBytes = 1 << 20
)

// Message is what one channel was sent.
type Message struct {
	At      time.Time       `json:"at"`
	Channel string          `json:"channel"`
	Body    json.RawMessage `json:"body"`
}

// Service takes messages by POST /CHANNEL and appends them to a file.
type Service struct {
	Address string
	File    string

	mutex sync.Mutex
}

// New is the inbox of a lab.
func New(folder topology.Folder, lab topology.Lab) *Service {
	return &Service{Address: fmt.Sprintf("%s:%d", lab.Host(), topology.InboxPort), File: folder.Inbox()}
}

// Serve serves until the context ends.
func (s *Service) Serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return fmt.Errorf("serve the inbox at %s: %w", s.Address, err)
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerPatience}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nobody loses anything by it: a message that was not answered is sent again
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the inbox at %s: %w", s.Address, err)
	}
	return nil
}

// Handler routes the requests.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{channel}", s.take)
	return mux
}

func (s *Service) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
	if err != nil || !json.Valid(body) {
		http.Error(w, "a message is one JSON value of at most 1 MiB", http.StatusBadRequest)
		return
	}
	if err := s.keep(Message{At: time.Now().UTC(), Channel: r.PathValue("channel"), Body: body}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *Service) keep(message Message) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	file, err := os.OpenFile(s.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a message: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// Read returns what has come in, the oldest first. Nothing has, when there is no file.
func Read(file string) ([]Message, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	var messages []Message
	for line := range bytes.Lines(text) {
		var message Message
		if err := json.Unmarshal(line, &message); err != nil {
			return nil, fmt.Errorf("read the inbox %s: %w", file, err)
		}
		messages = append(messages, message)
	}
	return messages, nil
}
