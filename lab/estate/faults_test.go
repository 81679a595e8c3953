package estate

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/shodo-ecosystem/fukkyu/lab/image"
)

// read is a Deployment with this container.
func read(t *testing.T, container string) deployment {
	t.Helper()
	var d deployment
	text := `{"metadata": {"name": "shodo-frontend"}, "spec": {"template": {"spec": {"containers": [` + container + `]}}}}`
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

func TestDeployment_Faults_AreWhatDiffersFromWhatWasApplied(t *testing.T) {
	for container, want := range map[string][]string{
		`{"image": "` + image.Shodo + `", "args": ["frontend"], "env": [{"name": "PGHOST", "value": "postgres"}]}`:  nil,
		`{"image": "` + image.Shodo + `", "args": ["frontend"], "env": [{"name": "SHODO_SICK", "value": "crash"}]}`: {"rolled out sick: crash"},
		`{"image": "lab.local/shodo:missing", "args": ["frontend"]}`:                                                {"rolled out with image lab.local/shodo:missing"},
		`{"image": "` + image.Shodo + `", "args": ["nonsense"]}`:                                                    {"rolled out with arguments nonsense"},
	} {
		d := read(t, container)
		service, known := d.service()
		require.True(t, known)
		require.Equal(t, want, d.faults(service), container)
	}
	paused := read(t, `{"image": "`+image.Shodo+`", "args": ["frontend"]}`)
	paused.Spec.Paused = true
	require.Equal(t, []string{"paused"}, paused.faults(Services()[1]))
}

// A synthetic service that is mended takes as long to start as before.
func TestDeployment_ThatTakesItsTimeToStart_IsKnownToDoSo(t *testing.T) {
	services := Synthetic(1)
	services[0].StartsIn = 5 * time.Second
	text, err := render("deployments.yaml", values{Services: services, Instances: []instance{{}}})
	require.NoError(t, err)
	var d deployment
	object := struct{ Metadata, Spec any }{}
	require.NoError(t, yaml.Unmarshal(text, &object))
	text, err = json.Marshal(object)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	found, known := d.service()
	require.True(t, known)
	require.Equal(t, services[0], found)
}

func TestDeployment_ThatTheLabDidNotMake_IsNobodysService(t *testing.T) {
	var d deployment
	d.Metadata.Name = "store"
	_, known := d.service()
	require.False(t, known)
}
