package estate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Reset brings the database back to its very first state, empty and with postgres-primary-0 as its primary, however many
// recoveries have changed it since. All machines must be on.
func (e Estate) Reset(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "configmap", "postgres-role", "-n", "shodo", "--ignore-not-found"},
		{"delete", "statefulset", "postgres-primary", "postgres-replica", "-n", "shodo", "--ignore-not-found", "--cascade=foreground"},
		{"delete", "pod", "-n", "shodo", "-l", "app=postgres", "--ignore-not-found", "--grace-period=1", "--timeout=30s"},
		{"delete", "pvc", "--all", "-n", "shodo", "--timeout=30s"},
		{"delete", "pv", "--all", "--timeout=30s"},
		{"delete", "service", "postgres", "-n", "shodo", "--ignore-not-found"},
		{"delete", "lease", "--all", "-n", "shodo"},
	} {
		if _, err := e.kubectl(ctx, nil, args...); err != nil {
			return fmt.Errorf("put the database back: %w; are all machines on? lab mend all", err)
		}
	}
	if err := e.wipe(); err != nil {
		return err
	}
	return e.Up(ctx)
}

// wipe empties the volumes on the machines' disks.
func (e Estate) wipe() error {
	for _, node := range e.Region.Nodes {
		kept, err := filepath.Glob(filepath.Join(e.Folder.Machine(node.Name), "volumes", "*", "*"))
		if err != nil {
			return err
		}
		for _, path := range kept {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("empty the volumes of %s: %w", node.Name, err)
			}
		}
	}
	return nil
}
