package faults

import (
	"context"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/controlplane"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/network"
	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/smalldisk"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// lookWithin bounds how long status waits for an API server that does not answer.
const lookWithin = 2 * time.Second

// Status is what the lab is like now.
type Status struct {
	Network string         `json:"network"`
	Profile string         `json:"profile"`
	Started time.Time      `json:"started"`
	Daemon  bool           `json:"daemon"` // whether the power switch and the balancer are served
	Power   string         `json:"power"`  // URL of the power switch
	Regions []RegionStatus `json:"regions"`
	// ObjectStore is how what the estate needs of others is out of order: refuse, hang or 503.
	ObjectStore objectstore.Fault `json:"objectStore,omitempty"`
}

// RegionStatus is one region's.
type RegionStatus struct {
	Name         string `json:"name"`
	Server       string `json:"server"`
	ControlPlane string `json:"controlPlane"` // on, off, or which service is stopped
	Answers      bool   `json:"answers"`      // whether the API server answers
	// Slow is how long the API server stands still at a time; 0: it is as fast as it can.
	Slow  time.Duration `json:"slow,omitempty"`
	Nodes []NodeStatus  `json:"nodes"`
}

// NodeStatus is one node's.
type NodeStatus struct {
	Name    string `json:"name"`
	Zone    string `json:"zone"`
	Address string `json:"address"`
	// Power is On, Off (proven) or Unknown.
	Power  string   `json:"power"`
	Faults []string `json:"faults,omitempty"` // frozen, cut, deaf to NODE, full: VOLUME
	// Ready is True or False as the API server has it, or Unknown when it does not answer.
	Ready string `json:"ready"`
}

// Status looks at everything.
func (l Lab) Status(ctx context.Context) (Status, error) {
	_, state, err := topology.Load(l.Folder)
	if err != nil {
		return Status{}, err
	}
	_, serving := process.Daemon{Folder: l.Folder, Name: "serve"}.Running()
	status := Status{Network: state.Network, Profile: state.Profile, Started: state.Started, Daemon: serving, Power: l.PowerURL(), ObjectStore: objectstore.Broken(l.Folder)}
	// A switch that is gone has no pairs; what each node says of its own link then tells.
	pairs, _ := l.partitions().List(ctx)
	for _, region := range l.Regions {
		status.Regions = append(status.Regions, l.region(ctx, region, pairs))
	}
	return status, nil
}

func (l Lab) region(ctx context.Context, region topology.Region, pairs []network.Pair) RegionStatus {
	status := RegionStatus{Name: region.Name, Server: region.Server(), ControlPlane: "on"}
	for _, service := range []string{controlplane.Etcd, controlplane.APIServer} {
		if controlplane.Stopped(l.Folder, region.Name, service) {
			status.ControlPlane = service + " stopped"
		}
	}
	if !machine.OfControlPlane(l.Lab, l.Folder, region).On() {
		status.ControlPlane = "off"
	}
	if status.ControlPlane == "on" {
		status.Slow = controlplane.Pause(l.Folder, region.Name, controlplane.APIServer)
	}
	ready := map[string]bool{}
	if server, err := cluster.New(l.Folder, region); err == nil && status.ControlPlane == "on" {
		patient, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		ready, err = server.Nodes(patient)
		status.Answers = err == nil
	}
	for _, node := range region.Nodes {
		seen := NodeStatus{Name: node.Name, Zone: node.Zone, Address: node.Address.String(), Power: l.powerOf(node), Faults: l.faultsOf(node, pairs), Ready: "Unknown"}
		if status.Answers {
			seen.Ready = "False"
			if ready[node.Name] {
				seen.Ready = "True"
			}
		}
		status.Nodes = append(status.Nodes, seen)
	}
	return status
}

func (l Lab) powerOf(node topology.Node) string {
	m := l.machine(node)
	switch {
	case m.On():
		return "On"
	case m.Off() == nil:
		return "Off"
	default:
		return "Unknown"
	}
}

func (l Lab) faultsOf(node topology.Node, pairs []network.Pair) []string {
	var found []string
	if l.machine(node).Frozen() {
		found = append(found, "frozen")
	}
	switch cut, err := network.IsCut(l.Tag(), node.Name); {
	case err != nil:
		found = append(found, "no network")
	case cut:
		found = append(found, "cut")
	}
	for number := 1; number <= topology.VolumesPerNode; number++ {
		if folder, volume := l.Folder.Volume(node.Name, number); smalldisk.Filled(folder) {
			found = append(found, "full: "+volume)
		}
	}
	for _, pair := range pairs {
		if pair.A == node.Name {
			found = append(found, "deaf to "+pair.B)
		}
		if pair.B == node.Name {
			found = append(found, "deaf to "+pair.A)
		}
	}
	return found
}
