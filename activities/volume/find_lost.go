package volume

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// FindLostParams names the volume, whose data directory was taken, and where its history was left.
type FindLostParams struct {
	Place
	Timeline    uint32        `json:"timeline"`
	Fork        postgres.LSN  `json:"fork"` // the last position that both histories have
	Checkpoint  postgres.LSN  `json:"checkpoint"`
	SegmentSize uint64        `json:"segmentSize"`
	Patience    time.Duration `json:"patience"`
}

// FindLostResult counts the transactions that only this volume has.
type FindLostResult struct {
	Done         bool         `json:"done"`                 // else ask again
	Incomplete   string       `json:"incomplete,omitempty"` // why nobody can know all of them
	Transactions int          `json:"transactions"`
	First        time.Time    `json:"first,omitzero"` // when the first of them was committed, by the server's clock
	Last         time.Time    `json:"last,omitzero"`
	End          postgres.LSN `json:"end"` // where the last record of the WAL begins, 0 when none follows the fork
}

// FindLost reads the WAL after a fork and remembers beside the data directory which transactions were committed there. Asked again it
// goes on where it was. Errors: Closed; Unexpected, for good, when the WAL reads differently than known.
func (a *Activities) FindLost(ctx context.Context, params FindLostParams) (FindLostResult, error) {
	scanned, err := a.finish(ctx, params.Place, params.Patience, "scan", decimal(params.Timeline), params.Fork.String())
	if err != nil || !scanned {
		return FindLostResult{}, err
	}
	output, err := a.run(ctx, params.Place, "", "scanned", segmentName(params.Timeline, params.Fork, params.SegmentSize))
	if err != nil {
		return FindLostResult{}, err
	}
	found, err := parseScan(output)
	if err != nil {
		return FindLostResult{}, failure.Permanent(failure.Unexpected, "find lost transactions on the %s: %s", params.Place, err)
	}
	if err := a.rememberLost(ctx, params.Place, found.Lost); err != nil {
		return FindLostResult{}, err
	}
	return FindLostResult{
		Done: true, Incomplete: found.whyIncomplete(params.Fork, params.Checkpoint),
		Transactions: found.Commits, First: found.First, Last: found.Last, End: found.End,
	}, nil
}

// rememberLost writes the transaction numbers down, as a list and as JSON for the queries.
func (a *Activities) rememberLost(ctx context.Context, place Place, lost []lostTransaction) error {
	var numbers strings.Builder
	for _, transaction := range lost {
		numbers.WriteString(transaction.XID + "\n")
	}
	if lost == nil {
		lost = []lostTransaction{}
	}
	text, err := json.Marshal(lost)
	if err != nil {
		return failure.Permanent(failure.Unexpected, "write down lost transactions: %s", err)
	}
	if _, err := a.run(ctx, place, numbers.String(), "put", "lost"); err != nil {
		return err
	}
	_, err = a.run(ctx, place, string(text), "put", "lost.json")
	return err
}
