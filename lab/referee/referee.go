// Package referee is a customer of the estate who writes numbered rows through the application from outside, remembers every
// acknowledgement, and alone says how long customers were without service and what was lost.
package referee

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// attemptTimeout is how long the customer waits for one answer.
	attemptTimeout = 500 * time.Millisecond
	// numbersPerSecond keeps the numbers of one start apart from those of the next.
	numbersPerSecond = 1_000_000
)

// Acknowledgement is one write that the application said is safe.
type Acknowledgement struct {
	Number int64     `json:"number"`
	Began  time.Time `json:"began"` // the attempt that was acknowledged
	At     time.Time `json:"at"`
	Server string    `json:"server"` // PostgreSQL server that committed it
	// Failed is how many attempts for this number a customer saw fail before.
	Failed int `json:"failed,omitempty"`
}

// Referee writes until it is stopped.
type Referee struct {
	URL      string // of the application
	File     string // acknowledgements, one JSON line each
	Writers  int
	Interval time.Duration // between two writes of one writer
}

// Run writes until ctx ends.
func (r Referee) Run(ctx context.Context) error {
	file, err := os.OpenFile(r.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the referee's memory: %w", err)
	}
	defer file.Close()
	log := &memory{encoder: json.NewEncoder(file)}
	base := time.Now().Unix() * numbersPerSecond
	var writers sync.WaitGroup
	for writer := range r.Writers {
		writers.Go(func() { r.write(ctx, log, base+int64(writer), int64(r.Writers)) })
	}
	writers.Wait()
	return log.failure
}

// memory is written by all writers, a line at a time.
type memory struct {
	mutex   sync.Mutex
	encoder *json.Encoder
	failure error
}

func (m *memory) remember(a Acknowledgement) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if err := m.encoder.Encode(a); err != nil {
		m.failure = errors.Join(m.failure, fmt.Errorf("remember write %d: %w", a.Number, err))
	}
}

// write sends every number until it is acknowledged: a customer who got no answer asks again.
func (r Referee) write(ctx context.Context, log *memory, number, stride int64) {
	client := &http.Client{Timeout: attemptTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	ticker := time.NewTicker(r.Interval)
	defer ticker.Stop()
	failed := 0
	for {
		began := time.Now()
		server, err := r.attempt(ctx, client, number)
		if err == nil {
			log.remember(Acknowledgement{Number: number, Began: began, At: time.Now(), Server: server, Failed: failed})
			number, failed = number+stride, 0
		} else {
			failed++
			client.CloseIdleConnections() // the next attempt must not go where this one failed
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (r Referee) attempt(ctx context.Context, client *http.Client, number int64) (server string, err error) {
	body, err := json.Marshal(map[string]any{"number": number, "note": "referee"})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/api/v1/writes", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct{ Server string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("write %d: %s", number, response.Status)
	}
	return answer.Server, nil
}
