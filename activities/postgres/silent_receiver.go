package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A machine that lost its power says no goodbye: a receiver listens to it for wal_receiver_timeout, a minute by default, and
// pg_terminate_backend does not end receivers. So replicas are made impatient for a moment, by the setting that PostgreSQL has
// for this. A receiver whose primary lives asks it for a sign at half this time, gets one, and stays.
const impatience = 200 * time.Millisecond

// settingTimeout bounds one change of the setting, for which nobody's patience must be too short.
const settingTimeout = 2 * time.Second

// howToCalm is the statement that puts the setting back as it was. A value that is ours was left behind by a call that was cut off.
var howToCalm = fmt.Sprintf(`
SELECT CASE WHEN sourcefile LIKE '%%postgresql.auto.conf' AND setting <> '%[1]d'
            THEN format('ALTER SYSTEM SET wal_receiver_timeout = %%L', setting)
            ELSE 'ALTER SYSTEM RESET wal_receiver_timeout' END,
       setting = '%[1]d'
  FROM pg_settings WHERE name = 'wal_receiver_timeout'`, impatience.Milliseconds())

// receiverPatience is what a replica's receiver is set to, and how it was.
type receiverPatience struct {
	conn    *pgx.Conn
	calm    string // the statement that puts it back
	hurried bool
}

// readPatience looks at the setting before it is changed.
func readPatience(ctx context.Context, conn *pgx.Conn) (*receiverPatience, error) {
	patience := &receiverPatience{conn: conn}
	err := conn.QueryRow(ctx, howToCalm).Scan(&patience.calm, &patience.hurried)
	return patience, err
}

// hurry makes the receiver give up a primary that is silent. It needs the right to ALTER SYSTEM for this one parameter.
func (p *receiverPatience) hurry(ctx context.Context) error {
	if p.hurried {
		return nil
	}
	p.hurried = true // also when the answer is lost: putting back what was not changed is harmless
	return p.apply(ctx, fmt.Sprintf("ALTER SYSTEM SET wal_receiver_timeout = %d", impatience.Milliseconds()))
}

// restore puts the setting back, whatever became of ctx. What cannot be put back is put back by the next call, and does
// little harm until then: a living primary answers in time.
func (p *receiverPatience) restore(ctx context.Context) {
	if !p.hurried {
		return
	}
	_ = p.apply(ctx, p.calm)
}

// apply outlives ctx: a connection that is cut off in a statement could not put the setting back.
func (p *receiverPatience) apply(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settingTimeout)
	defer cancel()
	_, err := p.conn.Exec(ctx, statement)
	if err == nil {
		_, err = p.conn.Exec(ctx, "SELECT pg_reload_conf()")
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return fmt.Errorf("%s (needed: GRANT ALTER SYSTEM ON PARAMETER wal_receiver_timeout, and EXECUTE on pg_reload_conf)", server.Message)
	}
	return err
}
