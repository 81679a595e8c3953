package volume

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Lines of pg_waldump 15.
const (
	plainCommit    = "rmgr: Transaction len (rec/tot):     34/    34, tx:        745, lsn: 0/030001C8, prev 0/03000190, desc: COMMIT 2026-11-23 16:55:41.123456 UTC"
	subCommit      = "rmgr: Transaction len (rec/tot):     98/    98, tx:        746, lsn: 0/030002C8, prev 0/03000190, desc: COMMIT 2026-11-23 16:55:40.5 UTC; subxacts: 747 748; inval msgs: catcache 7"
	preparedCommit = "rmgr: Transaction len (rec/tot):     58/    58, tx:          0, lsn: 0/030003C8, prev 0/03000190, desc: COMMIT_PREPARED 749: 2026-11-23 16:55:42 UTC"
	abort          = "rmgr: Transaction len (rec/tot):     34/    34, tx:        750, lsn: 0/030004C8, prev 0/03000190, desc: ABORT 2026-11-23 16:55:41.123456 UTC"
	strangeCommit  = "rmgr: Transaction len (rec/tot):     34/    34, tx:        751, lsn: 0/030005C8, prev 0/03000190, desc: COMMIT whenever"
)

func TestParseScan_CountsTransactionsAndListsAllTheirNumbers(t *testing.T) {
	found, err := parseScan(strings.Join([]string{plainCommit, subCommit, preparedCommit, abort, "last: 0/30004C8", "errors: invalid record length", "segment: yes"}, "\n"))
	require.NoError(t, err)
	require.Equal(t, 3, found.Commits)
	var numbers []string
	for _, lost := range found.Lost {
		numbers = append(numbers, lost.XID)
	}
	require.Equal(t, []string{"745", "746", "747", "748", "749"}, numbers)
	require.Equal(t, time.Date(2026, 11, 23, 16, 55, 40, 500_000_000, time.UTC), found.First)
	require.Equal(t, time.Date(2026, 11, 23, 16, 55, 42, 0, time.UTC), found.Last)
	require.Empty(t, found.whyIncomplete(0x3000100, 0x3000200))
}

// Nothing lost and nothing read look alike. What is not understood is an error.
func TestParseScan_WhatItDoesNotUnderstand_IsNeverTakenForNothing(t *testing.T) {
	for name, output := range map[string]string{
		"no output":         "",
		"cut off":           plainCommit,
		"an unknown commit": strangeCommit + "\nlast: 0/30004C8",
		"no position":       plainCommit + "\nlast: somewhere",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseScan(output)
			require.Error(t, err)
		})
	}
}

func TestWhyIncomplete_OnlyWALThatReachesFromTheForkToTheEndTellsEverything(t *testing.T) {
	const fork = 0x3000100
	require.Empty(t, scan{}.whyIncomplete(fork, 0x3000000), "it was shut down before the fork")
	require.Contains(t, scan{End: 0x5000000}.whyIncomplete(fork, 0x4000000), "is gone")
	require.Contains(t, scan{Segment: true, End: 0x3000200, Errors: "could not find file"}.whyIncomplete(fork, 0x4000000), "could not find file")
	require.Contains(t, scan{Segment: true}.whyIncomplete(fork, 0x4000000), "breaks off")
	require.Empty(t, scan{Segment: true, End: 0x4000000}.whyIncomplete(fork, 0x4000000))
}

func TestSegmentName_IsPostgreSQLs(t *testing.T) {
	require.Equal(t, "000000010000000000000005", segmentName(1, 0x5000148, 16<<20))
	require.Equal(t, "0000000A00000016000000B3", segmentName(10, 0x16B374D848, 16<<20))
	require.Equal(t, "000000020000000000000032", segmentName(2, 0x3200000, 1<<20))
}

