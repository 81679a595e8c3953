// Package faults breaks a lab and mends it. Nothing is remembered: what is broken is read from the machines, the switch
// and the control planes themselves.
package faults

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/controlplane"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/network"
	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/smalldisk"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// Lab is a lab that is up.
type Lab struct {
	topology.Lab
	Folder topology.Folder
}

// Load finds the lab in the folder.
func Load(folder topology.Folder) (Lab, error) {
	lab, _, err := topology.Load(folder)
	return Lab{Lab: lab, Folder: folder}, err
}

func (l Lab) partitions() network.Partitions {
	return network.Partitions{Tag: l.Tag(), Packages: l.Folder.Packages()}
}

func (l Lab) machine(node topology.Node) machine.Machine {
	return machine.OfNode(l.Lab, l.Folder, node)
}

// PowerOff takes the node's power away and returns when it is proven off.
func (l Lab) PowerOff(ctx context.Context, node topology.Node) error {
	// Cut first: a machine without power sends nobody a farewell, but the kernel would close its connections in its name.
	if err := network.Cut(l.Tag(), node.Name); err != nil {
		return err
	}
	return l.machine(node).PowerOff(ctx)
}

// Freeze stops the node as a paused virtual machine stops: no process runs and nothing answers. Its processes are stopped
// in the middle of what they do, and go on with it when the node is mended.
func (l Lab) Freeze(node topology.Node) error {
	m := l.machine(node)
	if !m.On() {
		return fmt.Errorf("freeze %s: it is off", node.Name)
	}
	// Cut first: the kernel of a frozen machine would still complete TCP handshakes.
	if err := network.Cut(l.Tag(), node.Name); err != nil {
		return err
	}
	return m.Freeze()
}

// Cut takes the node off the network. Everything in it runs on and finds nobody.
func (l Lab) Cut(node topology.Node) error { return network.Cut(l.Tag(), node.Name) }

// Partition makes two nodes deaf to each other; everybody else hears both.
func (l Lab) Partition(ctx context.Context, a, b topology.Node) error {
	if a.Name == b.Name {
		return fmt.Errorf("partition %s from itself: name two different nodes", a.Name)
	}
	return l.partitions().Cut(ctx, network.Pair{A: a.Name, B: b.Name})
}

// Stop kills one service of a region's control plane and keeps it down.
func (l Lab) Stop(region topology.Region, service string) error {
	return controlplane.Stop(l.Folder, region.Name, service)
}

// Slow makes a service of a region's control plane stand still for that long at a time.
func (l Lab) Slow(region topology.Region, service string, still time.Duration) error {
	return controlplane.Slow(l.Folder, region.Name, service, still)
}

// Resume undoes what was done to a service of a region's control plane.
func (l Lab) Resume(region topology.Region, service string) error {
	return controlplane.Resume(l.Folder, region.Name, service)
}

// Mend undoes every fault of the node: it is put back on the network, hears everybody, and runs.
func (l Lab) Mend(ctx context.Context, node topology.Node) error {
	if err := l.heal(ctx, func(pair network.Pair) bool { return pair.A == node.Name || pair.B == node.Name }); err != nil {
		return err
	}
	return l.wake(ctx, node)
}

// MendAll undoes every fault of the lab. Of a new lab nothing runs yet, so it is also what starts one.
func (l Lab) MendAll(ctx context.Context) error {
	if err := l.heal(ctx, func(network.Pair) bool { return true }); err != nil {
		return err
	}
	for _, region := range l.Regions {
		for _, service := range []string{controlplane.Etcd, controlplane.APIServer} {
			if err := l.Resume(region, service); err != nil {
				return err
			}
		}
	}
	if err := objectstore.Mend(l.Folder); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	for _, region := range l.Regions {
		work.Go(func() error { return machine.OfControlPlane(l.Lab, l.Folder, region).Start(ctx) })
	}
	for _, node := range l.Nodes() {
		work.Go(func() error { return l.wake(ctx, node) })
	}
	return work.Wait()
}

// heal ends the pairwise cuts that are meant.
func (l Lab) heal(ctx context.Context, meant func(network.Pair) bool) error {
	pairs, err := l.partitions().List(ctx)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		if meant(pair) {
			if err := l.partitions().Heal(ctx, pair); err != nil {
				return err
			}
		}
	}
	return nil
}

// wake frees the node's disks, puts it on the network, thaws it and switches it on.
func (l Lab) wake(ctx context.Context, node topology.Node) error {
	for number := 1; number <= topology.VolumesPerNode; number++ {
		folder, _ := l.Folder.Volume(node.Name, number)
		if !smalldisk.Filled(folder) {
			continue
		}
		if err := smalldisk.Free(folder); err != nil {
			return err
		}
	}
	if err := network.Join(l.Tag(), node.Name); err != nil {
		return err
	}
	m := l.machine(node)
	if err := m.Thaw(); err != nil {
		return fmt.Errorf("thaw %s: %w", node.Name, err)
	}
	return m.Start(ctx)
}
