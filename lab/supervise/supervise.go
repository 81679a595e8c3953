// Package supervise is the first process of a machine: it starts the machine's services, starts again what ends,
// and takes the exit status of everything else.
package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// How often switches are looked at, how long a service that ended stays down, and how long one that is slow works between two stops.
const (
	lookEvery    = 50 * time.Millisecond
	restartAfter = 500 * time.Millisecond
	workFor      = 100 * time.Millisecond
)

// Service is one long-running program of a machine.
type Service struct {
	Name    string
	Command []string // absolute path and arguments
	Env     []string
}

// Init runs the services of one machine.
type Init struct {
	Logs     string // folder with one log file per service
	Switches string // folder in which a file NAME.stopped keeps the service NAME down, and NAME.slow makes it slow

	running map[int]*unit
	units   []*unit
	later   chan Service
}

// New returns an Init without services.
func New(logs, switches string) *Init {
	return &Init{Logs: logs, Switches: switches, running: map[int]*unit{}, later: make(chan Service)}
}

type unit struct {
	service Service
	pid     int
	again   time.Time // not started before this
	held    bool      // stands still
	until   time.Time // held, or at work, until this
}

// Switch is the file that keeps a service down.
func Switch(switches, service string) string { return filepath.Join(switches, service+".stopped") }

// Slow is the file that makes a service slow. It says how long the service stands still at a time, as 2s.
func Slow(switches, service string) string { return filepath.Join(switches, service+".slow") }

// Add takes a service into care and starts it, unless it is switched off. Errors are written to the machine's own log:
// the service is tried again by Run.
func (i *Init) Add(service Service) {
	u := &unit{service: service}
	i.units = append(i.units, u)
	i.settle(u)
}

// AddLater takes services into care while Run is already at work.
func (i *Init) AddLater(services ...Service) {
	for _, service := range services {
		i.later <- service
	}
}

// Run cares for the services and never returns. Nothing else in the process may wait for children from here on.
func (i *Init) Run() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	look := time.NewTicker(lookEvery)
	for {
		select {
		case <-ended:
		case <-look.C:
		case service := <-i.later:
			i.Add(service)
		}
		i.reap()
		for _, u := range i.units {
			i.settle(u)
		}
	}
}

// reap takes the exit status of every child that ended, its own services and orphans of containers alike.
func (i *Init) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if u := i.running[pid]; u != nil {
			fmt.Fprintf(os.Stderr, "%s %s ended with status %d, signal %d\n", time.Now().UTC().Format(time.RFC3339Nano), u.service.Name, status.ExitStatus(), status.Signal())
			delete(i.running, pid)
			u.pid, u.held, u.again = 0, false, time.Now().Add(restartAfter)
		}
	}
}

// settle brings a service into the state its switch asks for.
func (i *Init) settle(u *unit) {
	_, err := os.Stat(Switch(i.Switches, u.service.Name))
	stopped := !errors.Is(err, fs.ErrNotExist)
	switch {
	case stopped && u.pid != 0:
		_ = syscall.Kill(u.pid, syscall.SIGKILL)
	case stopped:
		u.again = time.Time{}
	case u.pid == 0 && time.Now().After(u.again):
		if err := i.start(u); err != nil {
			fmt.Fprintf(os.Stderr, "%s start %s: %v\n", time.Now().UTC().Format(time.RFC3339Nano), u.service.Name, err)
			u.again = time.Now().Add(restartAfter)
		}
	case u.pid != 0:
		i.pace(u)
	}
}

// pace lets a service that is slow stand still for a time, work for a moment, and stand still again: what is asked of it waits that long,
// also on connections that it already has.
func (i *Init) pace(u *unit) {
	still := Pause(i.Switches, u.service.Name)
	if still > 0 && time.Now().Before(u.until) {
		return
	}
	switch {
	case u.held:
		_ = syscall.Kill(u.pid, syscall.SIGCONT)
		u.held, u.until = false, time.Now().Add(workFor)
	case still > 0:
		_ = syscall.Kill(u.pid, syscall.SIGSTOP)
		u.held, u.until = true, time.Now().Add(still)
	}
}

// Pause is how long a service stands still at a time; 0: it is not slow.
func Pause(switches, service string) time.Duration {
	text, err := os.ReadFile(Slow(switches, service))
	if err != nil {
		return 0
	}
	still, _ := time.ParseDuration(string(text))
	return still
}

func (i *Init) start(u *unit) error {
	log, err := os.OpenFile(filepath.Join(i.Logs, u.service.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer nothing.Close()
	pid, err := syscall.ForkExec(u.service.Command[0], u.service.Command, &syscall.ProcAttr{
		Env: u.service.Env, Files: []uintptr{nothing.Fd(), log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	u.pid, i.running[pid] = pid, u
	return nil
}
