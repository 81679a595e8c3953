package packages

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMergeUsr_MovesWhatLiesBesideUsrIntoItAndDropsTheRest(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"lib/x86_64-linux-gnu/libone.so.1", "usr/lib/x86_64-linux-gnu/libtwo.so.2", "sbin/tool", "etc/postgresql/conf", "var/lib/x"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), nil, 0o644))
	}
	require.NoError(t, os.Symlink("libone.so.1", filepath.Join(root, "lib/x86_64-linux-gnu/libone.so")))
	require.NoError(t, mergeUsr(root))

	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "only usr is left, or it would hide what the host has")
	for _, path := range []string{"lib/x86_64-linux-gnu/libone.so.1", "lib/x86_64-linux-gnu/libone.so", "lib/x86_64-linux-gnu/libtwo.so.2", "sbin/tool"} {
		_, err := os.Lstat(filepath.Join(root, "usr", path))
		require.NoError(t, err)
	}
}

func TestEnsure_DoesNothingWhenEverythingIsThere(t *testing.T) {
	root := t.TempDir()
	var wanted string
	for i, name := range Wanted() {
		if i > 0 {
			wanted += " "
		}
		wanted += name
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, complete), []byte(wanted), 0o644))
	require.NoError(t, Ensure(t.Context(), root, nil))
}
