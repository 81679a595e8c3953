package topology_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

func tuned(t *testing.T) topology.Profile {
	t.Helper()
	profile, err := topology.ProfileNamed("tuned")
	require.NoError(t, err)
	return profile
}

func TestNew_LaysOutOneRegionInThreeZones(t *testing.T) {
	lab, err := topology.New("10.77.0.0/16", tuned(t))
	require.NoError(t, err)
	require.Equal(t, "lab77", lab.Tag())
	require.Equal(t, "10.77.0.1", lab.Host().String())
	require.Equal(t, "10.78.0.0/16", lab.Pods().String())

	region := lab.Regions[0]
	require.Equal(t, "https://10.77.1.10:6443", region.Server())
	require.Equal(t, "10.79.1.0/24", region.Services.String())
	require.Equal(t, "10.79.1.1", region.Service(1).String())
	require.Equal(t, "control-1", region.Machine())

	zones := map[string]bool{}
	for _, node := range lab.Nodes() {
		zones[node.Zone] = true
		require.True(t, lab.Pods().Overlaps(node.Pods))
		require.LessOrEqual(t, len(node.Name), 15, "the node's link in the switch has its name, and the kernel allows 15 characters")
	}
	require.Len(t, zones, 3)
	require.Equal(t, "10.77.1.12", lab.Nodes()[1].Address.String())
	require.Equal(t, "10.78.12.0/24", lab.Nodes()[1].Pods.String())
}

func TestNew_RefusesWhatIsNoNetworkForALab(t *testing.T) {
	for _, network := range []string{"", "10.77.0.0/24", "10.77.1.0/16", "fd00::/16", "10.254.0.0/16", "ten"} {
		_, err := topology.New(network, tuned(t))
		require.ErrorContains(t, err, "want an IPv4 /16", network)
	}
}

func TestNode_NamesTheNodesThereAre(t *testing.T) {
	lab, err := topology.New(topology.DefaultNetwork, tuned(t))
	require.NoError(t, err)
	_, err = lab.Node("nope")
	require.EqualError(t, err, "no such node nope: nodes are node-a1, node-a2, node-c1, node-d1, node-c2")
	_, err = lab.Region("nope")
	require.EqualError(t, err, "no such region nope: regions are ap-northeast-1")
	_, err = topology.ProfileNamed("nope")
	require.ErrorContains(t, err, "profiles are tuned")
}

func TestState_IsReadBackAsTheLabItWasSavedFor(t *testing.T) {
	folder := topology.Folder(t.TempDir())
	_, _, err := topology.Load(folder)
	require.ErrorIs(t, err, topology.ErrNoLab)

	require.NoError(t, topology.State{Network: "10.87.0.0/16", Profile: "default", Kubernetes: "/k"}.Save(folder))
	lab, state, err := topology.Load(folder)
	require.NoError(t, err)
	require.Equal(t, "lab87", lab.Tag())
	require.Equal(t, "default", lab.Profile.Name)
	require.Equal(t, "/k", state.Kubernetes)

	require.NoError(t, os.WriteFile(folder.State(), []byte("{"), 0o600))
	_, _, err = topology.Load(folder)
	require.ErrorContains(t, err, "lab down")
}
