package estate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const uid = "3f0d8a52-6f1c-4a53-9e0e-0b8e2a7d3c11"

func TestProcessesByPod_OnlyThoseOfTheProgramInAPod(t *testing.T) {
	proc := t.TempDir()
	for pid, files := range map[string][2]string{
		"10": {"shodo\n", "12:cpu:/lab77/node-a1/kubepods/besteffort/pod" + uid + "/4d1f\n"},
		"11": {"pause\n", "12:cpu:/lab77/node-a1/kubepods/besteffort/pod" + uid + "/99aa\n"},
		"12": {"shodo\n", "0::/user.slice\n"},
		"13": {"shodo\n", "0::/lab77/node-a1/kubepods/pod" + uid + "/55bb\n"},
	} {
		require.NoError(t, os.Mkdir(filepath.Join(proc, pid), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(files[0]), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(proc, pid, "cgroup"), []byte(files[1]), 0o600))
	}
	found, err := processesByPod(proc)
	require.NoError(t, err)
	require.Equal(t, map[string][]int{uid: {10, 13}}, found)
}
