// Package temporal is the lab's Temporal: the development server, with its history in a file that outlives it.
package temporal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// startPatience is how long the server may take to listen. It needs about 7 s on two cores.
const startPatience = time.Minute

// host is where it listens: nobody but this machine needs it.
const host = "127.0.0.1"

// pollsPerSecond is how often a shard of the server may look for tasks to hand out. Its default of 20 lets every task of a recovery,
// whose tasks are a few milliseconds long, wait for up to 50 ms; deployments/temporal has the same for production.
const pollsPerSecond = "history.transferProcessorMaxPollRPS=1000"

// Server is the Temporal server of a lab.
type Server struct {
	Folder topology.Folder
	State  topology.State
}

func (s Server) daemon() process.Daemon { return process.Daemon{Folder: s.Folder, Name: "temporal"} }

// Address is where clients reach it, UI where people do.
func (s Server) Address() string { return net.JoinHostPort(host, strconv.Itoa(s.State.TemporalPort)) }

// UI is the address of its web pages.
func (s Server) UI() string {
	return "http://" + net.JoinHostPort(host, strconv.Itoa(s.State.TemporalUIPort))
}

// Find returns the path of the temporal command: the one given, or the one on the PATH. Empty when there is none.
func Find(given string) string {
	if given != "" {
		return given
	}
	found, err := exec.LookPath("temporal")
	if err != nil {
		return ""
	}
	return found
}

// Start starts it on the file that it had before, and returns when it listens. One that runs is left alone.
func (s Server) Start(ctx context.Context) error {
	if s.State.Temporal == "" {
		return errors.New("start Temporal: no temporal command is given by --temporal or LAB_TEMPORAL, and none is on the PATH")
	}
	err := s.daemon().Start(s.State.Temporal, "server", "start-dev", "--db-filename", s.Folder.Temporal(), "--ip", host,
		"--port", strconv.Itoa(s.State.TemporalPort), "--ui-port", strconv.Itoa(s.State.TemporalUIPort), "--log-level", "error",
		"--dynamic-config-value", pollsPerSecond)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !s.Listening() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("start Temporal: it does not listen on %s; see %s", s.Address(), s.daemon().Log())
		case <-ticker.C:
			if _, running := s.daemon().Running(); !running {
				return fmt.Errorf("start Temporal: it ended; is port %d or %d taken? see %s", s.State.TemporalPort, s.State.TemporalUIPort, s.daemon().Log())
			}
		}
	}
	return nil
}

// Listening says whether it takes connections.
func (s Server) Listening() bool {
	conn, err := net.DialTimeout("tcp", s.Address(), time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// Kill ends it as a crash would.
func (s Server) Kill(ctx context.Context) error {
	running, alive := s.daemon().Running()
	if !alive {
		return nil
	}
	if err := syscall.Kill(running.PID, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill Temporal: %w", err)
	}
	return s.daemon().Stop(ctx)
}
