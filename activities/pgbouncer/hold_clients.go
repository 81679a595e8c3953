package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// HoldClientsParams say where, and how long queries that run may take to end.
type HoldClientsParams struct {
	Place    Place         `json:"place"`
	Patience time.Duration `json:"patience"`
}

// HoldClients has every PgBouncer PAUSE the database: queries that run are waited for, connections to the primary are closed, and
// clients wait. All of them must: one that goes on would use the primary that is about to stop. Called twice it does so once.
// Errors: NotFound, Forbidden, Unreachable; what was paused stays so until ReleaseClients.
func (a *Activities) HoldClients(ctx context.Context, params HoldClientsParams) (Told, error) {
	place := params.Place
	ini, err := a.readIni(ctx, place)
	if err != nil {
		return Told{}, err
	}
	told, err := a.all(ctx, place, "hold the clients", params.Patience, func(ctx context.Context, pod string) error {
		found, err := a.console(ctx, place, pod, ini, "", params.Patience, "PAUSE "+place.Bouncer.Database)
		if err == nil && !found.held() {
			err = fmt.Errorf("it is not paused, or queries still run: %s connections to the primary", found.connections)
		}
		return err
	})
	if err == nil && len(told.Missed) > 0 {
		return told, missed("hold the clients", place, told)
	}
	return told, err
}

// ReleaseClientsParams say where.
type ReleaseClientsParams struct {
	Place Place `json:"place"`
}

// ReleaseClients has every PgBouncer RESUME the database where it was. Called twice it does so once. Those that cannot be told are
// an error, because their clients would wait. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) ReleaseClients(ctx context.Context, params ReleaseClientsParams) (Told, error) {
	place := params.Place
	ini, err := a.readIni(ctx, place)
	if err != nil {
		return Told{}, err
	}
	told, err := a.all(ctx, place, "release the clients", 0, func(ctx context.Context, pod string) error {
		found, err := a.console(ctx, place, pod, ini, "", tellTimeout, "RESUME "+place.Bouncer.Database)
		if err == nil && found.paused {
			err = errors.New("it is still paused")
		}
		return err
	})
	if err == nil && len(told.Missed) > 0 {
		return told, missed("release the clients", place, told)
	}
	return told, err
}
