package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRest_NeedsTwoLooksThatAgree(t *testing.T) {
	began := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	look := func(receive, replay LSN, receiving bool) Server {
		return Server{Reached: true, InRecovery: true, ReceiveLSN: receive, ReplayLSN: replay, Receiving: receiving}
	}
	tests := []struct {
		name    string
		looks   []Server
		every   time.Duration
		reached bool
	}{
		{"one look says nothing", []Server{look(9, 9, false)}, pollInterval, false},
		{"two equal looks", []Server{look(9, 9, false), look(9, 9, false)}, pollInterval, true},
		{"a replica that restarted and forgot what it received", []Server{look(2, 9, false), look(2, 9, false)}, pollInterval, true},
		{"a receiver that has not ended", []Server{look(9, 9, true), look(9, 9, true)}, pollInterval, false},
		{"a receiver that was just seen", []Server{look(9, 9, true), look(9, 9, false)}, pollInterval, false},
		{"more arrived in between", []Server{look(8, 8, false), look(9, 9, false)}, pollInterval, false},
		{"replay still goes on", []Server{look(9, 7, false), look(9, 8, false)}, pollInterval, false},
		{"replay stands still for a moment", []Server{look(9, 7, false), look(9, 7, false)}, pollInterval, false},
		{"replay stands still for good, however much is left", []Server{look(900000, 7, false), look(900000, 7, false)}, tornAfter, true},
		{"a server that is no replica", []Server{{Reached: true}}, pollInterval, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var current rest
			for i, server := range test.looks {
				current = current.then(server, began.Add(time.Duration(i)*test.every))
			}
			require.Equal(t, test.reached, current.reached)
		})
	}
}
