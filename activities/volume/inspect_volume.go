package volume

import (
	"context"
	"strconv"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// InspectVolumeParams names the volume.
type InspectVolumeParams struct{ Place }

// Where a data directory is found.
const (
	AtHome  = "home" // where its server would start it
	AtWork  = "work" // an earlier run has taken it
	Nowhere = "none"
)

// Contents is what is on a volume.
type Contents struct {
	Home      string `json:"home"` // the folder where the data directory belongs
	At        string `json:"at"`
	Follows   bool   `json:"follows"`   // the data directory at home is a replica's
	Rewinding bool   `json:"rewinding"` // a rewind has begun and not ended: it must never be started
	Rewound   bool   `json:"rewound"`

	State       string       `json:"state,omitempty"` // in the words of pg_controldata
	SystemID    string       `json:"systemId,omitempty"`
	Timeline    uint32       `json:"timeline,omitempty"` // the newest of which there is WAL
	Checkpoint  postgres.LSN `json:"checkpoint,omitempty"`
	SegmentSize uint64       `json:"segmentSize,omitempty"` // bytes of one WAL file
	XIDEpoch    uint32       `json:"xidEpoch,omitempty"`    // how often the 32-bit transaction numbers have begun anew
	Size        int64        `json:"size,omitempty"`        // bytes of the data directory
	Free        int64        `json:"free"`                  // bytes left on the volume
}

// Clean says that the server was shut down in order.
func (c Contents) Clean() bool { return c.State == "shut down" || c.State == "shut down in recovery" }

// InspectVolume reads what is on a volume. It changes nothing. Errors: Closed; Unexpected, for good, when nobody can say which folder is the
// data directory.
func (a *Activities) InspectVolume(ctx context.Context, params InspectVolumeParams) (Contents, error) {
	output, err := a.run(ctx, params.Place, "", "inspect")
	if err != nil {
		return Contents{}, err
	}
	contents, err := contentsOf(fields(output))
	if err != nil {
		return contents, failure.Permanent(failure.Unexpected, "inspect the %s: %s", params.Place, err)
	}
	return contents, nil
}

func contentsOf(found map[string]string) (Contents, error) {
	contents := Contents{
		Home: found["home"], At: found["at"], Follows: found["follows"] == "yes", Rewinding: found["rewinding"] == "yes", Rewound: found["rewound"] == "yes",
		Free: kilobytes(found["free"]), Size: kilobytes(found["size"]),
	}
	if contents.At == Nowhere {
		return contents, nil
	}
	contents.State, contents.SystemID = found["Database cluster state"], found["Database system identifier"]
	var err error
	if contents.Checkpoint, err = postgres.ParseLSN(found["Latest checkpoint location"]); err != nil {
		return contents, err
	}
	timeline, err := strconv.ParseUint(found["Latest checkpoint's TimeLineID"], 10, 32)
	if err != nil {
		return contents, err
	}
	if contents.SegmentSize, err = strconv.ParseUint(found["Bytes per WAL segment"], 10, 64); err != nil {
		return contents, err
	}
	epoch, _, _ := strings.Cut(found["Latest checkpoint's NextXID"], ":")
	wrapped, err := strconv.ParseUint(epoch, 10, 32)
	if err != nil {
		return contents, err
	}
	// The control file of a server that was promoted a moment before it died still names the timeline before.
	written, err := strconv.ParseUint(found["walTimeline"], 16, 32)
	if err != nil {
		written = 0
	}
	contents.Timeline, contents.XIDEpoch = uint32(max(timeline, written)), uint32(wrapped)
	return contents, nil
}

func kilobytes(text string) int64 {
	count, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // it is only shown
	}
	return count << 10
}
