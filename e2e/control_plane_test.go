//go:build e2e && exhaustive

package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// Without its etcd an API server stays, and answers with errors and timeouts.
func TestFailover_APIServerAwayOrAnsweringErrorsForSeconds_EndsAsIfNothingHadHappened(t *testing.T) {
	for fault, length := range map[string]time.Duration{"api-server": 20 * time.Second, "etcd": 10 * time.Second} {
		t.Run(fault, func(t *testing.T) {
			fresh(t)
			staff(t, automatic(t), estate.Crew{})
			do(t, "break", "power-off", "primary")
			do(t, "break", fault)
			detached(t)
			away := time.NewTimer(length)
			defer away.Stop()
			<-away.C
			do(t, "mend", fault)
			require.Equal(t, report.Recovered, awaitEnd(t).Outcome)
		})
	}
}
