package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// Owner is the data folder of the lab whose network has this tag; empty when there is none.
func Owner(tag string) topology.Folder {
	link, err := netlink.LinkByName(tag)
	if err != nil {
		return ""
	}
	return topology.Folder(link.Attrs().Alias)
}

// TagOf finds the network of a lab whose state is lost, by the data folder it was made for; empty when there is none.
func TagOf(owner topology.Folder) string {
	links, err := netlink.LinkList()
	if err != nil {
		return ""
	}
	for _, link := range links {
		if link.Attrs().Alias == string(owner) {
			return link.Attrs().Name
		}
	}
	return ""
}

// Free refuses a network that another lab or the host itself already uses.
func Free(lab topology.Lab, folder topology.Folder) error {
	if _, err := netlink.LinkByName(lab.Tag()); err == nil {
		if owner := Owner(lab.Tag()); owner != "" && owner != folder {
			return fmt.Errorf("network %s is that of the lab in %s; choose another with: lab up --network %s, or take that one away with: lab down --dir %s",
				lab.Network, owner, another(lab), owner)
		}
		return nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, used := range addresses {
		prefix, err := netip.ParsePrefix(used.String())
		if err != nil {
			continue
		}
		for _, wanted := range []netip.Prefix{lab.Network, lab.Pods(), lab.Services()} {
			if prefix.Overlaps(wanted) {
				return fmt.Errorf("the lab's network %s overlaps the host's %s; choose another with: lab up --network %s", wanted, prefix, another(lab))
			}
		}
	}
	return nil
}

// another is a network that does not touch the lab's.
func another(lab topology.Lab) string {
	second := lab.Network.Addr().As4()[1]
	return fmt.Sprintf("10.%d.0.0/16", (int(second)+10)%250)
}

// Remove takes the whole network away, also what is left of one that broke. The link that says whose it was goes last.
func Remove(tag string) error {
	if err := removeNamespaces(tag); err != nil {
		return err
	}
	// Gone again if nobody else has a network namespace.
	_ = os.Remove(folder)
	link, err := netlink.LinkByName(tag)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(link)
}
