package postgres

import (
	"context"
	"fmt"
	"time"
)

// streamingInterval is the pause between two looks at who streams. A clone takes seconds at least.
const streamingInterval = 100 * time.Millisecond

// lookTimeout bounds one look, so that a primary that hangs once is asked again.
const lookTimeout = 2 * time.Second

// AwaitStreamingParams names the primary and how many replicas it should have.
type AwaitStreamingParams struct {
	Database string        `json:"database"`
	Catalog  string        `json:"catalog"`
	Primary  Instance      `json:"primary"`
	AtLeast  int           `json:"atLeast"`
	Patience time.Duration `json:"patience"`
}

// AwaitStreamingResult lists the replicas that stream.
type AwaitStreamingResult struct {
	Streaming []string `json:"streaming,omitempty"` // names or addresses
	Enough    bool     `json:"enough"`
	Copied    int64    `json:"copied"` // bytes, by the clones that are under way
	Total     int64    `json:"total"`  // of those clones, estimated
	Seen      string   `json:"seen"`
}

// AwaitStreaming waits until enough replicas stream from a primary. That there are too few after its patience is a result and
// not an error, because a clone may take hours. It changes nothing. The only errors are those of the credentials.
func (a *Activities) AwaitStreaming(ctx context.Context, params AwaitStreamingParams) (AwaitStreamingResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return AwaitStreamingResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	var last AwaitStreamingResult
	ticker := time.NewTicker(streamingInterval)
	defer ticker.Stop()
	for {
		seen, err := whoStreams(ctx, login, params)
		switch {
		case err == nil:
			last = seen
		case hasTime(ctx) || last.Seen == "": // at the end of our patience the look before is worth more
			last.Streaming = nil
			last.Seen = fmt.Sprintf("%s cannot be asked: %s", params.Primary.Pod, brief(err))
		}
		if last.Enough {
			return last, nil
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-ticker.C:
		}
	}
}

const streamingQuery = `
SELECT coalesce(nullif(r.application_name, 'walreceiver'), host(r.client_addr), 'local'),
       CASE WHEN r.state = 'streaming' AND r.replay_lsn IS NULL THEN 'copying' ELSE r.state END,
       coalesce(b.backup_streamed, 0), coalesce(b.backup_total, 0)
  FROM pg_stat_replication AS r LEFT JOIN pg_stat_progress_basebackup AS b ON b.pid = r.pid ORDER BY 1`

// whoStreams counts finished replicas: a base backup shows as "backup", the WAL that it fetches beside it as a stream that nobody
// replays, and a replica that catches up as "catchup".
func whoStreams(ctx context.Context, login login, params AwaitStreamingParams) (AwaitStreamingResult, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	conn, err := login.connect(ctx, params.Primary)
	if err != nil {
		return AwaitStreamingResult{}, err
	}
	defer hangUp(conn)
	rows, err := conn.Query(ctx, streamingQuery)
	if err != nil {
		return AwaitStreamingResult{}, err
	}
	defer rows.Close()
	result := AwaitStreamingResult{}
	for rows.Next() {
		var name, state string
		var copied, total int64
		if err := rows.Scan(&name, &state, &copied, &total); err != nil {
			return AwaitStreamingResult{}, err
		}
		result.Copied, result.Total = result.Copied+copied, result.Total+total
		if state == "streaming" {
			result.Streaming = append(result.Streaming, name)
		}
		result.Seen += fmt.Sprintf("%s %s; ", name, state)
	}
	if result.Seen == "" {
		result.Seen = "no replica is connected"
	}
	result.Enough = len(result.Streaming) >= params.AtLeast
	return result, rows.Err()
}
