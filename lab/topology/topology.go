// Package topology says what a lab consists of and where each part is found: regions, nodes, addresses, folders.
//
// It decides and does nothing: every other package of the lab takes its names and numbers from here, so that two
// labs with different networks can stand on one machine without touching each other.
package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Default values of a lab that was not told otherwise.
const (
	DefaultNetwork = "10.77.0.0/16"
	DefaultRegion  = "ap-northeast-1"
)

// Ports on the host's side of the lab's network.
const (
	BackendPort  = 8000
	FrontendPort = 8001
	AIServerPort = 8002
	// SyntheticPort serves all synthetic services, each below a path of its name.
	SyntheticPort = 8003
	PowerPort     = 8400
	InboxPort     = 8401
	// ObjectStorePort is where what stands in for the estate's object store is asked.
	ObjectStorePort = 8402
)

// APIServerPort is where the API server of every region listens, on the address of its control plane.
const APIServerPort = 6443

// KubeletPort is where the kubelet of every node listens, and MetricsPort where the metrics API does, inside the machine of the control plane.
const (
	KubeletPort = 10250
	MetricsPort = 4443
)

// VolumesPerNode is how many folders for local volumes every node has, /srv/volumes/v01 and so on.
const VolumesPerNode = 12

// RedisFolder is the folder of every node in which Redis servers keep their data. It lies beside the volumes.
const RedisFolder = "/srv/volumes/redis"

// Lab is one lab: everything `lab up` makes and `lab down` removes.
type Lab struct {
	Network netip.Prefix // a /16; the next one holds the pods, the one after that the services
	Profile Profile
	Regions []Region
}

// Region is one Kubernetes cluster: a control plane and its nodes, spread over zones.
type Region struct {
	Number       int // from 1; it is in every address of the region
	Name         string
	ControlPlane netip.Addr
	Services     netip.Prefix
	Nodes        []Node
}

// Node is one machine of a region.
type Node struct {
	Name    string
	Region  string
	Zone    string
	Address netip.Addr
	Pods    netip.Prefix
}

// New lays out a lab with one region in the given /16.
func New(network string, profile Profile) (Lab, error) {
	prefix, err := netip.ParsePrefix(network)
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() != 16 || prefix.Masked() != prefix || prefix.Addr().As4()[1] > 253 {
		return Lab{}, fmt.Errorf("network %q: want an IPv4 /16 such as %s; the two after it hold pods and services", network, DefaultNetwork)
	}
	lab := Lab{Network: prefix, Profile: profile}
	lab.Regions = []Region{lab.region(1, DefaultRegion, []place{{"node-a1", "a"}, {"node-a2", "a"}, {"node-c1", "c"}, {"node-d1", "d"}, {"node-c2", "c"}})}
	return lab, nil
}

type place struct{ node, zone string }

// region numbers its control plane and nodes: region 1 has 10.77.1.10 and 10.77.1.11 on, pods 10.78.11.0/24 on, services 10.79.1.0/24.
func (l Lab) region(number byte, name string, places []place) Region {
	region := Region{
		Number:       int(number),
		Name:         name,
		ControlPlane: l.address(0, number, 10),
		Services:     netip.PrefixFrom(l.address(2, number, 0), 24),
	}
	for i, p := range places {
		ordinal := byte(i + 1)
		region.Nodes = append(region.Nodes, Node{
			Name:    p.node,
			Region:  name,
			Zone:    name + p.zone,
			Address: l.address(0, number, 10+ordinal),
			Pods:    netip.PrefixFrom(l.address(1, 10*number+ordinal, 0), 24),
		})
	}
	return region
}

func (l Lab) address(block, third, fourth byte) netip.Addr {
	octets := l.Network.Addr().As4()
	return netip.AddrFrom4([4]byte{octets[0], octets[1] + block, third, fourth})
}

// Host is the host's own address in the lab's network, where the balancer and the power switch listen.
func (l Lab) Host() netip.Addr { return l.address(0, 0, 1) }

// Pods is the range all pods of all regions are in.
func (l Lab) Pods() netip.Prefix { return netip.PrefixFrom(l.address(1, 0, 0), 16) }

// Services is the range all Services of all regions are in.
func (l Lab) Services() netip.Prefix { return netip.PrefixFrom(l.address(2, 0, 0), 16) }

// Tag begins the name of everything the lab makes in the kernel: network namespaces, links, control groups.
func (l Lab) Tag() string { return fmt.Sprintf("lab%d", l.Network.Addr().As4()[1]) }

// PowerURL is the root of the Redfish service.
func (l Lab) PowerURL() string { return fmt.Sprintf("http://%s:%d", l.Host(), PowerPort) }

// SyntheticURL is what synthetic services are below, each by its name.
func (l Lab) SyntheticURL() string { return fmt.Sprintf("http://%s:%d", l.Host(), SyntheticPort) }

// InboxURL is where the channels of people are told things.
func (l Lab) InboxURL() string { return fmt.Sprintf("http://%s:%d", l.Host(), InboxPort) }

// ObjectStoreURL is the root of what stands in for the estate's object store.
func (l Lab) ObjectStoreURL() string { return fmt.Sprintf("http://%s:%d", l.Host(), ObjectStorePort) }

// Machine is the name of the machine that runs the region's control plane.
func (r Region) Machine() string { return fmt.Sprintf("control-%d", r.Number) }

// Server is the URL of the region's API server, which the host and every node can reach.
func (r Region) Server() string { return fmt.Sprintf("https://%s:%d", r.ControlPlane, APIServerPort) }

// Service is the region's Service address with this last octet; 1 is the API server's own.
func (r Region) Service(last byte) netip.Addr {
	octets := r.Services.Addr().As4()
	octets[3] = last
	return netip.AddrFrom4(octets)
}

// Nodes are the nodes of all regions.
func (l Lab) Nodes() []Node {
	var nodes []Node
	for _, region := range l.Regions {
		nodes = append(nodes, region.Nodes...)
	}
	return nodes
}

// Node finds a node by name.
func (l Lab) Node(name string) (Node, error) {
	var names []string
	for _, node := range l.Nodes() {
		if node.Name == name {
			return node, nil
		}
		names = append(names, node.Name)
	}
	return Node{}, fmt.Errorf("no such node %s: nodes are %s", name, strings.Join(names, ", "))
}

// Region finds a region by name.
func (l Lab) Region(name string) (Region, error) {
	var names []string
	for _, region := range l.Regions {
		if region.Name == name {
			return region, nil
		}
		names = append(names, region.Name)
	}
	return Region{}, fmt.Errorf("no such region %s: regions are %s", name, strings.Join(names, ", "))
}

// InZone are the nodes of a zone; none when there is no such zone.
func (l Lab) InZone(zone string) []Node {
	var found []Node
	for _, node := range l.Nodes() {
		if node.Zone == zone {
			found = append(found, node)
		}
	}
	return found
}

// Zones lists the zones of all regions.
func (l Lab) Zones() []string {
	var zones []string
	for _, node := range l.Nodes() {
		if !slices.Contains(zones, node.Zone) {
			zones = append(zones, node.Zone)
		}
	}
	return zones
}
