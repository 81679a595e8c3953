package command

import (
	"bytes"
	"errors"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// ran runs the command line in the data folder and returns its error.
func ran(t *testing.T, folder string, args ...string) error {
	t.Helper()
	root := newRoot()
	root.SetArgs(append([]string{"--dir", folder}, args...))
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	return root.ExecuteContext(t.Context())
}

func TestCommands_RefuseWrongWordsByNamingTheRightOnes(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"nope"}, "no such command nope: there are break, daemon, down"},
		{[]string{"break", "nope"}, "no such fault nope: there are api-server, append-only, crash, cut, dependency, disk, errors, etcd, freeze, hang, image, partition, power-off, rollout, temporal, zone"},
		{[]string{"break", "power-off"}, "lab break power-off wants NODE, got 0 arguments"},
		{[]string{"break", "partition", "node-a1"}, "lab break partition wants NODE NODE, got 1 arguments"},
		{[]string{"break", "zone"}, "lab break zone wants ZONE, got 0 arguments"},
		{[]string{"break", "crash"}, "lab break crash wants at least one SERVICE"},
		{[]string{"mend"}, "lab mend wants NODE, ZONE, services, api-server, etcd, temporal, dependency or all, got 0 arguments"},
		{[]string{"status", "--output", "xml"}, `output "xml": want text or json`},
		{[]string{"up", "--nope"}, "see: lab up --help"},
	} {
		err := ran(t, t.TempDir(), test.args...)
		require.ErrorContains(t, err, test.want)
		require.True(t, errors.As(err, &wrongUsage{}), "wrong usage is told from failure: %v", test.args)
	}
}

func TestCommands_WithoutALabSayHowToGetOne(t *testing.T) {
	for _, args := range [][]string{{"status"}, {"kubeconfig"}, {"break", "cut", "node-a1"}, {"mend", "all"}} {
		require.ErrorIs(t, ran(t, t.TempDir(), args...), topology.ErrNoLab, args)
	}
}

func TestCommands_RefuseANodeThatIsNone(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, topology.State{Network: "10.253.0.0/16", Profile: "tuned"}.Save(topology.Folder(folder)))
	for _, args := range [][]string{{"break", "cut", "nope"}, {"break", "partition", "node-a1", "nope"}, {"mend", "nope"}} {
		require.ErrorContains(t, ran(t, folder, args...), "no such node nope: nodes are node-a1")
	}
	require.ErrorContains(t, ran(t, folder, "break", "zone", "mars"), "no such zone mars: zones are ap-northeast-1a, ap-northeast-1c, ap-northeast-1d")
	require.ErrorContains(t, ran(t, folder, "break", "partition", "node-a1", "node-a1"), "name two different nodes")
}

func TestUp_WithoutAKubernetesBinaryChangesNothing(t *testing.T) {
	folder := topology.Folder(t.TempDir())
	t.Setenv("LAB_KUBERNETES", "")
	require.ErrorContains(t, ran(t, string(folder), "up"), "LAB_KUBERNETES")
	_, _, err := topology.Load(folder)
	require.ErrorIs(t, err, topology.ErrNoLab)
}

func TestCommands_EveryVisibleOneHasAnExample(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		for _, child := range command.Commands() {
			if !child.Hidden && child.Name() != "completion" && child.Name() != "help" {
				require.NotEmpty(t, child.Example, child.CommandPath())
				walk(child)
			}
		}
	}
	walk(newRoot())
}
