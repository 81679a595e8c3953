package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Changes of the estate's plan, by the lines that they replace.
type Changes map[string]string

// Automatic asks nobody and lets recoveries follow each other at once, for runs in a row.
var Automatic = Changes{"needed: 1": "needed: 0", "coolingOff: 10m": "coolingOff: 1ms"}

// AtOnce lets a full outage recover so many services of a tier at the same time.
func AtOnce(services int) Changes {
	return Changes{"  full-outage:\n": fmt.Sprintf("  full-outage:\n    atOnce: %d\n", services)}
}

// Synchronous lets commits wait for one replica. The lab's servers are told by SynchronousCommits.
var Synchronous = Changes{"startGate: true": "startGate: true\n    durability: {mode: synchronous, method: ANY, standbys: 1}"}

// WithPlan is the estate with a changed plan, which is written beside it.
func (e Estate) WithPlan(changes ...Changes) (Estate, error) {
	text, err := os.ReadFile(e.Plan)
	if err != nil {
		return e, fmt.Errorf("read the plan: %w", err)
	}
	changed := string(text)
	for _, some := range changes {
		for before, after := range some {
			if !strings.Contains(changed, before) {
				return e, fmt.Errorf("change %s: it has no line %q", e.Plan, before)
			}
			changed = strings.ReplaceAll(changed, before, after)
		}
	}
	file, err := os.CreateTemp(e.Dir, "plan-*.yaml")
	if err != nil {
		return e, fmt.Errorf("write the changed plan: %w", err)
	}
	_, err = file.WriteString(changed)
	e.Plan = file.Name()
	return e, errors.Join(err, file.Close())
}

// SynchronousCommits lets the commits of a primary wait for one replica, as an operator would, and returns when they do.
func (e Estate) SynchronousCommits(ctx context.Context, primary string) error {
	const set = "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'"
	for _, statement := range []string{set, "SELECT pg_reload_conf()"} {
		if _, err := e.SQL(ctx, primary, statement); err != nil {
			return err
		}
	}
	return Await(ctx, "synchronous replicas", 20*time.Second, func() (bool, string) {
		said, err := e.SQL(ctx, primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'")
		return err == nil && said == "2", said
	})
}

// SQL asks an instance as the superuser of its own machine.
func (e Estate) SQL(ctx context.Context, pod, statement string) (string, error) {
	result, err := e.Kubectl(ctx, "exec", pod, "-c", "postgres", "--", "psql", "-h", "/tmp", "-U", "postgres", "-d", "shodo", "-Atc", statement)
	return strings.TrimSpace(result), err
}
