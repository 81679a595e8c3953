package cgroup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestControllers_KeepsOfTheMountOptionsWhatNamesTheTree(t *testing.T) {
	for options, want := range map[string]string{
		"rw,relatime,memory":                                          "memory",
		"rw,nosuid,nodev,noexec,relatime,cpu,cpuacct":                 "cpu,cpuacct",
		"rw,relatime,name=systemd":                                    "none,name=systemd",
		"rw,relatime,xattr,release_agent=/lib/systemd/a,name=systemd": "none,name=systemd",
		"rw,relatime": "",
	} {
		require.Equal(t, want, controllers(options), options)
	}
}

func TestGroup_ThatWasNeverMadeIsEmptyAndRemoved(t *testing.T) {
	group := Group{Tag: "lab-of-a-test", Machine: "nobody"}
	processes, err := group.Processes()
	require.NoError(t, err)
	require.Empty(t, processes)
	require.False(t, group.Frozen())
	require.NoError(t, group.Thaw())
	require.NoError(t, group.Remove())
	require.Empty(t, Machines("lab-of-a-test"))
}
