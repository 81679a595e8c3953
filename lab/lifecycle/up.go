// Package lifecycle brings the machines of a lab up and takes everything away again.
package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/faults"
	"github.com/shodo-ecosystem/fukkyu/lab/image"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/network"
	"github.com/shodo-ecosystem/fukkyu/lab/packages"
	"github.com/shodo-ecosystem/fukkyu/lab/power"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// readyPatience is how long a lab may take until its nodes are Ready. Two slow cores need about 30 s.
const readyPatience = 3 * time.Minute

// Up brings up the machines of the lab the state describes, and returns when every node is Ready. On a lab that is up it
// starts again what is missing. Talk goes to out.
func Up(ctx context.Context, folder topology.Folder, state topology.State, out io.Writer) (topology.Lab, error) {
	if err := check(&state); err != nil {
		return topology.Lab{}, err
	}
	if err := checkDisk(folder); err != nil {
		return topology.Lab{}, err
	}
	lab, err := settle(folder, &state)
	if err != nil {
		return lab, err
	}
	if err := prepare(ctx, folder, lab, state, out); err != nil {
		return lab, err
	}
	if err := connect(lab, folder); err != nil {
		return lab, fmt.Errorf("connect the lab's machines: %w", err)
	}
	// All machines start at once: nodes unpack their images while the control plane starts.
	if err := (faults.Lab{Lab: lab, Folder: folder}).MendAll(ctx); err != nil {
		return lab, err
	}
	if err := serve(folder); err != nil {
		return lab, err
	}
	fmt.Fprintln(out, "machines: on; waiting for the nodes to be Ready")
	return lab, awaitNodes(ctx, folder, lab)
}

// check refuses what cannot work before anything is touched.
func check(state *topology.State) error {
	if state.Kubernetes == "" {
		return errors.New("no kubernetes binary given: build lab/kubernetes and name it by --kubernetes or LAB_KUBERNETES")
	}
	for what, path := range map[string]*string{"kubernetes binary": &state.Kubernetes, "estate's program": &state.Shodo, "product's manifests": &state.Deployments} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(absolute); err != nil {
			return fmt.Errorf("find the %s: %w", what, err)
		}
		*path = absolute
	}
	if os.Geteuid() != 0 {
		return errors.New("the lab makes namespaces, mounts and network links and needs root; run it with sudo")
	}
	return nil
}

// checkDisk refuses a data folder no machine can have its disk in.
func checkDisk(folder topology.Folder) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(string(folder), &stat); err != nil {
		return fmt.Errorf("look at the file system of %s: %w", folder, err)
	}
	if stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return fmt.Errorf("%s is on an overlay file system, which cannot hold the disks of machines; name a folder on a real one with --dir", folder)
	}
	return nil
}

// settle writes down which lab this is. A lab that is up keeps its network and profile.
func settle(folder topology.Folder, state *topology.State) (topology.Lab, error) {
	profile, err := topology.ProfileNamed(state.Profile)
	if err != nil {
		return topology.Lab{}, err
	}
	lab, err := topology.New(state.Network, profile)
	if err != nil {
		return lab, err
	}
	if err := network.Free(lab, folder); err != nil {
		return lab, err
	}
	_, before, err := topology.Load(folder)
	switch {
	case errors.Is(err, topology.ErrNoLab):
		state.Started = time.Now().UTC()
	case err != nil:
		return lab, err
	case before.Network != state.Network || before.Profile != state.Profile:
		return lab, fmt.Errorf("a lab with network %s and profile %s is in %s; take it away first with: lab down", before.Network, before.Profile, folder)
	default:
		state.Started = before.Started
	}
	return lab, state.Save(folder)
}

// prepare makes what the machines are made of; its parts do not depend on each other.
func prepare(ctx context.Context, folder topology.Folder, lab topology.Lab, state topology.State, out io.Writer) error {
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return packages.Ensure(ctx, folder.Packages(), out, state.Packages...) })
	work.Go(func() error { return writeImages(folder, state) })
	work.Go(func() error {
		for _, region := range lab.Regions {
			if err := authority.Ensure(folder.Authority(region.Name), region); err != nil {
				return err
			}
		}
		data, err := authority.Kubeconfig(authority.Admin, lab.Regions, func(r topology.Region) string { return folder.Authority(r.Name) })
		if err != nil {
			return fmt.Errorf("write the administrator's kubeconfig: %w", err)
		}
		return topology.WriteFile(folder.Kubeconfig(), data, 0o600)
	})
	work.Go(func() error { return power.EnsurePassword(folder) })
	return work.Wait()
}

// writeImages writes the image archive in place, because running machines have this very file mounted.
func writeImages(folder topology.Folder, state topology.State) error {
	images, err := image.Estate(state.Shodo)
	if err != nil {
		return err
	}
	var buffer bytes.Buffer
	if err := image.Write(&buffer, images); err != nil {
		return err
	}
	if have, err := os.ReadFile(folder.Images()); err == nil && bytes.Equal(have, buffer.Bytes()) {
		return nil
	}
	return os.WriteFile(folder.Images(), buffer.Bytes(), 0o644)
}

func connect(lab topology.Lab, folder topology.Folder) error {
	if err := network.Build(lab, folder); err != nil {
		return err
	}
	for _, region := range lab.Regions {
		if err := network.Attach(lab, region.Machine(), region.ControlPlane); err != nil {
			return err
		}
		for _, node := range region.Nodes {
			if err := network.Attach(lab, node.Name, node.Address); err != nil {
				return err
			}
		}
	}
	return nil
}

// serve starts the daemon with what the lab offers on the host's side.
func serve(folder topology.Folder) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return process.Daemon{Folder: folder, Name: "serve"}.Start(self, "--dir", string(folder), "serve")
}

func awaitNodes(ctx context.Context, folder topology.Folder, lab topology.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	for _, region := range lab.Regions {
		work.Go(func() error {
			server, err := cluster.New(folder, region)
			if err != nil {
				return err
			}
			started := func(node topology.Node) time.Time { return machine.OfNode(lab, folder, node).Started() }
			if err := server.NodesReady(ctx, started); err != nil {
				return fmt.Errorf("%w; see %s", err, folder.Logs())
			}
			return nil
		})
	}
	return work.Wait()
}
