package node

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// written returns the files of a node under a profile, by their path in the machine.
func written(t *testing.T, profile string) map[string]string {
	t.Helper()
	folder := topology.Folder(t.TempDir())
	require.NoError(t, topology.State{Network: topology.DefaultNetwork, Profile: profile}.Save(folder))
	node, err := New(folder, "node-c1")
	require.NoError(t, err)
	require.NoError(t, authority.Ensure(folder.Authority(node.region.Name), node.region))
	files, err := node.files()
	require.NoError(t, err)
	byPath := map[string]string{}
	for _, file := range files {
		byPath[file.path] = string(file.data)
	}
	return byPath
}

func TestFiles_CarryTheNodesOwnAddresses(t *testing.T) {
	files := written(t, "tuned")
	var network struct {
		Plugins []struct {
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(files[networkConfig]), &network))
	require.Equal(t, "10.78.13.0/24", network.Plugins[0].IPAM.Ranges[0][0].Subnet)
	require.Contains(t, files[proxyConfig], "hostnameOverride: node-c1\nclusterCIDR: 10.78.0.0/16\n")
	require.Contains(t, files[containerdConfig], `sandbox_image = "lab.local/pause:1"`)
	require.Contains(t, files[kubeletKubeconfig], "https://10.77.1.10:6443")
}

func TestFiles_FollowTheProfile(t *testing.T) {
	require.Contains(t, written(t, "tuned")[kubeletConfig], "nodeStatusUpdateFrequency: 2s\nnodeStatusReportFrequency: 30s\nnodeLeaseDurationSeconds: 8\n")
	require.Contains(t, written(t, "default")[kubeletConfig], "nodeStatusUpdateFrequency: 10s\nnodeStatusReportFrequency: 5m\nnodeLeaseDurationSeconds: 40\n")
}

func TestNew_RefusesANodeOfNoLab(t *testing.T) {
	_, err := New(topology.Folder(t.TempDir()), "node-a1")
	require.ErrorIs(t, err, topology.ErrNoLab)
	folder := topology.Folder(t.TempDir())
	require.NoError(t, os.WriteFile(folder.State(), []byte(`{"network":"10.77.0.0/16","profile":"tuned"}`), 0o600))
	_, err = New(folder, "nope")
	require.ErrorContains(t, err, "nodes are node-a1")
}
