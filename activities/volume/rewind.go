package volume

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"go.temporal.io/sdk/activity"
)

// RewindParams names the volume, whose data directory was taken, and the server whose history it should have.
type RewindParams struct {
	Place
	Host     string        `json:"host"` // of the new primary, the same after its next restart
	Port     int           `json:"port"`
	Catalog  string        `json:"catalog"`
	Patience time.Duration `json:"patience"`
}

// RewindResult says how far it is, or that it cannot be.
type RewindResult struct {
	Done       bool   `json:"done"`                 // else, without a reason below, ask again
	Impossible string `json:"impossible,omitempty"` // why the data directory, which is untouched, cannot be rewound
	Half       string `json:"half,omitempty"`       // why it is half rewound, and of no use any more
	Unclean    bool   `json:"unclean,omitempty"`    // Replay must run first: its server was not shut down in order
	Copied     int64  `json:"copied"`               // bytes
	Total      int64  `json:"total"`                // bytes to copy, 0 before that is known
	Seen       string `json:"seen"`
}

// sourceLost lets the rewind, and the streaming that inherits its connection, notice within seconds that a machine is gone without a word.
const sourceLost = "connect_timeout=5 keepalives_idle=2 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=3000"

// The exit codes of the script.
const (
	rewound    = 0
	noSource   = 20
	impossible = 21
	half       = 22
	unclean    = 23
)

// Rewind stops the isolated server and lets pg_rewind make the data directory one of the new primary's history, which writes a replica's
// configuration too. It tries dry first, so that what cannot be rewound stays untouched. It runs once in the life of the pod; asked again it
// says how far it is, and a rewind that ended half-way is never begun again. Errors: Closed; NotReady while the new primary cannot be used.
func (a *Activities) Rewind(ctx context.Context, params RewindParams) (RewindResult, error) {
	port := strconv.Itoa(params.Port)
	// The password is in the environment of the pod.
	source := fmt.Sprintf("host=%s port=%s dbname=%s application_name=%s %s", params.Host, port, params.Catalog, params.Pod, sourceLost)
	beat := func(now job) { activity.RecordHeartbeat(ctx, progressOf(now.Log)) }
	if !activity.IsActivity(ctx) {
		beat = func(job) {}
	}
	now, err := a.work(ctx, params.Place, params.Patience, beat, "rewind", source, params.Host, port, params.Catalog)
	if err != nil {
		return RewindResult{}, err
	}
	result := progressOf(now.Log)
	if !now.Ended {
		return result, nil
	}
	switch now.Code {
	case rewound:
		result.Done = true
	case impossible:
		result.Impossible = result.Seen
	case half:
		result.Half = result.Seen
	default:
		if _, err := a.run(ctx, params.Place, "", "forget", "rewind"); err != nil {
			return result, err
		}
		if now.Code == unclean {
			result.Unclean = true
			return result, nil
		}
		return result, failure.Transient(failure.NotReady, "rewind the %s: the new primary at %s cannot be used: %s", params.Place, params.Host, result.Seen)
	}
	return result, nil
}

var copied = regexp.MustCompile(`(\d+)/(\d+) kB \(\d+%\) copied`)

// progressOf reads the last progress that pg_rewind has reported, and its last line.
func progressOf(log string) RewindResult {
	result := RewindResult{Seen: lastLine(log)}
	all := copied.FindAllStringSubmatch(log, -1)
	if len(all) == 0 {
		return result
	}
	last := all[len(all)-1]
	result.Copied, result.Total = kilobytes(last[1]), kilobytes(last[2])
	return result
}
