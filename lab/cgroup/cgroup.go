// Package cgroup gives each machine of the lab a control group: to hold its processes together, to freeze them and
// to prove that none is left.
//
// Both layouts are served: one tree per controller (version 1, sometimes with an empty version 2 tree beside it) and
// the one unified tree (version 2).
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Root is where the host has its control groups.
const Root = "/sys/fs/cgroup"

// Hierarchy is one mounted tree of control groups.
type Hierarchy struct {
	Name    string // its folder below Root; empty for the unified tree
	Options string // mount options of a version 1 tree, such as "cpu,cpuacct" or "none,name=systemd"; empty for version 2
}

func (h Hierarchy) path(parts ...string) string {
	return filepath.Join(append([]string{Root, h.Name}, parts...)...)
}

// Unified says whether the host has only the version 2 tree.
func Unified() bool {
	var stat unix.Statfs_t
	return unix.Statfs(Root, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}

// Hierarchies lists the host's trees.
func Hierarchies() ([]Hierarchy, error) {
	if Unified() {
		return []Hierarchy{{}}, nil
	}
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	var found []Hierarchy
	for scanner := bufio.NewScanner(mounts); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 4 || filepath.Dir(fields[1]) != Root {
			continue
		}
		switch fields[2] {
		case "cgroup":
			found = append(found, Hierarchy{Name: filepath.Base(fields[1]), Options: controllers(fields[3])})
		case "cgroup2":
			found = append(found, Hierarchy{Name: filepath.Base(fields[1])})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no control groups are mounted below %s: the lab needs them to hold its machines", Root)
	}
	return found, nil
}

// controllers leaves of the mount options what says which tree it is.
func controllers(options string) string {
	var kept []string
	for _, option := range strings.Split(options, ",") {
		switch option {
		case "rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children", "seclabel":
		default:
			if strings.HasPrefix(option, "release_agent=") {
				continue
			}
			if strings.HasPrefix(option, "name=") {
				option = "none," + option
			}
			kept = append(kept, option)
		}
	}
	return strings.Join(kept, ",")
}

// Group is the control group of one machine: TAG/MACHINE in every tree.
type Group struct {
	Tag, Machine string
}

// Enter makes the group and moves the calling process into it, in every tree.
func (g Group) Enter() error {
	trees, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		if err := g.enter(tree); err != nil {
			return fmt.Errorf("enter control group %s: %w", tree.path(g.Tag, g.Machine), err)
		}
	}
	return nil
}

func (g Group) enter(tree Hierarchy) error {
	if err := os.MkdirAll(tree.path(g.Tag, g.Machine), 0o755); err != nil {
		return err
	}
	if tree.Name == "cpuset" {
		if err := g.fillCPUSet(tree); err != nil {
			return err
		}
	}
	if tree.Name == "" {
		for _, parent := range []string{tree.path(), tree.path(g.Tag)} {
			if err := Delegate(parent); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(tree.path(g.Tag, g.Machine, "cgroup.procs"), []byte("0"), 0)
}

// fillCPUSet copies the host's processors and memory nodes downwards: an empty set accepts no process.
func (g Group) fillCPUSet(tree Hierarchy) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(tree.path(file))
		if err != nil {
			return err
		}
		for _, folder := range []string{tree.path(g.Tag), tree.path(g.Tag, g.Machine)} {
			if err := os.WriteFile(filepath.Join(folder, file), value, 0); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(tree.path(g.Tag, g.Machine, "cgroup.clone_children"), []byte("1"), 0)
}

// Delegate hands the controllers a kubelet needs to the children of a version 2 group.
func Delegate(path string) error {
	for _, controller := range []string{"cpuset", "cpu", "io", "memory", "pids"} {
		err := os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+"+controller), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("hand controller %s to the children of %s: %w", controller, path, err)
		}
	}
	return nil
}

// freezer returns the file that freezes the group and the words for it.
func (g Group) freezer() (file, frozen, thawed string) {
	if Unified() {
		return filepath.Join(Root, g.Tag, g.Machine, "cgroup.freeze"), "1", "0"
	}
	return filepath.Join(Root, "freezer", g.Tag, g.Machine, "freezer.state"), "FROZEN", "THAWED"
}

// Freeze stops every process of the machine where it stands.
func (g Group) Freeze() error {
	file, frozen, _ := g.freezer()
	return os.WriteFile(file, []byte(frozen), 0)
}

// Thaw lets them go on. A group that does not exist is thawed.
func (g Group) Thaw() error {
	file, _, thawed := g.freezer()
	err := os.WriteFile(file, []byte(thawed), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Frozen says whether the machine is frozen.
func (g Group) Frozen() bool {
	file, _, thawed := g.freezer()
	state, err := os.ReadFile(file)
	return err == nil && strings.TrimSpace(string(state)) != thawed
}

// Processes lists the processes of the machine, as the host numbers them.
func (g Group) Processes() ([]int, error) {
	file, _, _ := g.freezer()
	var processes []int
	err := filepath.WalkDir(filepath.Dir(file), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return ignoreMissing(err)
		}
		data, err := os.ReadFile(path)
		for _, field := range strings.Fields(string(data)) {
			if number, err := strconv.Atoi(field); err == nil {
				processes = append(processes, number)
			}
		}
		return ignoreMissing(err)
	})
	return processes, ignoreMissing(err)
}

// Remove removes the emptied group from every tree, with the groups its kubelet made.
func (g Group) Remove() error {
	trees, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		err = errors.Join(err, removeTree(tree.path(g.Tag, g.Machine)))
	}
	return err
}

// RemoveTag removes the group that held all machines.
func RemoveTag(tag string) error {
	trees, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		err = errors.Join(err, removeTree(tree.path(tag)))
	}
	return err
}

// Machines lists the machines that have a control group under the tag, also those of a lab whose state is lost.
func Machines(tag string) []string {
	file, _, _ := Group{Tag: tag, Machine: "any"}.freezer()
	entries, _ := os.ReadDir(filepath.Dir(filepath.Dir(file)))
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// removeTree removes the folder and those below it, deepest first; the files in them are the kernel's.
func removeTree(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(path, entry.Name())))
		}
	}
	return errors.Join(err, ignoreMissing(syscall.Rmdir(path)))
}

// ignoreMissing drops the error of a group that has gone meanwhile.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
