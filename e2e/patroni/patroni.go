// Package patroni puts Patroni, the high-availability manager most used for PostgreSQL, in the place of the lab's own
// instances, so that the same faults under the same writer can be measured with both.
package patroni

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
)

//go:embed manifest.yaml
var manifest string

// Timing is how fast Patroni notices that its leader is gone, in seconds.
type Timing struct {
	TTL, LoopWait, RetryTimeout int
}

// The timings that are compared: those that Patroni ships with, and the shortest that it accepts.
var (
	Default = Timing{TTL: 30, LoopWait: 10, RetryTimeout: 10}
	Fastest = Timing{TTL: 20, LoopWait: 1, RetryTimeout: 3}
)

// servingPatience is how long a cluster may take from nothing to three members that stream.
const servingPatience = 2 * time.Minute

// Install replaces the instances of the estate, which must be as `lab reset` leaves it. `lab reset` does not bring them back;
// take the lab down for that.
func Install(ctx context.Context, e estate.Estate, timing Timing) error {
	address, err := e.Kubectl(ctx, "get", "service", "postgres", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	pod, err := e.Kubectl(ctx, "get", "statefulset", "postgres-primary", "-o",
		"jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.securityContext.runAsUser}")
	if err != nil {
		return err
	}
	image, user, _ := strings.Cut(pod, " ")
	parsed, err := template.New("manifest").Parse(manifest)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, struct {
		Timing
		Address, Image, User string
	}{timing, address, image, user}); err != nil {
		return err
	}
	for _, command := range [][]string{
		{"delete", "statefulset", "postgres-primary", "postgres-replica", "--cascade=foreground", "--timeout=60s"},
		{"delete", "service", "postgres"},
	} {
		if _, err := e.Kubectl(ctx, command...); err != nil {
			return err
		}
	}
	file, err := os.CreateTemp(e.Dir, "patroni-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := os.WriteFile(file.Name(), text.Bytes(), 0o600); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if _, err := e.Kubectl(ctx, "apply", "-f", file.Name()); err != nil {
		return err
	}
	return AwaitWhole(ctx, e)
}

// member is one line of patronictl's list.
type member struct {
	Name  string `json:"Member"`
	Role  string `json:"Role"`
	State string `json:"State"`
	Lag   any    `json:"Lag in MB"`
}

// members asks every machine in turn what Patroni knows: one of them may be off.
func members(ctx context.Context, e estate.Estate) ([]member, error) {
	var last error
	for i := range 3 {
		text, err := ctl(ctx, e, fmt.Sprintf("patroni-%d", i), "list", "--format", "json")
		if err != nil {
			last = err
			continue
		}
		var found []member
		if err := json.Unmarshal([]byte(text), &found); err != nil {
			last = fmt.Errorf("read patronictl's list: %w: %s", err, text)
			continue
		}
		return found, nil
	}
	return nil, last
}

func ctl(ctx context.Context, e estate.Estate, pod string, args ...string) (string, error) {
	return e.Kubectl(ctx, append([]string{"exec", pod, "-c", "postgres", "--", "/usr/bin/python3", "/usr/bin/patronictl", "-c", "/etc/patroni/patroni.yaml"}, args...)...)
}

// AwaitWhole returns when a leader serves and two replicas stream from it and have replayed what it has: otherwise the next fault would
// meet a cluster that has not got over the last one.
func AwaitWhole(ctx context.Context, e estate.Estate) error {
	return estate.Await(ctx, "a whole Patroni cluster", servingPatience, func() (bool, string) {
		found, err := members(ctx, e)
		if err != nil {
			return false, err.Error()
		}
		leaders, replicas := 0, 0
		for _, member := range found {
			switch {
			case member.Role == "Leader" && member.State == "running":
				leaders++
			case member.State == "running" || member.State == "streaming":
				replicas++
			}
		}
		if leaders != 1 || replicas != 2 {
			return false, fmt.Sprint(found)
		}
		leader, err := Leader(ctx, e)
		if err != nil {
			return false, err.Error()
		}
		follow, err := e.SQL(ctx, leader, followers)
		return err == nil && follow == "2", fmt.Sprintf("%s replicas follow %s: %v", follow, leader, err)
	})
}

// followers counts the replicas that stream and lack less than a few writes.
const followers = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) < 65536"

// Leader is the pod of the leader.
func Leader(ctx context.Context, e estate.Estate) (string, error) {
	found, err := members(ctx, e)
	if err != nil {
		return "", err
	}
	for _, member := range found {
		if member.Role == "Leader" {
			return member.Name, nil
		}
	}
	return "", fmt.Errorf("no leader among %v", found)
}

// Switchover hands over to another member and returns when Patroni says that it is done.
func Switchover(ctx context.Context, e estate.Estate) error {
	leader, err := Leader(ctx, e)
	if err != nil {
		return err
	}
	_, err = ctl(ctx, e, leader, "switchover", "--master", leader, "--force", "postgres")
	return err
}

// LoseLeader switches the leader's machine off, and returns when the customers are served again.
func LoseLeader(ctx context.Context, e estate.Estate) error {
	leader, err := Leader(ctx, e)
	if err != nil {
		return err
	}
	node, err := e.Kubectl(ctx, "get", "pod", leader, "-o", "jsonpath={.spec.nodeName}")
	if err != nil {
		return err
	}
	if _, err := e.Lab(ctx, "break", "power-off", node); err != nil {
		return err
	}
	return estate.Await(ctx, "another leader", servingPatience, func() (bool, string) {
		now, err := Leader(ctx, e)
		return err == nil && now != leader, now
	})
}
