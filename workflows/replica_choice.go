package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
)

// replicaChoice is which replica should become the primary, and what would be lost with the old one.
type replicaChoice struct {
	Chosen postgres.Server
	Found  bool
	Loss   loss
	// Refused says of every other server why it was not chosen.
	Refused []string
}

// loss bounds the acknowledged writes that only the old primary has.
type loss struct {
	Bytes      uint64 // WAL that the old primary is known to have had beyond the chosen replica
	Within     time.Duration
	Bounded    bool // false: nothing is known about the time, and Within means nothing
	HowBounded string
	KnownEnd   bool // false: nobody knows where the primary's WAL ended, and Bytes means nothing
}

// primaryKnowledge is what is known of the primary that is gone.
type primaryKnowledge struct {
	End  postgres.LSN // where it last said that its WAL ended, 0 when nobody knows
	Died time.Time    // no later than this
}

// chooseReplica picks the server that has received most of the primary's WAL. A server on another timeline than the primary's
// is never picked, however high its LSN: it holds another history.
func chooseReplica(servers []postgres.Server, primary primaryKnowledge) replicaChoice {
	var choice replicaChoice
	timeline, sure := primaryTimeline(servers)
	var candidates []postgres.Server
	for _, server := range servers {
		if why := unfit(server, timeline, sure); why != "" {
			choice.Refused = append(choice.Refused, server.Pod+": "+why)
			continue
		}
		candidates = append(candidates, server)
	}
	if len(candidates) == 0 {
		return choice
	}
	slices.SortFunc(candidates, byProgress)
	choice.Chosen, choice.Found = candidates[0], true
	for _, other := range candidates[1:] {
		choice.Refused = append(choice.Refused, fmt.Sprintf("%s: at %s, %d bytes behind", other.Pod, progress(other), progress(choice.Chosen)-progress(other)))
	}
	choice.Loss = lossWith(choice.Chosen, primary)
	return choice
}

// chooseSuccessor picks the replica that takes over from a living primary: the one that is asked for, or the furthest.
func chooseSuccessor(servers []postgres.Server, primary postgres.Server, wanted string) replicaChoice {
	var choice replicaChoice
	var candidates []postgres.Server
	for _, server := range servers {
		why := unfit(server, primary.Timeline, true)
		switch {
		case why == "" && wanted != "" && server.Pod != wanted:
			why = "another was asked for"
		case why == "" && !server.Receiving:
			why = "does not receive from the primary"
		case why == "" && server.SystemID != primary.SystemID:
			why = "is a replica of another system"
		}
		if why != "" {
			choice.Refused = append(choice.Refused, server.Pod+": "+why)
			continue
		}
		candidates = append(candidates, server)
	}
	if len(candidates) == 0 {
		return choice
	}
	slices.SortFunc(candidates, byProgress)
	choice.Chosen, choice.Found = candidates[0], true
	choice.Loss = loss{Bounded: true, KnownEnd: true, HowBounded: "read from the primary"}
	if primary.ReceiveLSN > progress(choice.Chosen) {
		choice.Loss.Bytes = uint64(primary.ReceiveLSN - progress(choice.Chosen))
	}
	return choice
}

// progress is how much WAL a server has. The receive position steps back when a server restarts, the replay position does not.
func progress(server postgres.Server) postgres.LSN { return max(server.ReceiveLSN, server.ReplayLSN) }

// byProgress puts the furthest first and, among equals, the lowest ordinal: a StatefulSet can leave out its first pod, but not
// one in the middle, should this one be replaced in its turn.
func byProgress(a, b postgres.Server) int {
	return cmp.Or(cmp.Compare(progress(b), progress(a)), cmp.Compare(len(a.Pod), len(b.Pod)), strings.Compare(a.Pod, b.Pod))
}

// unfit says why a server cannot be promoted.
func unfit(server postgres.Server, timeline uint32, sure bool) string {
	switch {
	case !server.Reached:
		return "not reached: " + server.Error
	case !server.InRecovery:
		return "not a replica: it accepts writes itself"
	case !sure:
		return fmt.Sprintf("on timeline %d, and nobody can say which timeline was the primary's", server.Timeline)
	case server.Timeline != timeline:
		return fmt.Sprintf("on timeline %d%s, the primary was on %d; its position %s counts for nothing", server.Timeline, forkedFrom(server), timeline, progress(server))
	default:
		return ""
	}
}

func forkedFrom(server postgres.Server) string {
	if len(server.History) == 0 {
		return ""
	}
	fork := server.History[len(server.History)-1]
	return fmt.Sprintf(", which left timeline %d at %s", fork.Timeline, fork.At)
}

// primaryTimeline is the timeline of the replica that heard from the primary last; where no replica remembers hearing it,
// the only timeline there is. sure is false when replicas disagree and none of them has heard the primary.
func primaryTimeline(servers []postgres.Server) (timeline uint32, sure bool) {
	var heard time.Time
	for _, server := range servers {
		switch {
		case !server.Reached || !server.InRecovery:
			continue
		case server.HeardAt().After(heard):
			heard, timeline, sure = server.HeardAt(), server.Timeline, true
		case heard.IsZero() && timeline == 0:
			timeline, sure = server.Timeline, true
		case heard.IsZero() && timeline != server.Timeline:
			sure = false
		}
	}
	return timeline, sure
}

// lossWith bounds what is lost when server becomes the primary.
func lossWith(server postgres.Server, primary primaryKnowledge) loss {
	var bound loss
	if primary.End > 0 {
		bound.KnownEnd = true
		if primary.End > progress(server) {
			bound.Bytes = uint64(primary.End - progress(server))
		}
	}
	last := server.HeardAt()
	bound.HowBounded = "from the primary's last message to this replica until it was gone"
	if last.IsZero() {
		last = server.LastCommit
		bound.HowBounded = "from the last commit or checkpoint that this replica replayed until the primary was gone"
	}
	if last.IsZero() || primary.Died.IsZero() {
		return bound
	}
	bound.Bounded = true
	bound.Within = max(0, primary.Died.Sub(last))
	return bound
}

// String is the loss in words.
func (l loss) String() string {
	bytes := "unknown bytes of WAL"
	if l.KnownEnd {
		bytes = fmt.Sprintf("%d bytes of WAL that the primary was known to have", l.Bytes)
	}
	if !l.Bounded {
		return bytes + "; nobody can say how many seconds of writes"
	}
	return fmt.Sprintf("%s; the writes of at most the last %s", bytes, l.Within.Round(time.Millisecond))
}
