package volume

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// lostTransaction is a transaction number under which rows were written, and when it was committed. A subtransaction has its
// own number and the commit of the whole.
type lostTransaction struct {
	XID string    `json:"xid"`
	At  time.Time `json:"at"`
}

// scan is what the WAL after a position says.
type scan struct {
	Commits int               // transactions, without their subtransactions
	Lost    []lostTransaction // all numbers
	First   time.Time
	Last    time.Time
	End     postgres.LSN // where the last record begins, 0 when there is none
	Segment bool         // the WAL file with the position is there
	Errors  string       // what pg_waldump complained about
}

var (
	commitRecord = regexp.MustCompile(`tx: +(\d+),.* desc: COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*) UTC`)
	// A transaction that was prepared before is named in the description: the record itself has no number.
	commitPrepared = regexp.MustCompile(`desc: COMMIT_PREPARED (\d+): (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*) UTC`)
	subtransaction = regexp.MustCompile(`; subxacts:((?: \d+)+)`)
)

// parseScan reads what pg_waldump prints of transactions.
func parseScan(output string) (scan, error) {
	var found scan
	complete := false
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "last: "):
			end, err := postgres.ParseLSN(strings.TrimPrefix(line, "last: "))
			if err != nil {
				return found, err
			}
			found.End, complete = end, true
		case strings.HasPrefix(line, "errors: "):
			found.Errors = strings.TrimPrefix(line, "errors: ")
		case line == "segment: yes":
			found.Segment = true
		default:
			if err := found.add(line); err != nil {
				return found, err
			}
		}
	}
	if !complete {
		return found, errors.New("the list of transactions has no end") // an empty list must never come from a scan that failed
	}
	return found, nil
}

func (s *scan) add(line string) error {
	fields := commitRecord.FindStringSubmatch(line)
	if fields == nil {
		fields = commitPrepared.FindStringSubmatch(line)
	}
	if fields == nil {
		if strings.Contains(line, "desc: COMMIT") {
			return fmt.Errorf("read WAL record %q: it is a commit of an unknown form", line)
		}
		return nil // an abort, a prepare, an assignment
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999", fields[2])
	if err != nil {
		return fmt.Errorf("read WAL record %q: %w", line, err)
	}
	numbers := []string{fields[1]}
	if within := subtransaction.FindStringSubmatch(line); within != nil {
		numbers = append(numbers, strings.Fields(within[1])...)
	}
	for _, number := range numbers {
		if number != "0" { // a commit that has written nothing
			s.Lost = append(s.Lost, lostTransaction{XID: number, At: at})
		}
	}
	s.Commits++
	if s.First.IsZero() || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
	return nil
}

// whyIncomplete says why the WAL does not tell everything that happened after the fork, or nothing. The last checkpoint is in
// the WAL unless some is missing.
func (s scan) whyIncomplete(fork, checkpoint postgres.LSN) string {
	switch {
	case checkpoint < fork:
		return "" // whatever there is follows the checkpoint
	case !s.Segment:
		return fmt.Sprintf("its WAL from the fork at %s on is gone", fork)
	case s.End < checkpoint:
		return fmt.Sprintf("its WAL breaks off before its last checkpoint at %s: %s", checkpoint, s.Errors)
	default:
		return ""
	}
}

// segmentName is the name of the WAL file that holds a position.
func segmentName(timeline uint32, at postgres.LSN, size uint64) string {
	perID := uint64(1<<32) / size
	segment := uint64(at) / size
	return fmt.Sprintf("%08X%08X%08X", timeline, segment/perID, segment%perID)
}

// change is how often lost transactions have changed a relation in one way.
type change struct {
	Database, Relation, Kind string // OID, file number, and what pg_waldump calls it
	Count                    int64
}

// parseCounts reads lines of "tablespace/database/relation kind count".
func parseCounts(output string) ([]change, error) {
	var changes []change
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("read the changes of lost transactions: %q", line)
		}
		place := strings.Split(fields[0], "/")
		count, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || len(place) != 3 {
			return nil, fmt.Errorf("read the changes of lost transactions: %q", line)
		}
		changes = append(changes, change{Database: place[1], Relation: place[2], Kind: fields[1], Count: count})
	}
	return changes, nil
}
