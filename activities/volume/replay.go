package volume

import (
	"context"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// ReplayParams names the volume, whose data directory was taken, and how far its WAL goes.
type ReplayParams struct {
	Place
	Past     postgres.LSN  `json:"past"` // where the last record begins; 0: as far as it goes
	Patience time.Duration `json:"patience"`
}

// ReplayResult says how far it is.
type ReplayResult struct {
	Done     bool         `json:"done"` // else ask again
	Replayed postgres.LSN `json:"replayed"`
	Seen     string       `json:"seen"`
}

// Replay starts the data directory as an isolated replica, which replays its own WAL to the end. It has no one to receive from, no
// network, and is never a primary. Called twice it is started once. Errors: Closed; Unexpected, for good, when a rewind has touched the data
// directory or the server is no replica; NotReady when it does not start.
func (a *Activities) Replay(ctx context.Context, params ReplayParams) (ReplayResult, error) {
	if _, err := a.run(ctx, params.Place, "", "isolate"); err != nil {
		return ReplayResult{}, err
	}
	over := time.NewTimer(params.Patience)
	defer over.Stop()
	ticker := time.NewTicker(jobInterval)
	defer ticker.Stop()
	for {
		output, err := a.run(ctx, params.Place, "", "replayed")
		if err != nil {
			return ReplayResult{}, err
		}
		now, err := replayOf(output, params.Past)
		if err != nil {
			return now, failure.Permanent(failure.Unexpected, "replay the WAL of the %s: %s", params.Place, err)
		}
		if now.Done {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-over.C:
			return now, nil
		case <-ticker.C:
		}
	}
}

func replayOf(output string, past postgres.LSN) (ReplayResult, error) {
	said, answered := strings.CutPrefix(strings.TrimSpace(output), "replayed: ")
	if !answered {
		return ReplayResult{Seen: strings.TrimSpace(output)}, nil
	}
	recovering, position, _ := strings.Cut(said, " ")
	if recovering != "true" {
		return ReplayResult{}, errNoReplica
	}
	at, err := postgres.ParseLSN(position)
	return ReplayResult{Done: err == nil && (past == 0 || at > past), Replayed: at, Seen: "replayed up to " + position}, err
}
