package estate

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// kinds renders a manifest and counts its objects by kind.
func kinds(t *testing.T, name string) map[string]int {
	t.Helper()
	profile, err := topology.ProfileNamed("tuned")
	require.NoError(t, err)
	lab, err := topology.New(topology.DefaultNetwork, profile)
	require.NoError(t, err)
	v, err := Estate{Lab: lab, Folder: topology.Folder(t.TempDir()), Region: lab.Regions[0]}.values(Services())
	require.NoError(t, err)
	text, err := render(name, foundation{v, "Q0E=", topology.MetricsPort})
	require.NoError(t, err)
	found := map[string]int{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct {
			Kind string `yaml:"kind"`
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found[object.Kind]++
	}
}

func TestManifests_KeepWhatRecoveriesChangeApartFromWhatEveryUpAppliesAgain(t *testing.T) {
	require.Equal(t, map[string]int{"Service": 1, "StatefulSet": 2, "ConfigMap": 1}, kinds(t, "database.yaml"))
	require.Equal(t, map[string]int{"Service": 1, "StatefulSet": 2, "ConfigMap": 1}, kinds(t, "redis.yaml"))
	require.Equal(t, map[string]int{"PersistentVolume": 48}, kinds(t, "volumes.yaml"))
	lasting := kinds(t, "foundation.yaml")
	require.Equal(t, map[string]int{"Deployment": 3}, kinds(t, "deployments.yaml"))
	require.Equal(t, map[string]int{"Service": 3}, kinds(t, "services.yaml"))
	require.Equal(t, 4, lasting["Secret"])
	require.Equal(t, 1, lasting["APIService"])
	require.NotContains(t, lasting, "ConfigMap")
}
