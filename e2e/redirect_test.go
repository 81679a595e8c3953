//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

// addressBySecret is a plan whose applications are given the primary's address by a Secret.
var addressBySecret = estate.Changes{"startGate: true": `startGate: true
    redirect: {by: secret, secret: {name: shodo-database, key: host, host: "{pod}", deployments: [shodo-backend]}}`}

func TestSwitchover_ApplicationsWithTheAddressInASecret_StartAnewWithTheNewOne(t *testing.T) {
	fresh(t)
	staff(t, automatic(t, addressBySecret), estate.Crew{})
	kubectl(t, "create", "secret", "generic", "shodo-database", "--from-literal=host="+look(t).role)
	t.Cleanup(func() { // the test's own context has ended by then
		_, err := lab.Kubectl(context.WithoutCancel(t.Context()), "delete", "secret", "shodo-database")
		require.NoError(t, errors.Join(err, restartBackend(context.WithoutCancel(t.Context()))))
	})
	require.NoError(t, restartBackend(t.Context()))
	got, verdict := switchOver(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireNothingLost(t, verdict)
	require.Equal(t, look(t).role, kubectl(t, "get", "secret", "shodo-database", "-o", `go-template={{.data.host | base64decode}}`))
	marks := kubectl(t, "get", "pods", "-l", "app=shodo-backend", "--field-selector=status.phase=Running", "-o", `jsonpath={range .items[*]}{.metadata.annotations.fukkyu\.dev/rolled-out-for}{" "}{end}`)
	require.NotEmpty(t, marks)
	for _, mark := range strings.Fields(marks) {
		require.Contains(t, mark, look(t).role, "an application process that was started with the old address")
	}
	t.Logf("nobody could write for %.2f s", verdict.LongestGap.Seconds)
}

// restartBackend lets the application read its Secret again.
func restartBackend(ctx context.Context) error {
	if _, err := lab.Kubectl(ctx, "rollout", "restart", "deployment", "shodo-backend"); err != nil {
		return err
	}
	_, err := lab.Kubectl(ctx, "rollout", "status", "deployment", "shodo-backend", "--timeout=1m")
	return err
}
