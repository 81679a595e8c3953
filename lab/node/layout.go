package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/shodo-ecosystem/fukkyu/lab/cgroup"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// Where things are inside the machine.
const (
	kubernetes   = "/opt/lab/kubernetes"
	imageArchive = "/opt/lab/images.tar"
	logs         = "/var/log/lab"
	volumes      = "/srv/volumes"
)

// disk names the folders of the machine that are kept on its disk, by their place on the disk; they survive a power cut.
var disk = map[string]string{
	"containerd": "/var/lib/containerd",
	"kubelet":    "/var/lib/kubelet",
	"pod-logs":   "/var/log/pods",
	"volumes":    volumes,
}

// held are settings of the whole host that the kubelet would change. Inside the machine it finds files in their place
// that say what it wants to read.
var held = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// layOut makes the machine's own root and moves into it: the host's file system with the machine's disk on top, and in
// /usr the packages over the host's programs, read-only. Nothing written in the machine reaches the host.
func (n Node) layOut() error {
	trees, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	disk := n.folder.Machine(n.self.Name)
	root := filepath.Join(disk, "root")
	if err := n.mountRoot(disk, root); err != nil {
		return err
	}
	if err := mountKernel(root, trees); err != nil {
		return err
	}
	if err := n.bindDisk(disk, root); err != nil {
		return err
	}
	if err := holdSettings(root); err != nil {
		return err
	}
	if err := holdIdentity(root, n.self.Name); err != nil {
		return err
	}
	return enter(root)
}

func (n Node) mountRoot(disk, root string) error {
	upper, work := filepath.Join(disk, "upper"), filepath.Join(disk, "work")
	for _, folder := range []string{upper, work, root} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s,workdir=%s", upper, work)); err != nil {
		return err
	}
	// A second overlay because the packages lie below the host's root, and one overlay's layers may not lie in each other.
	return mount("overlay", filepath.Join(root, "usr"), "overlay", unix.MS_RDONLY, fmt.Sprintf("lowerdir=%s:/usr", filepath.Join(n.folder.Packages(), "usr")))
}

// mountKernel gives the machine its own /proc, /sys, /run and /tmp, and every tree of control groups as seen from its own group.
func mountKernel(root string, trees []cgroup.Hierarchy) error {
	groups := filepath.Join(root, "sys/fs/cgroup")
	err := errors.Join(
		mount("proc", filepath.Join(root, "proc"), "proc", 0, ""),
		mount("sysfs", filepath.Join(root, "sys"), "sysfs", 0, ""),
		mount("/dev", filepath.Join(root, "dev"), "", unix.MS_BIND|unix.MS_REC, ""),
		mount("tmpfs", filepath.Join(root, "run"), "tmpfs", 0, "mode=755"),
		mount("tmpfs", filepath.Join(root, "tmp"), "tmpfs", 0, "mode=1777"),
		os.MkdirAll(filepath.Join(root, "run/lock"), 0o755),
	)
	if err != nil {
		return err
	}
	if len(trees) == 1 && trees[0].Name == "" {
		return mountUnified(groups)
	}
	if err := mount("tmpfs", groups, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, tree := range trees {
		place, kind := filepath.Join(groups, tree.Name), "cgroup"
		if tree.Options == "" {
			kind = "cgroup2"
		}
		if err := os.Mkdir(place, 0o755); err != nil {
			return err
		}
		if err := mount("cgroup", place, kind, 0, tree.Options); err != nil {
			return err
		}
	}
	return nil
}

// mountUnified serves a host with only the version 2 tree. A group with processes of its own may not have controllers
// in its children, so the first process first moves into a leaf.
func mountUnified(place string) error {
	if err := mount("cgroup2", place, "cgroup2", 0, ""); err != nil {
		return err
	}
	leaf := filepath.Join(place, "init")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return cgroup.Delegate(place)
}

// bindDisk puts the machine's disk, the programs from outside and the log folder in their places. They must not be on
// the overlay: containerd stacks its own overlays there.
func (n Node) bindDisk(from, root string) error {
	for name, place := range disk {
		if err := bindFolder(filepath.Join(from, name), filepath.Join(root, place)); err != nil {
			return err
		}
	}
	folders := []string{topology.RedisFolder}
	for i := 1; i <= topology.VolumesPerNode; i++ {
		folders = append(folders, filepath.Join(volumes, fmt.Sprintf("v%02d", i)))
	}
	for _, folder := range folders {
		volume := filepath.Join(root, folder)
		if err := os.MkdirAll(volume, 0o777); err != nil {
			return err
		}
		// Whoever is given the volume makes a folder of its own in it; which user that is, the machine does not know.
		if err := os.Chmod(volume, 0o777); err != nil {
			return err
		}
	}
	if err := bindFolder(n.folder.Logs(n.self.Name), filepath.Join(root, logs)); err != nil {
		return err
	}
	if err := bindFile(n.state.Kubernetes, filepath.Join(root, kubernetes)); err != nil {
		return err
	}
	return bindFile(n.folder.Images(), filepath.Join(root, imageArchive))
}

func holdSettings(root string) error {
	for setting, value := range held {
		if err := shadow(root, filepath.Join("proc/sys", setting), value); err != nil {
			return err
		}
	}
	return nil
}

// holdIdentity gives the machine its own machine ID for good, and a new boot ID for every start, so that the node
// reports a reboot.
func holdIdentity(root, name string) error {
	sum := sha256.Sum256([]byte(name))
	if err := os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte(hex.EncodeToString(sum[:16])+"\n"), 0o644); err != nil {
		return err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: the runtime ends the process before that
	boot := fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:])
	return shadow(root, "proc/sys/kernel/random/boot_id", boot)
}

// shadow puts a file with this value in place of a file of /proc.
func shadow(root, place, value string) error {
	copy := filepath.Join(root, "run/held", place)
	if err := os.MkdirAll(filepath.Dir(copy), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(copy, []byte(value+"\n"), 0o644); err != nil {
		return err
	}
	return mount(copy, filepath.Join(root, place), "", unix.MS_BIND, "")
}

// enter makes root the machine's root and lets go of the host's. The kubelet wants mounts to be shared inside the node.
func enter(root string) error {
	old := filepath.Join(root, "old-root")
	if err := os.MkdirAll(old, 0o755); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot into %s: %w", root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old-root", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	return mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

func bindFolder(from, to string) error {
	if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	// A volume that is a file system of its own comes with it.
	return mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
}

func bindFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	_ = file.Close()
	return mount(from, to, "", unix.MS_BIND, "")
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s (%s): %w", source, target, kind, err)
	}
	return nil
}
