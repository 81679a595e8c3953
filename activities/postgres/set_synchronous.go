package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// settingPatience is how long a server may take to read its settings again.
const settingPatience = 2 * time.Second

// SetSynchronousParams names a server and which replicas its commits wait for.
type SetSynchronousParams struct {
	Database string   `json:"database"`
	Catalog  string   `json:"catalog"`
	Instance Instance `json:"instance"`
	Names    string   `json:"names"` // synchronous_standby_names; empty: commits wait for nobody
}

// SetSynchronousResult is how it was before.
type SetSynchronousResult struct {
	Was     string `json:"was"`
	Already bool   `json:"already"`
}

// SetSynchronous sets which replicas the commits of a server wait for, and returns when the server goes by it. A replica can be
// set too, ahead of its promotion. Called twice it changes nothing. Errors: NotReady, Unreachable and those of the credentials.
func (a *Activities) SetSynchronous(ctx context.Context, params SetSynchronousParams) (SetSynchronousResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return SetSynchronousResult{}, err
	}
	const doing = "set synchronous_standby_names"
	var result SetSynchronousResult
	err = onInstance(ctx, login, params.Instance, doing, func(conn *pgx.Conn) error {
		if result.Was, err = standbyNames(ctx, conn); err != nil || result.Was == params.Names {
			return err
		}
		quoted := "'" + strings.ReplaceAll(params.Names, "'", "''") + "'"
		if _, err := conn.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = "+quoted); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_reload_conf()")
		return err
	})
	if err != nil || result.Was == params.Names {
		result.Already = err == nil
		return result, err
	}
	return result, a.awaitStandbyNames(ctx, login, params, doing)
}

// awaitStandbyNames asks on new connections: an old one reads the setting only between two of its statements.
func (a *Activities) awaitStandbyNames(ctx context.Context, login login, params SetSynchronousParams, doing string) error {
	ctx, cancel := context.WithTimeout(ctx, settingPatience)
	defer cancel()
	for {
		var now string
		err := onInstance(ctx, login, params.Instance, doing, func(conn *pgx.Conn) (err error) {
			now, err = standbyNames(ctx, conn)
			return err
		})
		if err == nil && now == params.Names {
			return nil
		}
		if pause(ctx) != nil {
			return failure.Transient(failure.NotReady, "%s on %s: it still goes by %q after %s; is it set elsewhere?", doing, params.Instance.Pod, now, settingPatience)
		}
	}
}

func standbyNames(ctx context.Context, conn *pgx.Conn) (string, error) {
	var names string
	if err := conn.QueryRow(ctx, "SELECT current_setting('synchronous_standby_names')").Scan(&names); err != nil {
		return "", fmt.Errorf("read synchronous_standby_names: %w", err)
	}
	return names, nil
}
