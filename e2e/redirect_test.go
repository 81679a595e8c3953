//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/e2e/pgbouncer"
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

// A PgBouncer holds its clients while nobody can write, so that a switchover is a pause and no error; and it drops those whose query
// hangs on a machine that is off.
func TestPgBouncer_SwitchoverAndFailover_ItsClientsFollowThePrimary(t *testing.T) {
	fresh(t)
	t.Cleanup(func() { require.NoError(t, pgbouncer.Remove(context.WithoutCancel(t.Context()), lab)) })
	require.NoError(t, pgbouncer.Install(t.Context(), lab))
	staff(t, automatic(t, pgbouncer.Redirect), estate.Crew{})

	got, verdict := switchOver(t, "--to", "postgres-replica-1") // whose pod is the last of its set: when it dies, another set must grow
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	requireNothingLost(t, verdict)
	require.Empty(t, got.Missing)
	requireBouncersUse(t, look(t).role)
	t.Logf("switchover: nobody could write for %.2f s, %d attempts failed", verdict.LongestGap.Seconds, verdict.Failed)

	awaitRedundancy(t)
	do(t, "referee", "start")
	do(t, "break", "power-off", "primary")
	got = failOver(t)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	verdict = judged(t)
	require.False(t, verdict.Overlap)
	requireBouncersUse(t, look(t).role)
	t.Logf("failover: nobody could write for %.2f s; %v", verdict.LongestGap.Seconds, got.Missing)
}

// requireBouncersUse asks the console of every PgBouncer that runs.
func requireBouncersUse(t *testing.T, host string) {
	t.Helper()
	require.Contains(t, kubectl(t, "get", "configmap", "pgbouncer", "-o", "jsonpath={.data}"), "host="+host+" ", "what a pod that starts later reads")
	told := 0
	for _, pod := range strings.Fields(kubectl(t, "get", "pods", "-l", "app=pgbouncer", "-o", "jsonpath={.items[*].metadata.name}")) {
		said, err := lab.Kubectl(t.Context(), "exec", pod, "--request-timeout=3s", "--", "psql", "-XAt", "-h", "/run/bouncer", "-p", "6432", "-U", "pgbouncer", "pgbouncer", "-c", "SHOW DATABASES")
		if err == nil { // it may have been on the machine that is off
			require.Contains(t, said, "shodo|"+host+"|")
			told++
		}
	}
	require.NotZero(t, told)
}

// restartBackend lets the application read its Secret again.
func restartBackend(ctx context.Context) error {
	if _, err := lab.Kubectl(ctx, "rollout", "restart", "deployment", "shodo-backend"); err != nil {
		return err
	}
	_, err := lab.Kubectl(ctx, "rollout", "status", "deployment", "shodo-backend", "--timeout=1m")
	return err
}
