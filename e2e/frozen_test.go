//go:build e2e && exhaustive

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

// A frozen primary goes on where it stopped when it is thawed, with the sessions that it had. Two servers that acknowledge
// writes at once are only ever seen where the report says that the fence was not proven.
func TestFrozenPrimary_ThawedAfterThePromotion_NeverAcknowledgesWithoutTheReportSayingSo(t *testing.T) {
	cases := []struct {
		name    string
		changes estate.Changes
		power   bool // the site has a power service
		outcome report.Outcome
		flags   []string
	}{
		{"gate and power switch", estate.Changes{"database-failover:": "database-failover:\n    powerOff: true"}, true, report.Recovered, nil},
		{"power switch without gate", estate.Changes{"database-failover:": "database-failover:\n    powerOff: true", "startGate: true": "startGate: false"}, true, report.Recovered, nil},
		{"gate without power switch", nil, false, report.RecoveredUnproven, []string{"--override", "unproven-fence"}},
		{"neither", estate.Changes{"startGate: true": "startGate: false"}, false, report.RecoveredUnproven, []string{"--override", "unproven-fence"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fresh(t)
			e := automatic(t, c.changes)
			crew := estate.Crew{}
			if !c.power {
				crew.Site = withoutPower(t)
			}
			staff(t, e, crew)
			node := strings.TrimSpace(kubectl(t, "get", "pod", look(t).role, "-o", "jsonpath={.spec.nodeName}"))
			do(t, "referee", "start")
			do(t, "break", "freeze", node)
			got := failOver(t, c.flags...)
			do(t, "mend", "all")
			thawed := time.Now()
			require.NoError(t, estate.Await(t.Context(), "Ready machines after the thaw", time.Minute, func() (bool, string) {
				seen := kubectl(t, "get", "nodes", "--no-headers")
				return !strings.Contains(seen, "NotReady"), seen
			}))
			verdict := judged(t)
			require.Equal(t, c.outcome, got.Outcome, got.Summary)
			if verdict.Overlap {
				require.Equal(t, report.RecoveredUnproven, got.Outcome, "two servers acknowledged, and the report does not say that the fence is unproven")
			}
			t.Logf("%s: %s; two acknowledged at once: %t; ready again %s after the thaw", c.name, got.Outcome, verdict.Overlap, time.Since(thawed).Round(time.Second))
		})
	}
}

// withoutPower is the lab's site without its power service.
func withoutPower(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Dir, "site.yaml"))
	require.NoError(t, err)
	before, after, found := strings.Cut(string(text), "    power:\n")
	require.True(t, found)
	_, after, found = strings.Cut(after, "databases:\n")
	require.True(t, found)
	file := filepath.Join(lab.Dir, "site-without-power.yaml") // its references are relative to it
	require.NoError(t, os.WriteFile(file, []byte(before+"databases:\n"+after), 0o600))
	return file
}
