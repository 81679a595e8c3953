package estate

import (
	"context"
	"fmt"
	"io"
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
	log     string
	ended   chan struct{}
}

// Crew says how a worker is started. The zero value is the lab's own: its site, the estate's plan, the product's program.
type Crew struct {
	Program     string // in the folder of binaries
	Site        string
	Environment []string
}

// StartWorker starts a worker and returns when it is ready.
func (e Estate) StartWorker(ctx context.Context, crew Crew) (*Worker, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if crew.Site == "" {
		crew.Site = filepath.Join(e.Dir, "site.yaml")
	}
	if crew.Program == "" {
		crew.Program = "fukkyu-worker"
	}
	log, err := os.CreateTemp(filepath.Join(e.Dir, "logs"), "worker-*.log")
	if err != nil {
		return nil, fmt.Errorf("open a log for the worker: %w", err)
	}
	defer log.Close()
	// Not bound to ctx: it is ended by Stop or Kill, never by a deadline of whoever started it.
	command := e.Command(context.WithoutCancel(ctx), crew.Program, "--plan", e.Plan, "--site", crew.Site, "--listen", address)
	command.Env = append(command.Env, crew.Environment...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	w := &Worker{command: command, log: log.Name(), ended: make(chan struct{})}
	go func() {
		_ = command.Wait() // how it ended does not matter: tests kill it
		close(w.ended)
	}()
	if err := AwaitReady(ctx, address); err != nil {
		w.Kill()
		return nil, fmt.Errorf("%w; its log is %s", err, w.log)
	}
	return w, nil
}

// AwaitReady returns when the worker that serves its health on address can begin a recovery.
func AwaitReady(ctx context.Context, address string) error {
	return Await(ctx, "the worker's readiness", 30*time.Second, func() (bool, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return false, err.Error()
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusOK, string(said)
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
