package volume

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

var errNoReplica = errors.New("the isolated server is not a replica")

// What of a ledger is told: enough to see what it is about, and far below what Temporal takes in one result.
const (
	tablesShown = 20
	keysShown   = 20
	keyLength   = 200 // bytes
)

// Ledger is the summary of a file of rows that only one volume has. The file has one JSON object a line: what the ledger is
// about, every row as it was last, and the changes by table.
type Ledger struct {
	Path   string      `json:"path"` // on the volume, when the run is over
	SHA256 string      `json:"sha256"`
	Rows   int64       `json:"rows"`
	Tables []LostTable `json:"tables,omitempty"` // those with most rows first
	Notes  []string    `json:"notes,omitempty"`  // what it does not hold, a sentence each

	Lost FindLostResult `json:"lost"` // the transactions that it is about
}

// LostTable is what lost transactions did to a table. Rows are those that they wrote and that were there in the end; the rest are
// numbers of changes in the WAL.
type LostTable struct {
	Name     string   `json:"name"` // with its schema
	Rows     int64    `json:"rows"`
	Keys     []string `json:"keys,omitempty"` // primary keys of the first of them, as JSON
	Inserted int64    `json:"inserted"`
	Updated  int64    `json:"updated"`
	Deleted  int64    `json:"deleted"`
}

// source is where the rows of a table are read.
type source struct {
	LostTable
	database, schema, relation string
	keys                       []string // columns of the primary key
}

// header is the first line of a ledger.
type header struct {
	Ledger       int          `json:"ledger"` // version of the format
	Database     string       `json:"database"`
	Former       string       `json:"formerPrimary"`
	SystemID     string       `json:"systemId"`
	Timeline     uint32       `json:"timeline"`
	Fork         postgres.LSN `json:"fork"`
	Transactions int          `json:"transactions"`
	First        time.Time    `json:"first,omitzero"`
	Last         time.Time    `json:"last,omitzero"`
}

// relation is a table as its catalog describes it.
type relation struct {
	Filenode string   `json:"filenode"`
	Schema   string   `json:"schema"`
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // pg_class.relkind
	Key      []string `json:"key"`
}

// relationsQuery describes the relations whose files have been changed.
func relationsQuery(filenodes []string) string {
	return `SELECT json_build_object('filenode', pg_relation_filenode(c.oid)::text, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind::text,
  'key', (SELECT coalesce(json_agg(a.attname ORDER BY array_position(i.indkey::int2[], a.attnum)), '[]')
            FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = c.oid AND array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts
           WHERE i.indrelid = c.oid AND i.indisprimary))::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE pg_relation_filenode(c.oid) = ANY ('{` + strings.Join(filenodes, ",") + `}'::oid[]);
`
}

