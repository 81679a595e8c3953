package referee_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/referee"
)

var began = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func acknowledged(server string, milliseconds ...int) []referee.Acknowledgement {
	var all []referee.Acknowledgement
	for _, ms := range milliseconds {
		at := began.Add(time.Duration(ms) * time.Millisecond)
		all = append(all, referee.Acknowledgement{Number: int64(ms), Began: at.Add(-time.Millisecond), At: at, Server: server})
	}
	return all
}

func TestJudge_TheLongestTimeWithoutAnAcknowledgementIsTheGap(t *testing.T) {
	verdict := referee.Judge(append(acknowledged("new", 1500, 1520), acknowledged("old", 0, 20, 40)...), began.Add(1530*time.Millisecond))
	require.Equal(t, 5, verdict.Acknowledged)
	require.InDelta(t, 1.46, verdict.LongestGap.Seconds, 0.0001)
	require.Len(t, verdict.Gaps, 1)
	require.False(t, verdict.Overlap)
	require.Equal(t, "old", verdict.Servers[0].Server)
}

func TestJudge_AttemptsThatFailed_AreCountedWithTheWriteThatFollowed(t *testing.T) {
	all := acknowledged("old", 0, 20, 40)
	all[0].Failed, all[2].Failed = 2, 1
	require.Equal(t, 3, referee.Judge(all, began.Add(time.Second)).Failed)
}

func TestJudge_ServiceThatNeverCameBackIsAGapUntilTheEnd(t *testing.T) {
	require.InDelta(t, 60, referee.Judge(acknowledged("old", 0), began.Add(time.Minute)).LongestGap.Seconds, 0.0001)
}

func TestJudge_TwoServersAtTheSameTimeAreSeen(t *testing.T) {
	require.True(t, referee.Judge(append(acknowledged("old", 0, 100, 300), acknowledged("new", 200, 400)...), began.Add(time.Second)).Overlap)
}

func TestAcknowledgements_ALineThatAKillCutOffIsLeftOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acknowledged")
	require.NoError(t, os.WriteFile(file, []byte("{\"number\":1,\"server\":\"a\"}\n{\"num"), 0o600))
	all, err := referee.Acknowledgements(file)
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func TestLookUp_WhatIsNotThereAnyMoreIsLost_ThoughTheFirstAnswerIsAFailure(t *testing.T) {
	asked := 0
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		require.Equal(t, "from=1&to=4", request.URL.RawQuery)
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "[1,3]")
	}))
	defer application.Close()
	lost, err := referee.LookUp(t.Context(), application.URL, acknowledged("old", 4, 1, 3, 2))
	require.NoError(t, err)
	require.Equal(t, []int64{2, 4}, lost)
}
