package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecide_OnlyTheNamedPodStartsAsAPrimary(t *testing.T) {
	cases := []struct {
		name string
		seen situation
		want action
	}{
		{"first start of the estate", situation{Pod: "a", Primary: "a"}, initialise},
		{"the primary restarts", situation{Pod: "a", Primary: "a", Data: true, Epoch: 3}, startAsIs},
		{"a replica restarts", situation{Pod: "b", Primary: "a", Data: true, Standby: true}, startAsIs},
		{"the chosen replica restarts before its promotion", situation{Pod: "b", Primary: "b", Data: true, Standby: true, Epoch: 1}, startAsIs},
		{"the old primary comes back between fence and promotion", situation{Pod: "a", Data: true, Epoch: 1}, hold},
		{"the old primary comes back after the promotion", situation{Pod: "a", Primary: "b", Data: true, Epoch: 1}, setAside},
		{"the old primary comes back after its shutdown", situation{Pod: "a", Primary: "b", Data: true, Clean: true, Epoch: 1}, follow},
		{"it was shut down and nobody has taken over yet", situation{Pod: "a", Data: true, Clean: true, Epoch: 1}, hold},
		{"a new replica", situation{Pod: "c", Primary: "b", Epoch: 1}, clone},
		{"a new replica while nobody is primary", situation{Pod: "c", Epoch: 1}, hold},
		{"the primary has lost its data", situation{Pod: "a", Primary: "a", Epoch: 1}, hold},
		{"a replica restarts while nobody is primary", situation{Pod: "b", Data: true, Standby: true, Epoch: 1}, startAsIs},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, decide(c.seen)) })
	}
}

func TestExists_AnUnreadableDiskIsNeitherThereNorMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	there, err := exists(file)
	require.NoError(t, err)
	require.True(t, there)
	there, err = exists(file + ".missing")
	require.NoError(t, err)
	require.False(t, there)
	_, err = exists(filepath.Join(file, "below"))
	require.ErrorContains(t, err, "look at the data directory")
}

func TestGate_AskedToStopNeverSaysThatTheInstanceMayStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := passGate(ctx, &roleObject{client: http.DefaultClient}, instance{pod: "postgres-primary-0"})
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, exitCode("gate", err), "exit code 0 would let the instance start")
}

func TestFollow_OnlyWhenTheSuccessorLeftAfterTheLastRecord(t *testing.T) {
	end, err := parseControlData("Database cluster state:               shut down\nLatest checkpoint location:           0/5000028\nLatest checkpoint's TimeLineID:       2\n")
	require.NoError(t, err)
	require.Equal(t, walEnd{clean: true, timeline: 2, checkpoint: 0x5000028}, end)
	cases := map[string]bool{
		"1\t0/3000000\tno recovery target specified\n2\t0/50000A0\tno recovery target specified\n": true,
		"1\t0/3000000\tno recovery target specified\n2\t0/4FFFFFF\tno recovery target specified\n": false, // rows that only this one has
		"1\t0/3000000\tno recovery target specified\n":                                             false, // another branch
	}
	for history, want := range cases {
		descends, err := leftAfter(history, end)
		require.NoError(t, err)
		require.Equal(t, want, descends, history)
	}
}
