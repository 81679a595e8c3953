package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// Cut takes a machine off the switch. Its link stays up, so the machine itself notices nothing but silence.
func Cut(tag, machine string) error {
	return onLink(tag, machine, "cut", func(hub *netlink.Handle, link netlink.Link) error { return hub.LinkSetNoMaster(link) })
}

// Join puts a machine back on the switch.
func Join(tag, machine string) error {
	return onLink(tag, machine, "join", func(hub *netlink.Handle, _ netlink.Link) error { return join(hub, machine) })
}

// IsCut says whether a machine is off the switch.
func IsCut(tag, machine string) (cut bool, err error) {
	err = onLink(tag, machine, "look at", func(_ *netlink.Handle, link netlink.Link) error {
		cut = link.Attrs().MasterIndex == 0
		return nil
	})
	return cut, err
}

func onLink(tag, machine, verb string, act func(*netlink.Handle, netlink.Link) error) error {
	hub, err := at(tag, switchName)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, machine, err)
	}
	defer hub.Close()
	link, err := hub.LinkByName(machine)
	if err == nil {
		err = act(hub, link)
	}
	if err != nil {
		return fmt.Errorf("%s %s at the switch: %w", verb, machine, err)
	}
	return nil
}

func join(hub *netlink.Handle, name string) error {
	bridge, err := hub.LinkByName(bridgeName)
	if err != nil {
		return err
	}
	link, err := hub.LinkByName(name)
	if err != nil {
		return err
	}
	return hub.LinkSetMaster(link, bridge)
}

// Pair is two machines that cannot hear each other although both hear everybody else.
type Pair struct{ A, B string }

// Partitions makes and heals pairwise cuts, with the nft of the unpacked packages.
type Partitions struct {
	Tag      string
	Packages string // root of the unpacked packages
}

// The switch drops every frame whose way in and way out are a pair of the set.
const partitionTable = `add table bridge lab
add set bridge lab pairs { typeof iifname . oifname; }
add chain bridge lab cuts { type filter hook forward priority 0; }
flush chain bridge lab cuts
add rule bridge lab cuts iifname . oifname @pairs drop
`

// Cut drops everything between the two machines, both ways.
func (p Partitions) Cut(ctx context.Context, pair Pair) error {
	_, err := p.nft(ctx, partitionTable+"add element bridge lab pairs "+elements(pair)+"\n", "-f", "-")
	return err
}

// Heal lets the two machines hear each other again.
func (p Partitions) Heal(ctx context.Context, pair Pair) error {
	_, err := p.nft(ctx, "delete element bridge lab pairs "+elements(pair)+"\n", "-f", "-")
	return err
}

func elements(pair Pair) string {
	return fmt.Sprintf("{ %q . %q, %q . %q }", pair.A, pair.B, pair.B, pair.A)
}

// List returns the pairs that are cut, each once.
func (p Partitions) List(ctx context.Context) ([]Pair, error) {
	tables, err := p.nft(ctx, "", "list", "tables", "bridge")
	if err != nil || !strings.Contains(string(tables), "table bridge lab") {
		return nil, err
	}
	output, err := p.nft(ctx, "", "--json", "list", "set", "bridge", "lab", "pairs")
	if err != nil {
		return nil, err
	}
	var listing struct {
		NFTables []struct {
			Set struct {
				Elements []struct {
					Concat []string `json:"concat"`
				} `json:"elem"`
			} `json:"set"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(output, &listing); err != nil {
		return nil, fmt.Errorf("read the pairwise cuts: %w", err)
	}
	var pairs []Pair
	for _, object := range listing.NFTables {
		for _, element := range object.Set.Elements {
			if len(element.Concat) == 2 && element.Concat[0] < element.Concat[1] {
				pairs = append(pairs, Pair{A: element.Concat[0], B: element.Concat[1]})
			}
		}
	}
	return pairs, nil
}

// nft runs the packages' nft in the switch, with the packages' libraries.
func (p Partitions) nft(ctx context.Context, script string, args ...string) (output []byte, err error) {
	program := filepath.Join(p.Packages, "usr", "sbin", "nft")
	if _, err := os.Stat(program); err != nil {
		program = "nft" // the host has the package itself, so it was not fetched
	}
	libraries, _ := filepath.Glob(filepath.Join(p.Packages, "usr", "lib", "*-linux-gnu"))
	err = Inside(p.Tag, switchName, func() error {
		command := exec.CommandContext(ctx, program, args...)
		command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
		command.Stdin = strings.NewReader(script)
		output, err = command.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("change the pairwise cuts with nft: %w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return err
	})
	return output, err
}
