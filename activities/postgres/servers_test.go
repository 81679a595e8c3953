//go:build integration

package postgres_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.RemoveTemplate()
	os.Exit(code)
}

// fixedCredentials are the same for every database.
type fixedCredentials struct{ username, password string }

func (c fixedCredentials) For(context.Context, string) (string, string, error) {
	return c.username, c.password, nil
}

// oneLook is a patience that lets a server on a busy machine answer once, and soon ends.
const oneLook = 2 * time.Second

func activities() *postgres.Activities {
	return postgres.New(fixedCredentials{pgtest.User, pgtest.Password})
}

func at(server *pgtest.Server) postgres.Instance {
	return postgres.Instance{Pod: server.Name, Host: server.Host, Port: server.Port}
}

func read(t *testing.T, servers ...*pgtest.Server) []postgres.Server {
	t.Helper()
	params := postgres.ReadServersParams{Database: "shodo", Catalog: pgtest.Catalog, Timeout: 5 * time.Second}
	for _, server := range servers {
		params.Instances = append(params.Instances, at(server))
	}
	result, err := activities().ReadServers(t.Context(), params)
	require.NoError(t, err)
	return result.Servers
}

func promotion(t *testing.T, server *pgtest.Server) postgres.PromoteParams {
	t.Helper()
	found := read(t, server)[0]
	require.True(t, found.Reached, found.Error)
	return postgres.PromoteParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: at(server),
		FromTimeline: found.Timeline, SystemID: found.SystemID, Patience: 20 * time.Second}
}

// requireFailure checks what a workflow sees of an error: its kind, and whether Temporal tries again.
func requireFailure(t *testing.T, err error, kind string, permanent bool, says string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
	require.Equal(t, permanent, failed.NonRetryable(), failed.Error())
	require.Contains(t, failed.Error(), says)
}

func write(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o644))
}

func remove(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.Remove(path))
}
