// Package smalldisk makes a folder a file system of its own, in memory, which can be made as small as what is in it: whoever writes more
// is told by the kernel that no space is left on the device. Space is given back, and taken again, while it is in use.
package smalldisk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// roomy is the size in bytes of one that is not full, which is what the estate's databases claim. Memory is used for what is in it only.
	roomy = 5 << 30
	// fillTries is how often a folder that is written to is measured and made as small as what was measured.
	fillTries = 20
)

// Take makes the folder a file system of its own with the same content, not full. Nobody may write to the folder meanwhile. One that is
// such a file system already stays as it is.
func Take(ctx context.Context, folder string) error {
	if Is(folder) {
		return nil
	}
	staging, err := os.MkdirTemp(filepath.Dir(filepath.Dir(folder)), "small-disk-")
	if err != nil {
		return err
	}
	if err := unix.Mount("small-disk", staging, "tmpfs", 0, fmt.Sprintf("size=%d,mode=777", int64(roomy))); err != nil {
		return errors.Join(fmt.Errorf("make a small disk at %s: %w", staging, err), os.Remove(staging))
	}
	err = fill(ctx, staging, folder)
	return errors.Join(err, unix.Unmount(staging, unix.MNT_DETACH), os.Remove(staging))
}

// fill copies the folder into the staging one and puts that in its place.
func fill(ctx context.Context, staging, folder string) error {
	if said, err := exec.CommandContext(ctx, "cp", "--archive", folder+"/.", staging).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", folder, err, strings.TrimSpace(string(said)))
	}
	if err := unix.Mount(staging, folder, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount a small disk at %s: %w", folder, err)
	}
	return nil
}

// Is says whether the folder is such a file system.
func Is(folder string) bool {
	stat, err := look(folder)
	return err == nil && stat.Type == unix.TMPFS_MAGIC
}

// Filled says whether it is one that was made as small as what is in it, though whoever uses it may have deleted something since.
func Filled(folder string) bool {
	stat, err := look(folder)
	return err == nil && stat.Type == unix.TMPFS_MAGIC && stat.Blocks*uint64(stat.Bsize) < roomy
}

// Fill leaves no space in it. What is written to at the same time is measured again.
func Fill(folder string) error {
	if !Is(folder) {
		return fmt.Errorf("fill %s: it is no small disk", folder)
	}
	var err error
	for range fillTries {
		var stat unix.Statfs_t
		if stat, err = look(folder); err != nil {
			return err
		}
		if err = resize(folder, (stat.Blocks-stat.Bfree)*uint64(stat.Bsize)); err != nil {
			continue // more was written than was measured
		}
		if stat, err = look(folder); err == nil && stat.Bfree == 0 {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("fill %s: it changes faster than it can be measured; try again", folder), err)
}

// Free gives space back. What is no small disk stays as it is.
func Free(folder string) error {
	if !Is(folder) {
		return nil
	}
	return resize(folder, roomy)
}

func resize(folder string, bytes uint64) error {
	if err := unix.Mount("", folder, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
		return fmt.Errorf("make the small disk %s %d bytes large: %w", folder, bytes, err)
	}
	return nil
}

// Remove takes away every small disk at or below the folder, with what is in it: what was in its place before appears again.
func Remove(folder string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("look for small disks: %w", err)
	}
	var failed error
	for _, place := range mounted(string(text), folder) {
		if err := unix.Unmount(place, unix.MNT_DETACH); err != nil {
			failed = errors.Join(failed, fmt.Errorf("take the small disk at %s away: %w", place, err))
		}
	}
	return failed
}

// mounted reads from the kernel's table of mounts where small disks at or below the folder are, the last mounted first.
func mounted(table, folder string) []string {
	var found []string
	for line := range strings.Lines(table) {
		where, kind, is := strings.Cut(line, " - ")
		fields := strings.Fields(where)
		if !is || len(fields) < 5 || !strings.HasPrefix(kind, "tmpfs small-disk ") {
			continue
		}
		if place := fields[4]; place == folder || strings.HasPrefix(place, folder+"/") {
			found = append(found, place)
		}
	}
	slices.Reverse(found)
	return found
}

func look(folder string) (unix.Statfs_t, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return stat, fmt.Errorf("look at the file system of %s: %w", folder, err)
	}
	return stat, nil
}
