package workflows

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
)

// comparison is how a data directory stands to a primary.
type comparison struct {
	seen    string
	fork    postgres.LSN // where their histories part
	never   string       // why it must not be touched; empty: it may be
	unblock string
}

// compareHistories finds where the primary's history left that of a data directory.
func compareHistories(former string, contents volume.Contents, primary postgres.Server) comparison {
	switch {
	case !primary.Reached:
		return comparison{never: fmt.Sprintf("new primary %s cannot be asked: %s", primary.Pod, primary.Error), unblock: "bring it up first"}
	case primary.InRecovery:
		return comparison{never: fmt.Sprintf("%s is a replica and not the new primary", primary.Pod), unblock: "fail over first"}
	case contents.At == volume.Nowhere:
		return comparison{seen: fmt.Sprintf("the volume of %s is empty: it clones %s", former, primary.Pod)}
	case contents.SystemID != primary.SystemID:
		return comparison{
			never:   fmt.Sprintf("the volume of %s holds system %s, and %s is of system %s: they have nothing in common", former, contents.SystemID, primary.Pod, primary.SystemID),
			unblock: "find out whose data it is",
		}
	case contents.Rewinding:
		return comparison{seen: "an earlier rewind was interrupted half-way: it is kept aside, and a clone takes its place"}
	case !needsRewind(contents):
		return comparison{seen: fmt.Sprintf("%s is a replica already", former)}
	}
	for _, fork := range primary.History {
		if fork.Timeline == contents.Timeline {
			return comparison{fork: fork.At, seen: fmt.Sprintf("%s left timeline %d of %s at %s", primary.Pod, contents.Timeline, former, fork.At)}
		}
	}
	return comparison{
		never:   fmt.Sprintf("%s is on timeline %d, which is none that %s, on timeline %d, has left", former, contents.Timeline, primary.Pod, primary.Timeline),
		unblock: "find out which of them has what must be kept; a clone can be made by hand",
	}
}

// needsRewind says whether a volume holds the data directory of a primary, which no rewind has touched.
func needsRewind(contents volume.Contents) bool {
	switch contents.At {
	case volume.AtHome:
		return !contents.Follows
	case volume.AtWork:
		return !contents.Rewinding && !contents.Rewound
	default:
		return false
	}
}

const mebibyte = 1 << 20

func describeContents(contents volume.Contents) string {
	if contents.At == volume.Nowhere {
		return fmt.Sprintf("no data directory, %d MiB free", contents.Free/mebibyte)
	}
	return fmt.Sprintf("%s, system %s, timeline %d, last checkpoint %s, %d MiB of data, %d MiB free", contents.State, contents.SystemID, contents.Timeline,
		contents.Checkpoint, contents.Size/mebibyte, contents.Free/mebibyte)
}

// progressInWords estimates what is left from what was done so far.
func progressInWords(done, total int64, took time.Duration) string {
	text := fmt.Sprintf("%d of %d MiB", done/mebibyte, total/mebibyte)
	if done <= 0 || done >= total || took <= 0 {
		return text
	}
	left := time.Duration(float64(took) * float64(total-done) / float64(done))
	return fmt.Sprintf("%s, about %s left", text, left.Round(time.Second))
}

func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}
