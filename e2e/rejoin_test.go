//go:build e2e

package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// What an undisturbed rejoin leaves, and that it cannot be had twice. It takes about a minute, so that it can be repeated: -run TestRejoin_Again -count 20.
func TestRejoin_Again_IsRefusedBecauseItIsAReplica(t *testing.T) {
	fresh(t)
	missing := loseRows(t)
	staff(t, automatic(t), estate.Crew{})
	got := rejoin(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireKept(t, got, missing)
	requireReplica(t)
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

// loseRows leaves an estate whose former primary alone has writes that were acknowledged, and returns their numbers.
func loseRows(t *testing.T) []int64 {
	t.Helper()
	worker := staff(t, automatic(t), estate.Crew{})
	lost, err := lab.LoseWrites(t.Context())
	require.NoError(t, err)
	worker.Kill()
	return lost
}

// onVolumes are the paths of a file or folder on the machines' volumes.
func onVolumes(t *testing.T, path string) []string {
	t.Helper()
	found, err := lab.OnVolumes(path)
	require.NoError(t, err)
	return found
}

// requireKept holds the ledger to the referee and to the report.
func requireKept(t *testing.T, got report.Report, missing []int64) {
	t.Helper()
	text, _, err := lab.Ledger()
	require.NoError(t, err)
	digest := sha256.Sum256(text)
	require.Contains(t, factNamed(got, "ledger"), hex.EncodeToString(digest[:]))
	rows, err := lab.CompareLedger(t.Context(), missing)
	require.NoError(t, err)
	t.Logf("%d rows in the ledger, %d acknowledged writes missing", rows, len(missing))
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
