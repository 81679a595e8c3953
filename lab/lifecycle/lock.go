package lifecycle

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// Lock makes sure that one process at a time brings the lab of the folder up or down. The kernel releases it when that
// process ends, however it ends.
func Lock(folder topology.Folder, doing string) (unlock func(), err error) {
	if err := own(folder); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(folder.Lock(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		other, _ := os.ReadFile(folder.Lock())
		_ = file.Close()
		return nil, fmt.Errorf("another process is busy with the lab in %s: %s; wait until it has ended, or stop it", folder, strings.TrimSpace(string(other)))
	}
	_ = file.Truncate(0)
	_, _ = fmt.Fprintf(file, "lab %s, process %d\n", doing, os.Getpid())
	return func() { _ = file.Close() }, nil
}

// folderMode lets other users through to the programs that the lab keeps in its folder, and lets them see nothing else. What is
// secret in there is closed by itself.
const folderMode = 0o711

// own makes the data folder, or refuses one that holds other things: what is in it is removed by `lab down`.
func own(folder topology.Folder) error {
	if err := os.MkdirAll(string(folder), folderMode); err != nil {
		return fmt.Errorf("make the lab's data folder: %w", err)
	}
	for _, sign := range []string{folder.Lock(), folder.Cache()} {
		if _, err := os.Stat(sign); err == nil {
			return os.Chmod(string(folder), folderMode)
		}
	}
	entries, err := os.ReadDir(string(folder))
	if err != nil {
		return fmt.Errorf("look into the lab's data folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s holds other things (%s) and is not a lab's data folder; name a new or empty one with --dir", folder, entries[0].Name())
	}
	return nil
}
