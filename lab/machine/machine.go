// Package machine switches the lab's machines on and off.
//
// A machine is a set of Linux namespaces and a control group. Its first process is PID 1 of its PID namespace: when it
// dies, the kernel kills everything in the machine at once, as a power cut would.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/cgroup"
	"github.com/shodo-ecosystem/fukkyu/lab/network"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// offPatience is how long a killed machine may take to be gone; longer means that the kernel holds a process.
const offPatience = 20 * time.Second

// Machine is one machine, on or off.
type Machine struct {
	Tag    string // the lab's
	Name   string
	Folder string   // keeps who its first process is, and the lock of its switch
	Log    string   // folder of its logs
	Init   []string // arguments that make the lab's own binary its first process
}

// OfNode is the machine of a node.
func OfNode(lab topology.Lab, folder topology.Folder, node topology.Node) Machine {
	return Machine{Tag: lab.Tag(), Name: node.Name, Folder: folder.Machine(node.Name), Log: folder.Logs(node.Name),
		Init: []string{"--dir", string(folder), "init-node", node.Name}}
}

// OfControlPlane is the machine of a region's control plane.
func OfControlPlane(lab topology.Lab, folder topology.Folder, region topology.Region) Machine {
	return Machine{Tag: lab.Tag(), Name: region.Machine(), Folder: folder.ControlPlane(region.Name), Log: folder.Logs(region.Machine()),
		Init: []string{"--dir", string(folder), "init-control-plane", region.Name}}
}

func (m Machine) group() cgroup.Group { return cgroup.Group{Tag: m.Tag, Machine: m.Name} }

func (m Machine) pidFile() string { return filepath.Join(m.Folder, "init.pid") }

// On says whether the machine's first process is alive.
func (m Machine) On() bool {
	_, alive, err := process.ReadAlive(m.pidFile())
	return err == nil && alive
}

// Started is when the machine was last switched on; zero when it never was.
func (m Machine) Started() time.Time {
	info, err := os.Stat(m.pidFile())
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Frozen says whether the machine's processes are stopped where they stand.
func (m Machine) Frozen() bool { return m.group().Frozen() }

// Freeze stops every process of the machine; its kernel still answers TCP, so a paused machine is also cut off.
func (m Machine) Freeze() error { return m.group().Freeze() }

// Thaw lets the processes go on.
func (m Machine) Thaw() error { return m.group().Thaw() }

// Off says, with proof, whether the machine is off: its first process has ended, which the kernel lets happen only
// after every other process of its PID namespace, and its control group is empty. The error says what still lives.
func (m Machine) Off() error {
	first, alive, err := process.ReadAlive(m.pidFile())
	if err != nil {
		return fmt.Errorf("look whether %s is off: %w", m.Name, err)
	}
	if alive {
		return fmt.Errorf("%s is on: its first process %d runs", m.Name, first.PID)
	}
	left, err := m.group().Processes()
	if err != nil {
		return fmt.Errorf("look whether %s is off: %w", m.Name, err)
	}
	if len(left) > 0 {
		return fmt.Errorf("%s is not off: %d processes are left", m.Name, len(left))
	}
	return nil
}

// PowerOff kills the machine as a power cut does, frozen or not, and returns when it is proven off. A machine that is
// off stays off.
func (m Machine) PowerOff(ctx context.Context) error {
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, offPatience)
	defer cancel()
	if first, alive, err := process.ReadAlive(m.pidFile()); err == nil && alive {
		if err := first.Signal(syscall.SIGKILL); err != nil {
			return fmt.Errorf("switch off %s: %w", m.Name, err)
		}
	}
	for {
		// A frozen process dies only once it may go on.
		if err := m.Thaw(); err != nil {
			return fmt.Errorf("switch off %s: %w", m.Name, err)
		}
		state := m.Off()
		if state == nil {
			break
		}
		// What the first process did not take with it, or a machine whose PID file is lost.
		left, _ := m.group().Processes()
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("switch off %s: %w after %s", m.Name, state, offPatience)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// Start switches the machine on. A machine that is on stays as it is.
func (m Machine) Start(ctx context.Context) error {
	if err := errors.Join(os.MkdirAll(m.Folder, 0o755), os.MkdirAll(m.Log, 0o755)); err != nil {
		return err
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if m.On() {
		return nil
	}
	if err := m.Off(); err != nil {
		return fmt.Errorf("switch on %s: %w; switch it off first", m.Name, err)
	}
	// The kubelet's groups of the last run are empty, and must not be there when a new one begins.
	if err := m.group().Remove(); err != nil {
		return fmt.Errorf("switch on %s: remove its old control groups: %w", m.Name, err)
	}
	if err := network.Forget(m.Tag, m.Name); err != nil {
		return fmt.Errorf("switch on %s: %w", m.Name, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(m.Log, "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	launcher := exec.Command(self, append([]string{"launch", m.Tag, m.Name, m.pidFile(), "--"}, m.Init...)...)
	launcher.Stdout, launcher.Stderr = log, log
	launcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := launcher.Run(); err != nil {
		return fmt.Errorf("switch on %s: %w; see %s", m.Name, err, log.Name())
	}
	return nil
}

// lock serializes the switch of one machine over all processes: the power service, the command line.
func (m Machine) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(m.Folder, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(m.Folder, "switch.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for the switch of %s: %w", m.Name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Launch is run by a process of its own: it becomes part of the machine's control group and network, starts the
// machine's first process there, writes down who that is, and returns.
func Launch(tag, name, pidFile string, init []string) error {
	if err := (cgroup.Group{Tag: tag, Machine: name}).Enter(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	first := exec.Command(self, init...)
	first.Stdout, first.Stderr = os.Stdout, os.Stderr
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWCGROUP,
	}
	if err := network.Inside(tag, name, first.Start); err != nil {
		return fmt.Errorf("start the first process of %s: %w", name, err)
	}
	p, err := process.Of(first.Process.Pid)
	if err != nil {
		return err
	}
	return p.Write(pidFile)
}
