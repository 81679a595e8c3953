//go:build e2e

package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// rejoinWrites are the activities of a rejoin that change something, in its order.
var rejoinWrites = []string{"AcquireLease", "OpenVolume", "TakeData", "FindLost", "Replay", "WriteLedger", "Rewind", "ReturnData", "CloseVolume", "LetUp", "ReleaseLease"}

// A rejoin's worker dies at every boundary of one run, each time replaced by one that dies at the next. What it leaves is what an undisturbed
// one leaves: the rows that the customer misses, and a replica.
func TestRejoin_RowsThatTheCustomerMisses_AreInTheLedgerAlthoughEveryWorkerDies(t *testing.T) {
	fresh(t)
	missing := loseRows(t)
	e := automatic(t)
	worker := staff(t, e, doomed(t, rejoinWrites[0]+" before"))
	detachedRun(t, workflows.Rejoining)
	for i, name := range rejoinWrites {
		next := []string{name + " after"}
		if i+1 < len(rejoinWrites) {
			next = append(next, rejoinWrites[i+1]+" before")
		}
		for _, point := range next {
			awaitDeath(t, worker)
			worker = staff(t, e, doomed(t, point))
		}
	}
	awaitDeath(t, worker)
	staff(t, e, estate.Crew{})
	got := awaitEndOf(t, workflows.Rejoining)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Empty(t, factNamed(got, "not rewound"), "it was rewound once, not cloned")
	requireKept(t, got, missing)
	requireReplica(t)
}

func awaitDeath(t *testing.T, worker *estate.Worker) {
	t.Helper()
	select {
	case <-worker.Ended():
	case <-time.After(time.Minute):
		t.Fatal("the worker did not come to the point where it dies")
	}
}

// The maintenance pod is killed while the rewind writes: what it leaves is no data directory, and is never started.
func TestRejoin_TheRewindIsKilledHalfWay_TheRowsAreKeptAndItClones(t *testing.T) {
	fresh(t)
	missing := loseRows(t)
	staff(t, automatic(t), estate.Crew{})
	detachedRun(t, workflows.Rejoining)
	require.NoError(t, estate.Await(t.Context(), "the rewind", time.Minute, func() (bool, string) {
		return len(onVolumes(t, "rejoin/rewinding")) == 1, "no mark of a rewind"
	}))
	kubectl(t, "delete", "pod", "postgres-primary-0-rejoin", "--grace-period=0", "--force")
	got := awaitEndOf(t, workflows.Rejoining)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, factNamed(got, "not rewound"), "interrupted")
	requireKept(t, got, missing)
	requireReplica(t)
	require.Len(t, onVolumes(t, "set-aside/rejoin-2/data"), 1)
}

func TestRejoin_Again_IsRefusedBecauseItIsAReplica(t *testing.T) {
	fresh(t)
	staff(t, automatic(t), estate.Crew{})
	do(t, "break", "power-off", "primary")
	require.Equal(t, report.Recovered, failOver(t).Outcome)
	do(t, "mend", "all")
	awaitMachines(t)
	require.Equal(t, report.Recovered, rejoin(t).Outcome)
	result, err := lab.Fukkyu(t.Context(), "run", "rejoin", "--database", "shodo", "--by", "yuki")
	require.NoError(t, err)
	require.Equal(t, 3, result.Exit, result.Stderr)
	require.Contains(t, result.Stderr, "StatefulSet postgres-primary wants postgres-primary-0")
}

func rejoin(t *testing.T) report.Report {
	t.Helper()
	got, result, err := lab.Recover(t.Context(), workflows.Rejoining)
	require.NoError(t, err)
	require.NotEmpty(t, got.Outcome, result.Stderr)
	return got
}

