package estate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
)

const (
	machinesPatience = time.Minute
	// unheard is how many writes only the primary has when it dies.
	unheard = 20
)

// LoseWrites fails over while the primary has acknowledged writes that no replica has received: nobody hears it but an application
// server. It returns the numbers of the acknowledged writes that are gone, by the referee. Every machine is up again then. A worker
// whose plan asks nobody must be at work, and the estate as `lab reset` leaves it.
func (e Estate) LoseWrites(ctx context.Context) ([]int64, error) {
	if err := e.isolatePrimary(ctx); err != nil {
		return nil, err
	}
	if err := e.Each(ctx, "break power-off primary"); err != nil {
		return nil, err
	}
	got, result, err := e.Recover(ctx, workflows.Failover, "--override", workflows.GuardDataLoss)
	if err == nil && got.Outcome != report.Recovered {
		err = fmt.Errorf("the failover ended %s: %s\n%s", got.Outcome, got.Summary, result.Stderr)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.Each(ctx, "referee stop", "mend all"), e.AwaitMachines(ctx)); err != nil {
		return nil, err
	}
	if _, err := e.Kubectl(ctx, "scale", "deployment", "shodo-backend", "--replicas=2"); err != nil {
		return nil, err
	}
	verdict, err := e.Verdict(ctx)
	if err == nil && len(verdict.Lost) == 0 {
		err = errors.New("no acknowledged write is gone, so this shows nothing")
	}
	return verdict.Lost, err
}

// isolatePrimary lets the customer write to a primary that no replica hears.
func (e Estate) isolatePrimary(ctx context.Context) error {
	for _, command := range []string{
		"scale deployment shodo-backend --replicas=5", // one of them at least on a machine without a replica
		"rollout status deployment shodo-backend --timeout=60s",
	} {
		if _, err := e.Kubectl(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	primary, err := e.NodeOf(ctx, "postgres-primary-0")
	if err != nil {
		return err
	}
	if err := e.Each(ctx, "referee start"); err != nil {
		return err
	}
	for _, pod := range []string{"postgres-replica-0", "postgres-replica-1"} {
		replica, err := e.NodeOf(ctx, pod)
		if err != nil {
			return err
		}
		if err := e.Each(ctx, "break partition "+primary+" "+replica); err != nil {
			return err
		}
	}
	before, err := e.Acknowledged()
	if err != nil {
		return err
	}
	return Await(ctx, "writes that no replica receives", 20*time.Second, func() (bool, string) {
		now, err := e.Acknowledged()
		return err == nil && len(now) >= len(before)+unheard, "no application server reaches the primary"
	})
}

// NodeOf is the machine that a pod runs on.
func (e Estate) NodeOf(ctx context.Context, pod string) (string, error) {
	node, err := e.Kubectl(ctx, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")
	return strings.TrimSpace(node), err
}

// AwaitMachines returns when every machine is Ready and has said so since: one that was off for a few seconds only still counts
// as Ready until Kubernetes notices.
func (e Estate) AwaitMachines(ctx context.Context) error {
	since := time.Now()
	return Await(ctx, "Ready machines", machinesPatience, func() (bool, string) {
		nodes, err := e.Kubectl(ctx, "get", "nodes", "--no-headers")
		if err != nil {
			return false, err.Error()
		}
		beats, err := e.Kubectl(ctx, "get", "leases", "--namespace", "kube-node-lease", "-o", "jsonpath={.items[*].spec.renewTime}")
		return err == nil && !strings.Contains(nodes, "NotReady") && allAfter(strings.Fields(beats), since), nodes + beats
	})
}

func allAfter(moments []string, since time.Time) bool {
	for _, moment := range moments {
		if at, err := time.Parse(time.RFC3339Nano, moment); err != nil || at.Before(since) {
			return false
		}
	}
	return len(moments) > 0
}

// Acknowledged are the numbers of the writes that the referee had acknowledged.
func (e Estate) Acknowledged() (map[int64]bool, error) {
	text, err := os.ReadFile(filepath.Join(e.Dir, "referee.jsonl"))
	if err != nil {
		return nil, err
	}
	all := map[int64]bool{}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Number int64 `json:"number"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil { // the last line may still be under way
			all[entry.Number] = true
		}
	}
	return all, nil
}

// OnVolumes are the paths of a file or folder on the machines' volumes.
func (e Estate) OnVolumes(path string) ([]string, error) {
	return filepath.Glob(filepath.Join(e.Dir, "machines", "*", "volumes", "*", path))
}

// Ledger is the one ledger on the machines' volumes: its text, and the numbers of the writes in it.
func (e Estate) Ledger() (text []byte, numbers []int64, err error) {
	files, err := e.OnVolumes("set-aside/rejoin-*/ledger.jsonl")
	if err != nil || len(files) != 1 {
		return nil, nil, errors.Join(err, fmt.Errorf("%d ledgers on the volumes, not one: %v", len(files), files))
	}
	if text, err = os.ReadFile(files[0]); err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Table string `json:"table"`
			Row   *struct {
				Number int64 `json:"number"`
			} `json:"row"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			return nil, nil, fmt.Errorf("read the ledger: %w: %s", err, line)
		}
		if entry.Row != nil && entry.Table != "public.writes" {
			return nil, nil, fmt.Errorf("a row of table %s in the ledger, which nobody wrote to", entry.Table)
		}
		if entry.Row != nil {
			numbers = append(numbers, entry.Row.Number)
		}
	}
	return text, numbers, nil
}

// CompareLedger holds the ledger to the referee's list, row by row: of the writes that were acknowledged, those in the ledger that
// the database does not have are exactly the missing ones. The others in it were never acknowledged, or are there again.
func (e Estate) CompareLedger(ctx context.Context, missing []int64) (rows int, err error) {
	_, kept, err := e.Ledger()
	if err != nil {
		return 0, err
	}
	primary, err := e.Kubectl(ctx, "get", "configmap", "postgres-role", "-o", "jsonpath={.data.primary}")
	if err != nil {
		return 0, err
	}
	there, err := e.Kubectl(ctx, "exec", primary, "--", "psql", "-h", "/tmp", "-U", "postgres", "-XAt", "shodo", "-c", "SELECT number FROM writes")
	if err != nil {
		return 0, err
	}
	agreed, err := e.Acknowledged()
	if err != nil {
		return 0, err
	}
	present := map[string]bool{}
	for number := range strings.FieldsSeq(there) {
		present[number] = true
	}
	var owed []int64
	for _, number := range kept {
		if agreed[number] && !present[fmt.Sprint(number)] {
			owed = append(owed, number)
		}
	}
	slices.Sort(owed)
	missing = slices.Clone(missing)
	slices.Sort(missing)
	if !slices.Equal(owed, missing) {
		return len(kept), fmt.Errorf("the ledger's acknowledged rows that are gone are not the referee's: %d and %d: %v, %v", len(owed), len(missing), owed, missing)
	}
	return len(kept), nil
}
