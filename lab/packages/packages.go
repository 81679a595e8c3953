// Package packages gets the Debian packages the lab's machines need and unpacks them into a folder.
//
// Nothing is installed on the host: the unpacked folder is laid over the host's file system inside each machine, so
// that a machine has the host's programs and, on top, the newer or missing ones from here.
package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Wanted are the packages a machine needs, beside what every Debian has.
func Wanted() []string {
	return []string{"containerd", "runc", "containernetworking-plugins", "nftables", "postgresql-15", "redis-server", "pgbackrest", "pgbouncer"}
}

// complete is written last into an unpacked root and names what is in it.
const complete = ".complete"

// Ensure makes sure that root holds the wanted packages, and more where somebody asks for them. What is there already is not
// fetched again: the archives stay in the folder beside root. Progress goes to out.
func Ensure(ctx context.Context, root string, out io.Writer, more ...string) error {
	names := append(Wanted(), more...)
	wanted := strings.Join(names, " ")
	if have, err := os.ReadFile(filepath.Join(root, complete)); err == nil && holds(strings.Fields(string(have)), names) {
		return nil
	}
	archives := filepath.Join(filepath.Dir(root), "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return err
	}
	fmt.Fprintln(out, "packages: fetching", wanted, "(about 55 MB, once)")
	if err := download(ctx, archives, names); err != nil {
		return err
	}
	fmt.Fprintln(out, "packages: unpacking")
	return unpack(ctx, archives, root, wanted)
}

func holds(have, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(have, name) })
}

// download fetches the packages, also those that the host has: whoever asks for them looks for them in the folder. Of what they depend on it
// fetches what the host does not have. A host without package lists gets none: the lists are then fetched into the cache folder.
func download(ctx context.Context, archives string, names []string) error {
	args := append([]string{"install", "--reinstall", "--download-only", "--yes", "--no-install-recommends", "--option", "Dir::Cache::archives=" + archives,
		"--option", "Debug::NoLocking=true"}, names...)
	first := apt(ctx, args...)
	if first == nil || ctx.Err() != nil {
		return first
	}
	lists := filepath.Join(filepath.Dir(archives), "lists")
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return err
	}
	own := []string{"--option", "Dir::State::lists=" + lists}
	if err := apt(ctx, append(own, "update")...); err != nil {
		return errors.Join(first, err)
	}
	return apt(ctx, append(own, args...)...)
}

func apt(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet=2"}, args...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("fetch packages with apt-get %s: %w: %s; is this a Debian 12 with its package sources reachable?",
			args[len(args)-1], err, lastLines(string(output), 3))
	}
	return nil
}

// unpack extracts every archive into a fresh folder and puts it in place when it is complete.
func unpack(ctx context.Context, archives, root, wanted string) error {
	debs, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	sort.Strings(debs)
	fresh := root + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.MkdirAll(fresh, 0o755)); err != nil {
		return err
	}
	for _, deb := range debs {
		if output, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, fresh).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s; remove the file and try again", deb, err, lastLines(string(output), 2))
		}
	}
	if err := mergeUsr(fresh); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, complete), []byte(wanted), 0o644); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(root), os.Rename(fresh, root))
}

// mergeUsr moves /bin, /sbin, /lib and /lib64 below /usr, because on the host those are links into /usr and a folder
// laid over a link would hide everything behind it. /etc and /var are dropped: machines are configured by the lab.
func mergeUsr(root string) error {
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := moveTree(filepath.Join(root, name), filepath.Join(root, "usr", name)); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(filepath.Join(root, "etc")), os.RemoveAll(filepath.Join(root, "var")), os.RemoveAll(filepath.Join(root, "run")))
}

func moveTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return os.Rename(path, target)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return strings.Join(lines, " / ")
}
