package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/vishvananda/netns"
)

// folder is where `ip netns` looks too, so that a person can look around with it.
const folder = "/run/netns"

// Namespace is the name of a machine's network namespace.
func Namespace(tag, machine string) string { return tag + "-" + machine }

// Path is the file that stands for a machine's network namespace.
func Path(tag, machine string) string { return filepath.Join(folder, Namespace(tag, machine)) }

// Enter moves the calling thread into the network namespace; the caller has locked it to its goroutine.
func Enter(tag, machine string) error {
	handle, err := netns.GetFromName(Namespace(tag, machine))
	if err != nil {
		return fmt.Errorf("enter network namespace %s: %w", Namespace(tag, machine), err)
	}
	defer handle.Close()
	return netns.Set(handle)
}

// Inside runs what is given in a machine's network namespace, on a thread that ends with it.
func Inside(tag, machine string, run func() error) error {
	result := make(chan error, 1)
	go func() {
		// Never unlocked: a thread that has changed its namespace must not serve other goroutines, and ends here.
		runtime.LockOSThread()
		if err := Enter(tag, machine); err != nil {
			result <- err
			return
		}
		result <- run()
	}()
	return <-result
}

// ensureNamespace makes the network namespace unless it is there.
func ensureNamespace(tag, machine string) error {
	if handle, err := netns.GetFromPath(Path(tag, machine)); err == nil {
		return handle.Close()
	}
	// A file without a namespace behind it is left of a machine that went down hard.
	_ = os.Remove(Path(tag, machine))
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		handle, err := netns.NewNamed(Namespace(tag, machine))
		if err == nil {
			err = handle.Close()
		}
		result <- err
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("make network namespace %s: %w", Namespace(tag, machine), err)
	}
	return nil
}

// removeNamespaces removes every network namespace of the lab.
func removeNamespaces(tag string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tag+"-") {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		if e := syscall.Unmount(path, syscall.MNT_DETACH); e != nil && !errors.Is(e, syscall.EINVAL) {
			err = errors.Join(err, fmt.Errorf("remove network namespace %s: %w", entry.Name(), e))
		}
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
