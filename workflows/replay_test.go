package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

// Histories of real runs on the lab must replay under this code: a worker of the next version takes over runs of the last.
// They are recorded from what has run, with `temporal workflow show --output json`, never made for the test.
func TestReplay_HistoriesOfRealRuns_AreReplayedWithoutADifference(t *testing.T) {
	histories, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories, "an empty folder proves nothing")
	for _, history := range histories {
		t.Run(filepath.Base(history), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, history))
		})
	}
}
