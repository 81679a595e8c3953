package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// ReadCommitsParams name a primary.
type ReadCommitsParams struct {
	Database string   `json:"database"`
	Catalog  string   `json:"catalog"`
	Instance Instance `json:"instance"`
}

// ReadCommitsResult says what the commits of a server wait for.
type ReadCommitsResult struct {
	InRecovery bool          `json:"inRecovery"`
	Names      string        `json:"names"`               // synchronous_standby_names; empty: commits wait for nobody
	Streaming  []string      `json:"streaming,omitempty"` // replicas that stream, which the server may not know to be gone yet
	Waiting    int           `json:"waiting"`             // sessions that wait for a replica to have their commit
	Longest    time.Duration `json:"longest"`             // how long one of them has waited
}

// ReadCommits reads whether commits hang for want of a replica. It commits nothing itself and changes nothing. Errors: NotReady,
// Unreachable, and those of the credentials.
func (a *Activities) ReadCommits(ctx context.Context, params ReadCommitsParams) (ReadCommitsResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return ReadCommitsResult{}, err
	}
	const query = `
SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names'),
       ARRAY(SELECT coalesce(nullif(application_name, ''), host(client_addr), 'local') FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn IS NOT NULL ORDER BY 1),
       count(a.pid), coalesce(extract(epoch FROM max(clock_timestamp() - a.query_start)), 0)::float8
  FROM (SELECT 1) AS one LEFT JOIN pg_stat_activity AS a ON a.wait_event = 'SyncRep' AND a.backend_type = 'client backend'`
	var result ReadCommitsResult
	err = onInstance(ctx, login, params.Instance, "read what commits wait for", func(conn *pgx.Conn) error {
		var longest float64
		if err := conn.QueryRow(ctx, query).Scan(&result.InRecovery, &result.Names, &result.Streaming, &result.Waiting, &longest); err != nil {
			return err
		}
		result.Longest = time.Duration(longest * float64(time.Second))
		return nil
	})
	return result, err
}
