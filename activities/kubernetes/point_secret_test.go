package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithHost_AHostOrAURL_KeepsEverythingElse(t *testing.T) {
	for before, after := range map[string]string{
		"postgres": "db-1",
		"postgresql://shodo:se%2Fcret@db-0:5432/shodo?sslmode=require": "postgresql://shodo:se%2Fcret@db-1:5432/shodo?sslmode=require",
		"postgres://db-0/shodo":         "postgres://db-1/shodo",
		"postgres://[fd00::1]:5433/x\n": "postgres://db-1:5433/x",
	} {
		pointed, err := withHost(before, "db-1")
		require.NoError(t, err)
		require.Equal(t, after, pointed)
		again, err := withHost(pointed, "db-1")
		require.NoError(t, err)
		require.Equal(t, pointed, again)
	}
}

func TestWithHost_AURLThatCannotBeRead_IsAnErrorThatShowsNoSecret(t *testing.T) {
	_, err := withHost("postgres://shodo:geheim@db 0:5432/", "db-1")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "geheim")
}
