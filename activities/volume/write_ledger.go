package volume

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// WriteLedgerParams names the volume, whose data directory has been replayed, and what was found there.
type WriteLedgerParams struct {
	Place
	Home     string         `json:"home"` // as InspectVolume found it
	SystemID string         `json:"systemId"`
	Timeline uint32         `json:"timeline"`
	Fork     postgres.LSN   `json:"fork"`
	XIDEpoch uint32         `json:"xidEpoch"`
	Lost     FindLostResult `json:"lost"`
	Epoch    int64          `json:"epoch"` // of the lease
	Patience time.Duration  `json:"patience"`
}

// WriteLedgerResult is the summary of what was written.
type WriteLedgerResult struct {
	Done   bool   `json:"done"` // else ask again
	Ledger Ledger `json:"ledger"`
}

// WriteLedger writes the rows of lost transactions from the isolated server into a file on the volume, with their keys, their contents and
// when they were committed. Asked again it goes on where it was; a ledger that is complete is not written again. Errors: Closed;
// Unexpected, for good, when a query fails, for example because the volume is full; NotReady when the isolated server does not answer.
func (a *Activities) WriteLedger(ctx context.Context, params WriteLedgerParams) (WriteLedgerResult, error) {
	known, err := a.ReadLedger(ctx, ReadLedgerParams{Place: params.Place, Home: params.Home, Epoch: params.Epoch})
	if err != nil || known.Found {
		return WriteLedgerResult{Done: known.Found, Ledger: known.Ledger}, err
	}
	deadline := time.Now().Add(params.Patience)
	counted, err := a.finish(ctx, params.Place, params.Patience, "count", decimal(params.Timeline), params.Fork.String())
	if err != nil || !counted {
		return WriteLedgerResult{}, err
	}
	tables, notes, err := a.changedTables(ctx, params.Place)
	if err != nil {
		return WriteLedgerResult{}, err
	}
	if params.XIDEpoch > 0 {
		notes = append(notes, fmt.Sprintf("transaction numbers have begun anew %d times: a row that was frozen under the number of a lost transaction, "+
			"thousands of millions of transactions ago, cannot be told apart and would be listed too", params.XIDEpoch))
	}
	if err := a.prepareExport(ctx, params, tables, notes); err != nil {
		return WriteLedgerResult{}, err
	}
	exported, err := a.finish(ctx, params.Place, max(time.Until(deadline), jobInterval), "export")
	if err != nil || !exported {
		return WriteLedgerResult{}, err
	}
	return a.summarise(ctx, params, tables, notes)
}

// changedTables asks the catalogs of the isolated server which tables lost transactions have changed.
func (a *Activities) changedTables(ctx context.Context, place Place) ([]source, []string, error) {
	output, err := a.run(ctx, place, "", "show", "counts")
	if err != nil {
		return nil, nil, err
	}
	changes, err := parseCounts(output)
	if err != nil {
		return nil, nil, failure.Permanent(failure.Unexpected, "%s", err)
	}
	named, err := a.run(ctx, place, "SELECT oid || ':' || datname FROM pg_database WHERE datallowconn;\n", "query", "postgres")
	if err != nil {
		return nil, nil, err
	}
	databases := fields(named)
	filenodes := map[string][]string{}
	for _, change := range changes {
		if name := databases[change.Database]; name != "" && !slices.Contains(filenodes[name], change.Relation) {
			filenodes[name] = append(filenodes[name], change.Relation)
		}
	}
	relations := map[string][]relation{}
	for name, numbers := range filenodes {
		output, err := a.run(ctx, place, relationsQuery(numbers), "query", name)
		if err != nil {
			return nil, nil, err
		}
		if relations[name], err = jsonLines[relation](output); err != nil {
			return nil, nil, failure.Permanent(failure.Unexpected, "read the catalog of database %s on the %s: %s", name, place, err)
		}
	}
	tables, notes := sorted(changes, databases, relations)
	return tables, notes, nil
}

func jsonLines[T any](output string) ([]T, error) {
	var all []T
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// prepareExport writes down the queries of the export and the lines around the rows.
func (a *Activities) prepareExport(ctx context.Context, params WriteLedgerParams, tables []source, notes []string) error {
	first, err := json.Marshal(header{
		Ledger: 1, Database: params.Database, Former: params.Pod, SystemID: params.SystemID, Timeline: params.Timeline, Fork: params.Fork,
		Transactions: params.Lost.Transactions, First: params.Lost.First, Last: params.Lost.Last,
	})
	if err != nil {
		return failure.Permanent(failure.Unexpected, "write the ledger: %s", err)
	}
	files := map[string]string{"export.sql": exportScript(tables, path.Join(path.Dir(params.Home), "rejoin", "lost.json")), "ledger.head": string(first) + "\n"}
	var last strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&last, `{"table":%q,"inserted":%d,"updated":%d,"deleted":%d}`+"\n", table.Name, table.Inserted, table.Updated, table.Deleted)
	}
	for _, note := range notes {
		fmt.Fprintf(&last, `{"note":%q}`+"\n", note)
	}
	files["ledger.tail"] = last.String()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, err := a.run(ctx, params.Place, files[name], "put", name); err != nil {
			return err
		}
	}
	return nil
}

// exportScript lets psql write the rows of each table into a file of its own, in portions that fit into its memory. It also writes how many
// they were, because psql does not notice when a volume is full.
func exportScript(tables []source, lostFile string) string {
	var script strings.Builder
	script.WriteString("\\set FETCH_COUNT 1000\n")
	database := ""
	for i, table := range tables {
		if table.database != database {
			database = table.database
			fmt.Fprintf(&script, "\\connect %s\n", identifier(database))
		}
		fmt.Fprintf(&script, "\\o rows-%d\n%s\\o counted-%d\n\\qecho :ROW_COUNT\n\\o\n", i+1, exportQuery(table, lostFile), i+1)
	}
	return script.String()
}

func (a *Activities) summarise(ctx context.Context, params WriteLedgerParams, tables []source, notes []string) (WriteLedgerResult, error) {
	output, err := a.run(ctx, params.Place, "", "summed", fmt.Sprint(keysShown))
	if err != nil {
		return WriteLedgerResult{}, err
	}
	ledger := Ledger{Notes: notes, Path: ledgerPath(params.Home, params.Epoch), Lost: params.Lost}
	if ledger.SHA256, ledger.Rows, err = parseSummary(output, tables); err != nil {
		return WriteLedgerResult{}, failure.Permanent(failure.Unexpected, "%s", err)
	}
	for _, table := range tables {
		ledger.Tables = append(ledger.Tables, table.LostTable)
	}
	ledger.shorten()
	text, err := json.Marshal(ledger)
	if err != nil {
		return WriteLedgerResult{}, failure.Permanent(failure.Unexpected, "write %s: %s", summaryFile, err)
	}
	if _, err := a.run(ctx, params.Place, string(text), "put", summaryFile); err != nil {
		return WriteLedgerResult{}, err
	}
	return WriteLedgerResult{Done: true, Ledger: ledger}, nil
}

// KeptIn is the folder on the volume where a run leaves what it keeps: the ledger, and the data directory if it was not rewound.
func KeptIn(home string, epoch int64) string {
	return path.Join(path.Dir(home), "set-aside", "rejoin-"+epochText(epoch))
}
