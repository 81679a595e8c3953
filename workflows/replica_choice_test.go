package workflows

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/stretchr/testify/require"
)

var three = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func standby(pod string, position postgres.LSN, change func(*postgres.Server)) postgres.Server {
	server := postgres.Server{Pod: pod, Reached: true, InRecovery: true, Timeline: 4, ReceiveLSN: position, ReplayLSN: position, LastHeard: three}
	if change != nil {
		change(&server)
	}
	return server
}

func TestChooseReplica_TakesTheOneThatHasMostOfThePrimarysHistory(t *testing.T) {
	forked := func(server *postgres.Server) {
		server.Timeline, server.LastHeard = 5, time.Time{}
		server.History = []postgres.Fork{{Timeline: 4, At: 0x100}}
	}
	restarted := func(server *postgres.Server) { server.ReceiveLSN = 0x50 }
	cases := []struct {
		name    string
		servers []postgres.Server
		want    string // empty: nobody
	}{
		{"the one ahead", []postgres.Server{standby("a", 0x200, nil), standby("b", 0x300, nil)}, "b"},
		{"the first of equals, so that two looks agree", []postgres.Server{standby("b", 0x200, nil), standby("a", 0x200, nil)}, "a"},
		{"the lowest ordinal of equals", []postgres.Server{standby("r-10", 0x200, nil), standby("r-9", 0x200, nil)}, "r-9"},
		{"never a fork, however far ahead", []postgres.Server{standby("a", 0x200, nil), standby("fork", 0x900, forked)}, "a"},
		{"never a fork, even alone with one that is silent", []postgres.Server{standby("a", 0x200, func(s *postgres.Server) { s.Reached = false }), standby("fork", 0x900, forked), standby("c", 0x100, nil)}, "c"},
		{"by replay, after a restart has taken its receive position back", []postgres.Server{standby("a", 0x300, restarted), standby("b", 0x200, nil)}, "a"},
		{"nobody who is a primary already", []postgres.Server{standby("a", 0x200, func(s *postgres.Server) { s.InRecovery = false })}, ""},
		{"nobody when timelines differ and none heard the primary", []postgres.Server{standby("a", 0x200, func(s *postgres.Server) { s.LastHeard = time.Time{} }), standby("fork", 0x300, forked)}, ""},
		{"nobody at all", nil, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			choice := chooseReplica(c.servers, primaryKnowledge{End: 0x300, Died: three.Add(time.Second)})
			require.Equal(t, c.want != "", choice.Found)
			require.Equal(t, c.want, choice.Chosen.Pod)
		})
	}
}

// Clocks of machines differ. Whoever is ahead must not look as if it had heard the primary last, nor hide what is lost.
func TestPrimaryTimeline_AForkWhoseClockIsAhead_DoesNotSpeakForThePrimary(t *testing.T) {
	fork := standby("fork", 0x900, func(s *postgres.Server) {
		s.Timeline, s.LastHeard, s.Ahead = 5, three.Add(9*time.Minute), 10*time.Minute
	})
	timeline, sure := primaryTimeline([]postgres.Server{fork, standby("a", 0x200, nil)})
	require.True(t, sure)
	require.Equal(t, uint32(4), timeline)
}

func TestDied_AMachineWhoseClockIsBehind_IsNotTakenToHaveDiedBeforeItWasHeard(t *testing.T) {
	evidence := primaryEvidence{Gathered: three.Add(3 * time.Second), After: []postgres.Server{standby("a", 0x200, nil)}}
	evidence.Instance.NodeHeartbeat = three.Add(-10 * time.Minute)
	require.Equal(t, evidence.Gathered, evidence.died(), "as late as it can have been")
	evidence.Instance.NodeHeartbeat = three.Add(10 * time.Minute)
	require.Equal(t, evidence.Gathered, evidence.died(), "nobody dies after they were found dead")
	evidence.Instance.NodeHeartbeat = three.Add(-8 * time.Second)
	require.Equal(t, three.Add(2*time.Second), evidence.died())
}

func TestChooseReplica_SaysWhatWouldBeLost(t *testing.T) {
	known := primaryKnowledge{End: 0x300, Died: three.Add(2 * time.Second)}
	heard := chooseReplica([]postgres.Server{standby("a", 0x200, nil)}, known).Loss
	require.Equal(t, uint64(0x100), heard.Bytes)
	require.Equal(t, 2*time.Second, heard.Within)

	ahead := func(server *postgres.Server) {
		server.LastHeard, server.Ahead = three.Add(10*time.Minute), 10*time.Minute
	}
	require.Equal(t, 2*time.Second, chooseReplica([]postgres.Server{standby("a", 0x200, ahead)}, known).Loss.Within, "a clock that is 10 minutes ahead hides nothing")

	deaf := func(server *postgres.Server) {
		server.LastHeard, server.LastCommit = time.Time{}, three.Add(-time.Minute)
	}
	require.Equal(t, 62*time.Second, chooseReplica([]postgres.Server{standby("a", 0x200, deaf)}, known).Loss.Within)

	ignorant := func(server *postgres.Server) { server.LastHeard = time.Time{} }
	require.False(t, chooseReplica([]postgres.Server{standby("a", 0x200, ignorant)}, known).Loss.Bounded)
	require.Contains(t, chooseReplica([]postgres.Server{standby("a", 0x200, ignorant)}, primaryKnowledge{}).Loss.String(), "unknown bytes")
}
