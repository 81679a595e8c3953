package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/cgroup"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/network"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/smalldisk"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// kept is what of the data folder survives `lab down`.
var kept = map[string]bool{"cache": true, "logs": true, "lock": true}

// Down takes the lab away: processes, network, control groups and data. It needs nothing of the lab to work, and may be
// called after a crash, or twice. With purge the caches, the logs and the folder itself go too.
func Down(ctx context.Context, folder topology.Folder, purge bool) error {
	if os.Geteuid() != 0 {
		return errors.New("the lab's machines belong to root; run lab down with sudo")
	}
	tag, err := tagOf(folder)
	if err != nil {
		return err
	}
	err = process.StopAll(ctx, folder)
	if tag != "" {
		err = errors.Join(err, removeMachines(ctx, folder, tag))
		if err == nil {
			err = errors.Join(cgroup.RemoveTag(tag), network.Remove(tag))
		}
	}
	err = errors.Join(err, smalldisk.Remove(string(folder)))
	if err != nil {
		// The state stays, so that a second try knows what to look for.
		return fmt.Errorf("take the lab away: %w; try again with: lab down", err)
	}
	if purge {
		return os.RemoveAll(string(folder))
	}
	return removeData(folder)
}

// tagOf finds out which lab is the folder's: by its state, or by what its network says. The lab of another folder with
// the same network is never touched.
func tagOf(folder topology.Folder) (string, error) {
	lab, _, err := topology.Load(folder)
	if errors.Is(err, topology.ErrNoLab) {
		return network.TagOf(folder), nil
	}
	if err != nil {
		return "", err
	}
	if owner := network.Owner(lab.Tag()); owner != "" && owner != folder {
		return "", nil
	}
	return lab.Tag(), nil
}

// removeMachines switches off every machine that has a control group, whether or not the lab's plan still names it.
func removeMachines(ctx context.Context, folder topology.Folder, tag string) error {
	var work errgroup.Group
	for _, name := range cgroup.Machines(tag) {
		work.Go(func() error {
			m := machine.Machine{Tag: tag, Name: name, Folder: folder.Machine(name)}
			if err := m.PowerOff(ctx); err != nil {
				return err
			}
			return cgroup.Group{Tag: tag, Machine: name}.Remove()
		})
	}
	return work.Wait()
}

// removeData removes the state last: as long as it is there, `lab down` knows the lab.
func removeData(folder topology.Folder) error {
	entries, err := os.ReadDir(string(folder))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !kept[entry.Name()] && entry.Name() != filepath.Base(folder.State()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(string(folder), entry.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove the lab's data: %w", err)
	}
	if err := os.Remove(folder.State()); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
