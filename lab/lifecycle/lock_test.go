package lifecycle_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/lifecycle"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

func TestLock_ASecondProcessIsToldWhoIsBusy(t *testing.T) {
	folder := topology.Folder(t.TempDir())
	unlock, err := lifecycle.Lock(folder, "up")
	require.NoError(t, err)
	_, err = lifecycle.Lock(folder, "down")
	require.ErrorContains(t, err, "lab up, process")
	unlock()
	unlock, err = lifecycle.Lock(folder, "down")
	require.NoError(t, err)
	unlock()
}

func TestLock_AFolderWithOtherThingsIsNeverTakenForALabs(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "thesis.txt"), nil, 0o600))
	_, err := lifecycle.Lock(topology.Folder(folder), "down")
	require.ErrorContains(t, err, "holds other things (thesis.txt)")
}