func TestSorted_SaysWhatTheLedgerCannotHold(t *testing.T) {
	changes, err := parseCounts("1663/5/100 INSERT 3\n1663/5/100 DELETE 1\n1663/5/100 LOCK 9\n1663/5/1259 INSERT 4\n1663/5/2619 UPDATE 5\n1664/0/1260 INSERT 1\n1663/5/999 INSERT 2\n1663/5/300 MULTI_INSERT 50\n")
	require.NoError(t, err)
	tables, notes := sorted(changes, map[string]string{"5": "shodo"}, map[string][]relation{"shodo": {
		{Filenode: "100", Schema: "public", Name: "writes", Kind: "r", Key: []string{"number"}},
		{Filenode: "300", Schema: "pg_toast", Name: "pg_toast_100", Kind: "t"},
		{Filenode: "1259", Schema: "pg_catalog", Name: "pg_class", Kind: "r"},
		{Filenode: "2619", Schema: "pg_catalog", Name: "pg_statistic", Kind: "r"},
	}})
	require.Len(t, tables, 1)
	require.Equal(t, LostTable{Name: "public.writes", Inserted: 3, Deleted: 1}, tables[0].LostTable)
	said := strings.Join(notes, "\n")
	require.Contains(t, said, "rows deleted: 1")
	require.Contains(t, said, "5 changes of catalogs")
	require.Contains(t, said, "2 changes were made to tables that were truncated")
	_, err = parseCounts("what is this\nreally")
	require.Error(t, err)
}

func TestExportQuery_QuotesNames(t *testing.T) {
	query := exportQuery(source{LostTable: LostTable{Name: `s'.t"`}, schema: "s'", relation: `t"`, keys: []string{`k"'`}}, "/data/lost.json")
	require.Contains(t, query, `FROM ONLY "s'"."t""" AS t`)
	require.Contains(t, query, `'k"''', t."k""'"`)
}

func TestParseSummary_ShowsTheFirstKeysAndTellsNoLongOnes(t *testing.T) {
	tables := []source{{}, {}}
	output := "sha256: abc\nfile: 0 0\nfile: 1 2\n" + `{"key":{"id":1}}` + "\n" + `{"key":{"id":"` + strings.Repeat("x", keyLength) + `"}}` + "\nfile: 2 1\n" + `{"key":null,"row":{"cut o`
	digest, rows, err := parseSummary(output, tables)
	require.NoError(t, err)
	require.Equal(t, "abc", digest)
	require.Equal(t, int64(3), rows)
	require.Equal(t, []string{`{"id":1}`}, tables[0].Keys)
	require.Empty(t, tables[1].Keys)
	_, _, err = parseSummary("file: 1 2", tables)
	require.Error(t, err)
}

func TestLedger_IsShortenedToWhatAReportTakes(t *testing.T) {
	ledger := Ledger{Tables: make([]LostTable, tablesShown+5)}
	ledger.Tables[tablesShown+4].Rows = 9
	ledger.shorten()
	require.Len(t, ledger.Tables, tablesShown)
	require.Equal(t, int64(9), ledger.Tables[0].Rows)
	require.Contains(t, ledger.Notes[0], "5 more tables")
}

func TestReplayOf_IsDoneWhenTheLastRecordWasReplayed(t *testing.T) {
	for output, done := range map[string]bool{"replayed: true 0/5000148": true, "replayed: true 0/5000100": false, "starting: LOG: redo starts": false} {
		now, err := replayOf(output, 0x5000100)
		require.NoError(t, err)
		require.Equal(t, done, now.Done, output)
	}
	_, err := replayOf("replayed: false 0/5000148", 0)
	require.ErrorIs(t, err, errNoReplica)
}

func TestProgressOf_ReadsTheLastOfPgRewind(t *testing.T) {
	now := progressOf("pg_rewind: servers diverged at WAL location 0/5000148\n  1024/4096 kB (25%) copied\r  2048/4096 kB (50%) copied")
	require.Equal(t, int64(2<<20), now.Copied)
	require.Equal(t, int64(4<<20), now.Total)
}
