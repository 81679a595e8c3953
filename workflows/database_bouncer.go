package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/pgbouncer"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// bouncer is where the PgBouncers of the database are, if it has any.
func (f *databaseFailover) bouncer() (pgbouncer.Place, bool) {
	found, by := f.database.Redirect.ByPgBouncer()
	return pgbouncer.Place{Namespace: f.run.Plan.Namespace, Region: f.database.Region, Bouncer: found}, by
}

// pointBouncers tells every PgBouncer the new primary, and lets the clients go on that were held. Where nobody was held, queries may
// hang on the old primary: those connections are dropped.
func (f *databaseFailover) pointBouncers(ctx workflow.Context) error {
	place, by := f.bouncer()
	if !by {
		return nil
	}
	host := place.Bouncer.HostOf(f.target.Pod)
	told, err := begin(f.act(ctx, "PgBouncer has host "+host), bouncers.PointClients, pgbouncer.PointClientsParams{
		Place: place, Host: host, Drop: !f.paused,
	}).get(ctx)
	if err != nil {
		return err
	}
	f.paused = false
	f.run.Fact("PgBouncer", fmt.Sprintf("%s: told to use %s", strings.Join(told.Pods, ", "), host))
	for _, missed := range told.Missed {
		f.run.Missing(fmt.Sprintf("PgBouncer %s; restart that pod before it serves: it starts with the new host", missed))
	}
	return nil
}

// holdClients has the clients wait in PgBouncer until the new primary serves, or the old one again.
func (f *databaseFailover) holdClients(ctx workflow.Context, patience time.Duration) error {
	place, by := f.bouncer()
	if !by {
		return nil
	}
	f.run.Impact(workflow.Now(ctx))
	f.paused = true // perhaps, from here on: what is undone lets them go
	_, err := begin(runbook.Within(f.act(ctx, "PgBouncer holds the clients"), patience), bouncers.HoldClients, pgbouncer.HoldClientsParams{
		Place: place, Patience: patience,
	}).get(ctx)
	return err
}

// releaseClients lets the clients go on with the primary that they had.
func (f *databaseFailover) releaseClients(ctx workflow.Context) error {
	place, by := f.bouncer()
	if !by || !f.paused {
		return nil
	}
	if _, err := begin(f.act(ctx, "PgBouncer lets the clients go on"), bouncers.ReleaseClients, pgbouncer.ReleaseClientsParams{Place: place}).get(ctx); err != nil {
		return err
	}
	f.paused = false
	return nil
}
