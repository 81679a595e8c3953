package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStart_TakesAsLongAsTheEnvironmentSaysUnlessItIsAskedToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.NoError(t, start(t.Context(), ""))
		require.Zero(t, time.Since(began))
		require.NoError(t, start(t.Context(), "5s"))
		require.Equal(t, 5*time.Second, time.Since(began))
		stopped, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		require.NoError(t, start(stopped, "5s"))
		require.Equal(t, 6*time.Second, time.Since(began))
	})
}

func TestStart_ATimeThatNobodyCanRead_IsAnError(t *testing.T) {
	require.ErrorContains(t, start(t.Context(), "soon"), startVariable)
}
