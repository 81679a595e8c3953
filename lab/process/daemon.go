package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// stopPatience is how long a daemon may take to end by itself.
const stopPatience = 5 * time.Second

// Daemon is a process the lab leaves running on the host: `lab serve`, the referee, Temporal. `lab down` ends all of them.
type Daemon struct {
	Folder topology.Folder
	Name   string
}

func (d Daemon) pidFile() string { return filepath.Join(d.Folder.Daemons(), d.Name+".pid") }

// Log is where its output goes.
func (d Daemon) Log() string { return d.Folder.Logs(d.Name + ".log") }

// Running says whether it runs.
func (d Daemon) Running() (Process, bool) {
	p, alive, _ := ReadAlive(d.pidFile())
	return p, alive
}

// Start starts it in a session of its own, so that neither Ctrl-C nor a closed terminal ends it. A daemon that runs
// already is left alone.
func (d Daemon) Start(program string, args ...string) error {
	if _, running := d.Running(); running {
		return nil
	}
	if err := errors.Join(os.MkdirAll(d.Folder.Daemons(), 0o755), os.MkdirAll(filepath.Dir(d.Log()), 0o755)); err != nil {
		return err
	}
	log, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.Name, err)
	}
	// Somebody must take its exit status while this command still runs, or it would look alive.
	go func() { _ = command.Wait() }()
	p, err := Of(command.Process.Pid)
	if err != nil {
		return fmt.Errorf("start %s: it ended at once; see %s", d.Name, d.Log())
	}
	return p.Write(d.pidFile())
}

// Stop ends it and forgets it. One that does not run is stopped.
func (d Daemon) Stop(ctx context.Context) error {
	p, alive, err := ReadAlive(d.pidFile())
	if err != nil {
		return err
	}
	if alive {
		if err := p.Stop(ctx, stopPatience); err != nil {
			return fmt.Errorf("stop %s: %w", d.Name, err)
		}
	}
	return removeIfThere(d.pidFile())
}

// StopAll ends every daemon of the lab in the folder.
func StopAll(ctx context.Context, folder topology.Folder) error {
	files, err := filepath.Glob(filepath.Join(folder.Daemons(), "*.pid"))
	for _, file := range files {
		err = errors.Join(err, Daemon{Folder: folder, Name: strings.TrimSuffix(filepath.Base(file), ".pid")}.Stop(ctx))
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
