package machine

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/shodo-ecosystem/fukkyu/lab/process"
)

// Attach shows a mount of the host in the running machine too. A machine that is off sees what is mounted below its disk when it starts.
func (m Machine) Attach(source, target string) error {
	return m.insideMounts(func(enter func() error) error {
		tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		if err := enter(); err != nil {
			return err
		}
		return unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
	}, "show "+source+" in "+m.Name)
}

// Detach takes a mount away from the running machine. What is not mounted stays so.
func (m Machine) Detach(target string) error {
	return m.insideMounts(func(enter func() error) error {
		if err := enter(); err != nil {
			return err
		}
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
		return nil
	}, "take "+target+" away from "+m.Name)
}

// insideMounts runs what is given on a thread of its own, which enters the machine's file systems when it is told to and ends with it. Of
// a machine that is off there is nothing to do.
func (m Machine) insideMounts(act func(enter func() error) error, what string) error {
	first, alive, err := process.ReadAlive(m.pidFile())
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !alive {
		return nil
	}
	result := make(chan error, 1)
	go func() {
		// Never unlocked: a thread that has changed its namespace must not serve other goroutines, and ends here.
		runtime.LockOSThread()
		result <- act(func() error { return enterMounts(first.PID) })
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// enterMounts moves the calling thread to the file systems that the process sees.
func enterMounts(pid int) error {
	namespace, err := unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(namespace)
	// The kernel refuses a thread that shares its working directory with others.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return unix.Setns(namespace, unix.CLONE_NEWNS)
}
