//go:build integration

package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestAwaitStreaming_WithTooFewReplicas_SaysWhoStreamsAfterItsPatience(t *testing.T) {
	estate := pgtest.Start(t, 1)
	params := postgres.AwaitStreamingParams{Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), AtLeast: 1, Patience: 10 * time.Second}

	enough, err := activities().AwaitStreaming(t.Context(), params)
	require.NoError(t, err)
	require.True(t, enough.Enough, enough.Seen)
	require.Equal(t, []string{"replica-0"}, enough.Streaming)

	params.AtLeast, params.Patience = 2, oneLook
	few, err := activities().AwaitStreaming(t.Context(), params)
	require.NoError(t, err)
	require.False(t, few.Enough)
	require.Contains(t, few.Seen, "replica-0 streaming")

	estate.Primary.Freeze()
	silent, err := activities().AwaitStreaming(t.Context(), params)
	require.NoError(t, err)
	require.False(t, silent.Enough)
	require.Contains(t, silent.Seen, "primary cannot be asked")
}

// A clone may take hours: whoever waits for it sees how far it is.
func TestAwaitStreaming_ACloneUnderWay_SaysHowFarItIs(t *testing.T) {
	estate := pgtest.Start(t, 0)
	cloneSlowly(t, estate)
	found, err := activities().AwaitStreaming(t.Context(), postgres.AwaitStreamingParams{
		Database: "shodo", Catalog: pgtest.Catalog, Primary: at(estate.Primary), AtLeast: 1, Patience: oneLook,
	})
	require.NoError(t, err)
	require.False(t, found.Enough)
	require.Positive(t, found.Copied)
	require.Greater(t, found.Total, found.Copied)
}
