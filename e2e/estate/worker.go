package estate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Worker is a worker process.
type Worker struct {
	command *exec.Cmd
	address string
	log     string
	ended   chan struct{}
}

// StartWorker starts a worker and returns when it is ready. The site file may be left empty for the lab's own.
func (e Estate) StartWorker(ctx context.Context, site string, environment ...string) (*Worker, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if site == "" {
		site = filepath.Join(e.Dir, "site.yaml")
	}
	log, err := os.CreateTemp(filepath.Join(e.Dir, "logs"), "worker-*.log")
	if err != nil {
		return nil, fmt.Errorf("open a log for the worker: %w", err)
	}
	defer log.Close()
	// Not bound to ctx: it is ended by Stop or Kill, never by a deadline of whoever started it.
	command := e.Command(context.WithoutCancel(ctx), "fukkyu-worker", "--plan", e.Plan, "--site", site, "--listen", address)
	command.Env = append(command.Env, environment...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	w := &Worker{command: command, address: address, log: log.Name(), ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // how it ended does not matter: tests kill it
		close(w.ended)
	}()
	if err := w.awaitReady(ctx); err != nil {
		w.Kill()
		return nil, err
	}
	return w, nil
}

func (w *Worker) awaitReady(ctx context.Context) error {
	return Await(ctx, "the worker's readiness", 30*time.Second, func() (bool, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/readyz", nil)
		if err != nil {
			return false, err.Error()
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, fmt.Sprintf("%s; its log is %s", err, w.log)
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status + "; its log is " + w.log
	})
}

// Kill ends the worker as a power failure would.
func (w *Worker) Kill() {
	_ = w.command.Process.Kill() // it may have ended by itself
	<-w.ended
}

// Stop lets the worker drain, and returns how long that took.
func (w *Worker) Stop() time.Duration {
	began := time.Now()
	_ = w.command.Process.Signal(syscall.SIGTERM)
	<-w.ended
	return time.Since(began)
}

// Ended is closed when the process is gone.
func (w *Worker) Ended() <-chan struct{} { return w.ended }

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