// exportQuery writes the rows of a table that lost transactions have written. Its number of a transaction may be as old as the
// server, so rows are found by those of lost ones alone.
func exportQuery(table source, lostFile string) string {
	key := "NULL"
	if len(table.keys) > 0 {
		var parts []string
		for _, column := range table.keys {
			parts = append(parts, quote(column)+", t."+identifier(column))
		}
		key = "json_build_object(" + strings.Join(parts, ", ") + ")"
	}
	return fmt.Sprintf(`SELECT json_build_object('table', %s, 'key', %s, 'xid', lost.xid::text, 'committed', lost.at, 'row', to_jsonb(t))::text
  FROM ONLY %s.%s AS t JOIN jsonb_to_recordset(pg_read_file(%s)::jsonb) AS lost(xid xid, at timestamptz) ON t.xmin = lost.xid
 ORDER BY lost.at, lost.xid::text::bigint;
`, quote(table.Name), key, identifier(table.schema), identifier(table.relation), quote(lostFile))
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// changed adds a change to what is known of a table.
func (t *LostTable) changed(change change) {
	switch change.Kind {
	case "INSERT", "MULTI_INSERT":
		t.Inserted += change.Count
	case "UPDATE", "HOT_UPDATE":
		t.Updated += change.Count
	case "DELETE":
		t.Deleted += change.Count
	}
}

// changesRows says whether a change is one of rows, and not a lock or a page's upkeep.
func (c change) changesRows() bool {
	return slices.Contains([]string{"INSERT", "MULTI_INSERT", "UPDATE", "HOT_UPDATE", "DELETE"}, c.Kind)
}

// sorted sorts changes into tables whose rows a ledger holds, and notes about the rest.
func sorted(changes []change, databases map[string]string, relations map[string][]relation) (tables []source, notes []string) {
	byName := map[string]*source{}
	var schema, unknown int64
	for _, change := range changes {
		if !change.changesRows() {
			continue
		}
		database := databases[change.Database]
		found := slices.IndexFunc(relations[database], func(r relation) bool { return r.Filenode == change.Relation })
		switch {
		case database == "":
			schema += change.Count // catalogs that all databases share
		case found < 0:
			unknown += change.Count
		case relations[database][found].isTable():
			of := relations[database][found]
			name := database + "\x00" + of.Schema + "." + of.Name
			if byName[name] == nil {
				byName[name] = &source{LostTable: LostTable{Name: of.Schema + "." + of.Name}, database: database, schema: of.Schema, relation: of.Name, keys: of.Key}
			}
			byName[name].changed(change)
		case relations[database][found].isSchema():
			schema += change.Count
		}
	}
	for _, table := range byName {
		tables = append(tables, *table)
	}
	slices.SortFunc(tables, func(a, b source) int { return cmp.Or(cmp.Compare(a.database, b.database), cmp.Compare(a.Name, b.Name)) })
	return tables, notesAbout(tables, schema, unknown)
}

func notesAbout(tables []source, schema, unknown int64) (notes []string) {
	var deleted int64
	for _, table := range tables {
		deleted += table.Deleted
	}
	if deleted > 0 {
		notes = append(notes, fmt.Sprintf("rows deleted: %d; they are counted by table, their keys are not in the WAL, and those that the new primary has are there again", deleted))
	}
	if schema > 0 {
		notes = append(notes, fmt.Sprintf("%d changes of catalogs (schema, roles) are only counted", schema))
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%d changes were made to tables that were truncated, rewritten or dropped afterwards: they are only counted", unknown))
	}
	return notes
}

// isTable says whether rows of the relation are people's data.
func (r relation) isTable() bool { return r.Kind == "r" && !r.isSystem() }

// isSchema says whether a change of the relation is one of the schema. Statistics are gathered by the server itself.
func (r relation) isSchema() bool {
	return r.Schema == "pg_catalog" && !strings.HasPrefix(r.Name, "pg_statistic")
}

func (r relation) isSystem() bool {
	return r.Schema == "information_schema" || strings.HasPrefix(r.Schema, "pg_")
}

// parseSummary reads the digest, and for each numbered file its count of lines and its first ones, into the tables.
func parseSummary(output string, tables []source) (digest string, rows int64, err error) {
	current := -1
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "sha256: "):
			digest = strings.TrimPrefix(line, "sha256: ")
		case strings.HasPrefix(line, "file: "):
			var number int
			var count int64
			if _, err := fmt.Sscanf(line, "file: %d %d", &number, &count); err != nil || number > len(tables) {
				return "", 0, fmt.Errorf("read the summary of the ledger: %q", line)
			}
			if current = number - 1; current >= 0 {
				tables[current].Rows, rows = count, rows+count
			}
		case current >= 0 && len(tables[current].Keys) < keysShown:
			tables[current].Keys = appendKey(tables[current].Keys, line)
		}
	}
	if digest == "" {
		return "", 0, errors.New("read the summary of the ledger: it has no digest")
	}
	return digest, rows, nil
}

// appendKey adds the key of a ledger's line. Lines that were cut off, and tables without a primary key, have none.
func appendKey(keys []string, line string) []string {
	var entry struct {
		Key json.RawMessage `json:"key"`
	}
	if json.Unmarshal([]byte(line), &entry) != nil || len(entry.Key) == 0 || string(entry.Key) == "null" || len(entry.Key) > keyLength {
		return keys
	}
	return append(keys, string(entry.Key))
}

// shorten leaves the tables with most rows, and says so.
func (l *Ledger) shorten() {
	slices.SortStableFunc(l.Tables, func(a, b LostTable) int { return cmp.Compare(b.Rows, a.Rows) })
	if more := len(l.Tables) - tablesShown; more > 0 {
		l.Tables = l.Tables[:tablesShown]
		l.Notes = append(l.Notes, fmt.Sprintf("%d more tables are in the ledger", more))
	}
}

func decimal(number uint32) string { return strconv.FormatUint(uint64(number), 10) }
