package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

// gated is where a database of the reference plan can be given more fields.
const gated = "    startGate: true\n"

// database is the reference plan with more said about its database.
func database(t *testing.T, fields string) (plan.Database, error) {
	t.Helper()
	text := shodo(t)
	require.Contains(t, text, gated)
	pinned, err := plan.Parse("shodo.yaml", []byte(strings.Replace(text, gated, gated+"    "+fields+"\n", 1)))
	if err != nil {
		return plan.Database{}, err
	}
	return pinned.Plan.Databases[0], nil
}

func TestDatabase_NothingSaidAboutDurabilityAndRedirect_IsAsynchronousAndByService(t *testing.T) {
	found, err := database(t, "")
	require.NoError(t, err)
	require.Equal(t, plan.Durability{Mode: plan.Asynchronous}, found.Durability)
	require.Equal(t, plan.Redirect{By: plan.RedirectByService}, found.Redirect)
	require.Empty(t, found.Durability.StandbyNames())
}

func TestDurability_Synchronous_BecomesPostgreSQLsSetting(t *testing.T) {
	for fields, want := range map[string]string{
		"durability: {mode: synchronous, method: ANY, standbys: 1}":   "ANY 1 (*)",
		"durability: {mode: synchronous, method: FIRST, standbys: 2}": "FIRST 2 (*)",
		"durability: {mode: asynchronous}":                            "",
	} {
		found, err := database(t, fields)
		require.NoError(t, err)
		require.Equal(t, want, found.Durability.StandbyNames())
	}
}

func TestRedirect_BySecretOrPgBouncer_KnowsTheHostOfEveryPod(t *testing.T) {
	found, err := database(t, `redirect: {by: secret, secret: {name: shodo-database, key: url, host: "{pod}.db", deployments: [shodo-backend]}}`)
	require.NoError(t, err)
	secret, by := found.Redirect.BySecret()
	require.True(t, by)
	require.Equal(t, "postgres-replica-0.db", secret.HostOf("postgres-replica-0"))
	_, by = found.Redirect.ByPgBouncer()
	require.False(t, by)

	found, err = database(t, `redirect: {by: pgbouncer, pgbouncer: {name: pgbouncer, container: pgbouncer, configMap: pgbouncer, key: pgbouncer.ini, database: shodo, host: "{pod}"}}`)
	require.NoError(t, err)
	bouncer, by := found.Redirect.ByPgBouncer()
	require.True(t, by)
	require.Equal(t, plan.Deployment, bouncer.Kind)
	require.Equal(t, "postgres-replica-0", bouncer.HostOf("postgres-replica-0"))
}

func TestDatabase_OneThingWrongWithDurabilityOrRedirect_IsNamedWithItsPath(t *testing.T) {
	const bouncer = "name: pgbouncer, container: pgbouncer, configMap: pgbouncer, key: pgbouncer.ini, database: shodo"
	cases := map[string]struct{ fields, says string }{
		"an unknown mode":          {"durability: {mode: eventual}", `durability.mode: "eventual" is unknown; valid are asynchronous, synchronous`},
		"a rule nothing waits for": {"durability: {method: ANY, standbys: 1}", "method and standbys are for mode synchronous"},
		"no method":                {"durability: {mode: synchronous, standbys: 1}", `durability.method: "" is unknown; valid are ANY, FIRST`},
		"nobody to wait for":       {"durability: {mode: synchronous, method: ANY}", "durability.standbys: 0: at least 1 replica"},
		"an unknown way":           {"redirect: {by: rumour}", `redirect.by: "rumour" is unknown; valid are service, secret, pgbouncer`},
		"a Secret that is missing": {"redirect: {by: secret}", "redirect.secret: missing: which Secret"},
		"a Secret without by":      {`redirect: {secret: {name: a, key: b, host: "{pod}", deployments: [c]}}`, "redirect.by: a Secret is named, so it must be secret"},
		"a host that stays":        {"redirect: {by: secret, secret: {name: a, key: b, host: postgres, deployments: [c]}}", "redirect.secret.host: {pod} is missing"},
		"nobody who reads it":      {`redirect: {by: secret, secret: {name: a, key: b, host: "{pod}"}}`, "redirect.secret.deployments: missing"},
		"PgBouncer missing":        {"redirect: {by: pgbouncer}", "redirect.pgbouncer: missing: which PgBouncer"},
		"PgBouncer without by":     {"redirect: {pgbouncer: {" + bouncer + `, host: "{pod}"}}`, "redirect.by: a PgBouncer is named, so it must be pgbouncer"},
		"PgBouncer's host stays":   {"redirect: {by: pgbouncer, pgbouncer: {" + bouncer + ", host: postgres}}", "redirect.pgbouncer.host: {pod} is missing"},
		"PgBouncer of no kind":     {"redirect: {by: pgbouncer, pgbouncer: {kind: Pod, " + bouncer + `, host: "{pod}"}}`, `pgbouncer.kind: "Pod" is unknown; valid are Deployment, StatefulSet`},
		"PgBouncer of no config":   {`redirect: {by: pgbouncer, pgbouncer: {name: a, container: b, host: "{pod}"}}`, "redirect.pgbouncer.configMap: missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := database(t, c.fields)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestRunbooks_WhatTheyLeaveOut_HasADefaultOrIsAskedFor(t *testing.T) {
	silent := strings.NewReplacer("    catchUp: 1m\n", "", "    writeGap: 5s\n", "", "  rejoin:\n    approval: {needed: 0}\n", "").Replace(shodo(t))
	pinned, err := plan.Parse("shodo.yaml", []byte(silent))
	require.NoError(t, err)
	require.Equal(t, time.Minute, pinned.Plan.Runbooks.DatabaseSwitchover.CatchUp)
	require.Equal(t, 5*time.Second, pinned.Plan.Runbooks.DatabaseSwitchover.WriteGap)
	require.Zero(t, pinned.Plan.Runbooks.Rejoin.Approval.Needed)

	cases := map[string]struct{ replace, with, says string }{
		"no time for the shutdown": {"writeGap: 5s", "writeGap: 0s", "runbooks.database-switchover.writeGap: missing, or not longer than 0"},
		"no time to catch up":      {"catchUp: 1m", "catchUp: -1m", "runbooks.database-switchover.catchUp: missing, or not longer than 0"},
		"nobody said to ask":       {"approval: {needed: 0}", "approval: {from: [cto]}", "runbooks.rejoin.approval.needed: missing: how many must agree"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			_, err := plan.Parse("shodo.yaml", []byte(strings.Replace(shodo(t), c.replace, c.with, 1)))
			require.ErrorContains(t, err, c.says)
		})
	}
}
