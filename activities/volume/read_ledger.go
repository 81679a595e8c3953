package volume

import (
	"context"
	"encoding/json"
	"path"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// ReadLedgerParams names the volume and the run that asks.
type ReadLedgerParams struct {
	Place
	Home  string `json:"home"`  // as InspectVolume found it
	Epoch int64  `json:"epoch"` // of the lease
}

// ReadLedgerResult is the summary of a ledger, if there is one.
type ReadLedgerResult struct {
	Found  bool   `json:"found"`
	Ledger Ledger `json:"ledger"`
}

// summaryFile keeps the summary beside the ledger, for whoever asks again.
const summaryFile = "ledger.summary.json"

// ReadLedger looks for a ledger that is complete, of this run or of an earlier one that did not come to its end. It changes nothing.
// Errors: Closed; Unexpected, for good, when its summary cannot be read.
func (a *Activities) ReadLedger(ctx context.Context, params ReadLedgerParams) (ReadLedgerResult, error) {
	text, err := a.run(ctx, params.Place, "", "show", summaryFile)
	if err != nil || strings.TrimSpace(text) == "" {
		return ReadLedgerResult{}, err
	}
	found := ReadLedgerResult{Found: true}
	if err := json.Unmarshal([]byte(text), &found.Ledger); err != nil {
		return ReadLedgerResult{}, failure.Permanent(failure.Unexpected, "read %s on the %s: %s", summaryFile, params.Place, err)
	}
	found.Ledger.Path = ledgerPath(params.Home, params.Epoch) // the run that wrote it may be another
	return found, nil
}

// ledgerPath is where the ledger is when the run is over.
func ledgerPath(home string, epoch int64) string {
	return path.Join(KeptIn(home, epoch), "ledger.jsonl")
}
