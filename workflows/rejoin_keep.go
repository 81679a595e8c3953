package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"go.temporal.io/sdk/workflow"
)

// keepRows writes the ledger: what was committed after the fork is read from the WAL, the rows from a server that replays it in isolation.
func (j *rejoin) keepRows(ctx workflow.Context) (string, error) {
	if j.contents.At == volume.AtWork {
		if known, err := j.knownLedger(ctx); err != nil || known {
			return j.lossInWords(), err
		}
	}
	if !needsRewind(j.contents) {
		j.kept = !j.contents.Rewinding
		return "there is nothing to keep", nil
	}
	if err := j.findLost(ctx); err != nil {
		return "", err
	}
	if j.lost.Incomplete != "" {
		j.aside = j.lost.Incomplete
		return "its rows cannot be told apart: " + j.lost.Incomplete, nil
	}
	var err error
	switch {
	case j.lost.Transactions > 0:
		err = j.writeLedger(ctx)
	case !j.contents.Clean():
		err = j.replay(ctx) // only a server that was shut down in order can be rewound
	}
	if err != nil {
		return "", err
	}
	j.kept = true
	return j.lossInWords(), nil
}

// knownLedger finds the ledger of an earlier run that did not come to its end.
func (j *rejoin) knownLedger(ctx workflow.Context) (bool, error) {
	var known volume.ReadLedgerResult
	err := j.onVolume(ctx, func() (err error) {
		params := volume.ReadLedgerParams{Place: j.place(), Home: j.contents.Home, Epoch: j.epoch}
		known, err = begin(j.act(ctx, "look for a ledger on the volume of "+j.former), volumes.ReadLedger, params).get(ctx)
		return err
	})
	if err != nil || !known.Found {
		return false, err
	}
	j.taken, j.kept, j.ledger, j.lost = true, true, known.Ledger, known.Ledger.Lost
	j.showLedger()
	return true, nil
}

func (j *rejoin) findLost(ctx workflow.Context) error {
	j.taken = true
	for !j.lost.Done {
		err := j.onVolume(ctx, func() error {
			if _, err := begin(j.act(ctx, "move the data directory to a folder of its own"), volumes.TakeData, volume.TakeDataParams{Place: j.place()}).get(ctx); err != nil {
				return err
			}
			found, err := begin(j.act(ctx, "read the WAL after the fork"), volumes.FindLost, volume.FindLostParams{
				Place: j.place(), Timeline: j.contents.Timeline, Fork: j.fork, Checkpoint: j.contents.Checkpoint, SegmentSize: j.contents.SegmentSize, Patience: jobPatience,
			}).get(ctx)
			j.lost = found
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replay lets the data directory replay its own WAL in isolation. It is then clean, and can be read.
func (j *rejoin) replay(ctx workflow.Context) error {
	for {
		var replayed volume.ReplayResult
		err := j.onVolume(ctx, func() (err error) {
			replayed, err = begin(j.act(ctx, "let "+j.former+" replay its WAL in isolation"), volumes.Replay, volume.ReplayParams{
				Place: j.place(), Past: j.lost.End, Patience: jobPatience,
			}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
		j.run.Fact("replay", replayed.Seen)
		if replayed.Done {
			return nil
		}
	}
}

func (j *rejoin) writeLedger(ctx workflow.Context) error {
	for {
		var written volume.WriteLedgerResult
		err := j.onVolume(ctx, func() (err error) {
			// Each time, because in a pod that was replaced nothing runs any more.
			if err := j.replay(ctx); err != nil {
				return err
			}
			written, err = begin(j.act(ctx, "write down the rows that only "+j.former+" has"), volumes.WriteLedger, volume.WriteLedgerParams{
				Place: j.place(), Home: j.contents.Home, SystemID: j.contents.SystemID, Timeline: j.contents.Timeline, Fork: j.fork,
				XIDEpoch: j.contents.XIDEpoch, Lost: j.lost, Epoch: j.epoch, Patience: jobPatience,
			}).get(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if written.Done {
			j.ledger = written.Ledger
			j.showLedger()
			return nil
		}
	}
}

// showLedger puts the summary into the report: tables, counts, when, the first keys, and where the whole of it is.
func (j *rejoin) showLedger() {
	j.run.Fact("ledger", fmt.Sprintf("%s on the volume of %s, sha256 %s", j.ledger.Path, j.former, j.ledger.SHA256))
	for _, table := range j.ledger.Tables {
		j.run.Fact("ledger: "+table.Name, fmt.Sprintf("%d rows; changes: %d inserted, %d updated, %d deleted; keys: %s",
			table.Rows, table.Inserted, table.Updated, table.Deleted, orNone(strings.Join(table.Keys, ", "))))
	}
	for i, note := range j.ledger.Notes {
		j.run.Fact(fmt.Sprintf("ledger: note %d", i+1), note)
	}
}

// holds is what is kept on the volume.
func (j *rejoin) holds() []string {
	var holds []string
	if j.ledger.Path != "" {
		holds = append(holds, fmt.Sprintf("the ledger of %d rows that only %s had is kept on its volume: %s, sha256 %s", j.ledger.Rows, j.former, j.ledger.Path, j.ledger.SHA256))
	}
	if j.aside != "" {
		holds = append(holds, fmt.Sprintf("its old data directory is kept on its volume in %s/data until a person removes it: %s", volume.KeptIn(j.contents.Home, j.epoch), j.aside))
	}
	return holds
}

// lossInWords says what only the former primary had.
func (j *rejoin) lossInWords() string {
	switch {
	case j.lost.Incomplete != "":
		return "what only " + j.former + " has cannot be counted: " + j.lost.Incomplete
	case !j.lost.Done:
		return "what only " + j.former + " has was not counted"
	case j.lost.Transactions == 0:
		return "no transaction was committed on " + j.former + " alone: the ledger is empty"
	default:
		return fmt.Sprintf("%d transactions were committed on %s alone, from %s to %s; they left %d rows, which are in the ledger", j.lost.Transactions, j.former,
			j.lost.First.UTC().Format(time.RFC3339Nano), j.lost.Last.UTC().Format(time.RFC3339Nano), j.ledger.Rows)
	}
}
