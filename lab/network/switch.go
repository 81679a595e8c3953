// Package network connects the machines of a lab and takes them apart.
//
// All machines hang on one bridge, the switch. It lives in a network namespace of its own, with one link to the host:
// the host's firewall never sees what the machines say to each other, and every cut is made in one place.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	switchName = "switch" // the machine-like name of the switch's namespace
	bridgeName = "bridge" // the bridge in it
	hostLink   = "host"   // the switch's end of the link to the host
	inner      = "eth0"   // a machine's own end of its link
)

// Build makes the switch and the host's link to it, with the routes to all pods. What is there already stays. The host's
// link carries the name of the lab's data folder, so that a network always tells whose it is.
func Build(lab topology.Lab, owner topology.Folder) error {
	if err := ensureNamespace(lab.Tag(), switchName); err != nil {
		return err
	}
	hub, err := at(lab.Tag(), switchName)
	if err != nil {
		return err
	}
	defer hub.Close()
	if _, err := hub.LinkByName(bridgeName); err != nil {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
		if err := errors.Join(hub.LinkAdd(bridge), hub.LinkSetUp(bridge)); err != nil {
			return fmt.Errorf("make the switch: %w", err)
		}
	}
	if err := plug(hub, hostLink, lab.Tag(), nil); err != nil {
		return err
	}
	host, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer host.Close()
	link, err := host.LinkByName(lab.Tag())
	if err != nil {
		return err
	}
	if err := host.LinkSetAlias(link, string(owner)); err != nil {
		return fmt.Errorf("mark the lab's network as that of %s: %w", owner, err)
	}
	if err := address(host, lab.Tag(), netip.PrefixFrom(lab.Host(), lab.Network.Bits())); err != nil {
		return err
	}
	return routes(host, lab, "")
}

// Attach gives a machine its network namespace with a link to the switch, its address and the routes to all pods.
func Attach(lab topology.Lab, machine string, own netip.Addr) error {
	if err := ensureNamespace(lab.Tag(), machine); err != nil {
		return err
	}
	hub, err := at(lab.Tag(), switchName)
	if err != nil {
		return err
	}
	defer hub.Close()
	handle, err := netns.GetFromName(Namespace(lab.Tag(), machine))
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := plug(hub, machine, inner, &handle); err != nil {
		return err
	}
	there, err := netlink.NewHandleAt(handle)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := up(there, "lo"); err != nil {
		return err
	}
	if err := address(there, inner, netip.PrefixFrom(own, lab.Network.Bits())); err != nil {
		return err
	}
	if err := routes(there, lab, machine); err != nil {
		return err
	}
	return route(there, netip.PrefixFrom(netip.IPv4Unspecified(), 0), lab.Host())
}

func at(tag, machine string) (*netlink.Handle, error) {
	handle, err := netns.GetFromName(Namespace(tag, machine))
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", Namespace(tag, machine), err)
	}
	defer handle.Close()
	return netlink.NewHandleAt(handle)
}

// plug makes a pair of links: one end in the switch, the other in the namespace given, or on the host.
func plug(hub *netlink.Handle, outer, peer string, namespace *netns.NsHandle) error {
	if _, err := hub.LinkByName(outer); err == nil {
		return nil
	}
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: outer}, PeerName: peer}
	if namespace != nil {
		pair.PeerNamespace = netlink.NsFd(int(*namespace))
	} else {
		// Not /proc/self, which is the first thread's: a goroutine that went into another namespace may have ended on that one.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		own, err := netns.Get()
		if err != nil {
			return fmt.Errorf("find the host's network namespace: %w", err)
		}
		defer own.Close()
		pair.PeerNamespace = netlink.NsFd(int(own))
	}
	if err := hub.LinkAdd(pair); err != nil {
		return fmt.Errorf("connect %s to the switch: %w", outer, err)
	}
	return errors.Join(join(hub, outer), up(hub, outer))
}

func up(handle *netlink.Handle, name string) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	return handle.LinkSetUp(link)
}

func address(handle *netlink.Handle, name string, own netip.Prefix) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	if err := handle.AddrReplace(link, &netlink.Addr{IPNet: ipNet(own)}); err != nil {
		return fmt.Errorf("give %s the address %s: %w", name, own, err)
	}
	return handle.LinkSetUp(link)
}

// routes leads the pods of every node but the one named through that node: pods see each other's real addresses, in
// all regions, and nothing is translated.
func routes(handle *netlink.Handle, lab topology.Lab, self string) error {
	for _, node := range lab.Nodes() {
		if node.Name == self {
			continue
		}
		if err := route(handle, node.Pods, node.Address); err != nil {
			return err
		}
	}
	return nil
}

func route(handle *netlink.Handle, to netip.Prefix, via netip.Addr) error {
	if err := handle.RouteReplace(&netlink.Route{Dst: ipNet(to), Gw: via.AsSlice()}); err != nil {
		return fmt.Errorf("route %s via %s: %w", to, via, err)
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)}
}
