package network

import (
	"errors"
	"fmt"
	"syscall"
)

// Forget takes away what the last run of a machine left in its network: the bridge of its pods and their links. The kernel
// keeps a dead pod's network for as long as its last connections wait for an answer, up to a minute, and on the bridge it
// would answer for its old address, which a new pod has by then. The machine's own link stays.
func Forget(tag, machine string) error {
	there, err := at(tag, machine)
	if err != nil {
		return err
	}
	defer there.Close()
	links, err := there.LinkList()
	if err != nil {
		return fmt.Errorf("list the links that the last run of %s left: %w", machine, err)
	}
	for _, link := range links {
		name := link.Attrs().Name
		if name == "lo" || name == inner {
			continue
		}
		// A dead pod's network may go away at this moment, and its link with it.
		if err := there.LinkDel(link); err != nil && !errors.Is(err, syscall.ENODEV) {
			return fmt.Errorf("remove link %s that the last run of %s left: %w", name, machine, err)
		}
	}
	return nil
}