// loseRows fails over while the primary has acknowledged writes that no replica has received: nobody hears it but an application server. It returns
// the numbers of the acknowledged writes that are gone. Every machine is up again.
func loseRows(t *testing.T) []int64 {
	t.Helper()
	worker := staff(t, automatic(t), estate.Crew{})
	kubectl(t, "scale", "deployment", "shodo-backend", "--replicas=5") // one of them at least on a machine without a replica
	t.Cleanup(func() { _, _ = lab.Kubectl(t.Context(), "scale", "deployment", "shodo-backend", "--replicas=2") })
	kubectl(t, "rollout", "status", "deployment", "shodo-backend", "--timeout=60s")
	do(t, "referee", "start")
	nodes := func(pods ...string) []string {
		return strings.Fields(kubectl(t, append([]string{"get", "pod", "-o", "jsonpath={.items[*].spec.nodeName}"}, pods...)...))
	}
	for _, replica := range nodes("postgres-replica-0", "postgres-replica-1") {
		do(t, "break", "partition", primaryNode(t), replica)
	}
	before := acknowledged(t)
	require.NoError(t, estate.Await(t.Context(), "writes that no replica receives", 10*time.Second, func() (bool, string) {
		return acknowledged(t) >= before+20, "no application server reaches the primary"
	}))
	do(t, "break", "power-off", "primary")
	got := failOver(t, "--override", workflows.GuardDataLoss)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	do(t, "referee", "stop")
	worker.Kill()
	do(t, "mend", "all")
	awaitMachines(t)
	var verdict struct {
		Lost []int64 `json:"lost"`
	}
	require.NoError(t, json.Unmarshal([]byte(do(t, "referee", "verdict", "--output", "json")), &verdict))
	require.NotEmpty(t, verdict.Lost)
	return verdict.Lost
}

func primaryNode(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(kubectl(t, "get", "pod", look(t).role, "-o", "jsonpath={.spec.nodeName}"))
}

func acknowledged(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Dir, "referee.jsonl"))
	require.NoError(t, err)
	return strings.Count(string(text), "\n")
}

func awaitMachines(t *testing.T) {
	t.Helper()
	require.NoError(t, estate.Await(t.Context(), "Ready machines", time.Minute, func() (bool, string) {
		nodes := kubectl(t, "get", "nodes", "--no-headers")
		return !strings.Contains(nodes, "NotReady"), nodes
	}))
}

// onVolumes are the paths of a file or folder on the machines' volumes.
func onVolumes(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(lab.Dir, "machines", "*", "volumes", "*", path))
	require.NoError(t, err)
	return found
}

// requireKept holds the ledger to the referee, row by row: whatever the customer misses is in it, and whatever else is in it was never
// acknowledged or has been written again since.
func requireKept(t *testing.T, got report.Report, missing []int64) {
	t.Helper()
	files := onVolumes(t, "set-aside/rejoin-2/ledger.jsonl")
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	digest := sha256.Sum256(text)
	require.Contains(t, factNamed(got, "ledger"), hex.EncodeToString(digest[:]))
	kept := map[int64]bool{}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Table string `json:"table"`
			Row   *struct {
				Number int64 `json:"number"`
			} `json:"row"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if entry.Row != nil {
			require.Equal(t, "public.writes", entry.Table)
			kept[entry.Row.Number] = true
		}
	}
	for _, number := range missing {
		require.True(t, kept[number], "write %d was acknowledged, is gone, and is not in the ledger", number)
	}
	there := kubectl(t, "exec", look(t).role, "--", "psql", "-h", "/tmp", "-U", "postgres", "-XAt", "shodo", "-c", "SELECT number FROM writes")
	present, agreed := strings.Fields(there), acknowledgements(t)
	for number := range kept {
		if !slices.Contains(missing, number) && agreed[number] {
			require.Contains(t, present, itoa(int(number)), "a row of the ledger is neither missing nor there")
		}
	}
	t.Logf("%d rows in the ledger, %d acknowledged writes missing", len(kept), len(missing))
}

func acknowledgements(t *testing.T) map[int64]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Dir, "referee.jsonl"))
	require.NoError(t, err)
	all := map[int64]bool{}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Number int64 `json:"number"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil {
			all[entry.Number] = true
		}
	}
	return all
}

// requireReplica asks the former primary itself: it follows, and holds what its primary holds.
func requireReplica(t *testing.T) {
	t.Helper()
	ask := func(pod, sql string) string {
		return strings.TrimSpace(kubectl(t, "exec", pod, "--", "psql", "-h", "/tmp", "-U", "postgres", "-XAt", "shodo", "-c", sql))
	}
	require.Equal(t, "t", ask("postgres-primary-0", "SELECT pg_is_in_recovery()"))
	const contents = "SELECT count(*), min(number), max(number) FROM writes"
	want := ask(look(t).role, contents)
	require.NoError(t, estate.Await(t.Context(), "the same rows", 20*time.Second, func() (bool, string) {
		seen := ask("postgres-primary-0", contents)
		return seen == want, seen
	}))
	require.NotContains(t, kubectl(t, "get", "pods", "--no-headers"), "-rejoin")
}
