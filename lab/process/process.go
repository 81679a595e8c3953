// Package process knows processes that outlive the command that started them.
//
// A number alone does not name a process, because the kernel uses numbers again. Everything here also remembers when
// the process started, so that nothing else is ever signalled.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollEvery is how often a process that should end is looked at.
const pollEvery = 10 * time.Millisecond

// Process is one process of the host, for good.
type Process struct {
	PID   int
	Start string // in clock ticks since the machine booted, as /proc has it
}

// Of identifies a running process.
func Of(pid int) (Process, error) {
	state, start, err := stat(pid)
	if err != nil {
		return Process{}, err
	}
	if state == "Z" {
		return Process{}, fmt.Errorf("process %d has ended", pid)
	}
	return Process{PID: pid, Start: start}, nil
}

// stat returns the state letter and the start time of a process.
func stat(pid int) (state, start string, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", err
	}
	// The second field is the command in brackets and may itself hold brackets and spaces.
	end := bytes.LastIndexByte(data, ')')
	fields := strings.Fields(string(data[end+1:]))
	if end < 0 || len(fields) < 20 {
		return "", "", fmt.Errorf("read /proc/%d/stat: unexpected form", pid)
	}
	return fields[0], fields[19], nil
}

// Read reads a process from a PID file. A missing file is fs.ErrNotExist.
func Read(path string) (Process, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Process{}, err
	}
	pid, start, found := strings.Cut(strings.TrimSpace(string(data)), " ")
	number, err := strconv.Atoi(pid)
	if err != nil || !found {
		return Process{}, fmt.Errorf("read PID file %s: want a number and a start time, found %q", path, data)
	}
	return Process{PID: number, Start: start}, nil
}

// Write writes the process into a PID file.
func (p Process) Write(path string) error {
	return os.WriteFile(path, fmt.Appendf(nil, "%d %s\n", p.PID, p.Start), 0o644)
}

// Alive says whether the process still runs. One that has ended and was not yet waited for is not alive: the kernel
// lets the first process of a PID namespace get there only after every other one in it is gone.
func (p Process) Alive() bool {
	state, start, err := stat(p.PID)
	return err == nil && start == p.Start && state != "Z" && state != "X"
}

// Stopped says whether the process was stopped where it stands, as by SIGSTOP.
func (p Process) Stopped() bool {
	state, start, err := stat(p.PID)
	return err == nil && start == p.Start && state == "T"
}

// Signal sends a signal; to a process that has ended it does nothing.
func (p Process) Signal(signal syscall.Signal) error {
	if !p.Alive() {
		return nil
	}
	err := syscall.Kill(p.PID, signal)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Gone waits until the process has ended.
func (p Process) Gone(ctx context.Context) error {
	for p.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of process %d: %w", p.PID, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// Stop asks the process to end, and kills it when it has not ended within the time given.
func (p Process) Stop(ctx context.Context, patience time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	gentle, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.Gone(gentle) == nil {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	return p.Gone(ctx)
}

// ReadAlive reads a PID file and says whether its process runs. No file means no process.
func ReadAlive(path string) (Process, bool, error) {
	p, err := Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Process{}, false, nil
	}
	if err != nil {
		return Process{}, false, err
	}
	return p, p.Alive(), nil
}
