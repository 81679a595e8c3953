package authority

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

type named struct {
	Name    string         `json:"name"`
	Cluster map[string]any `json:"cluster,omitempty"`
	User    map[string]any `json:"user,omitempty"`
	Context map[string]any `json:"context,omitempty"`
}

// WriteKubeconfig writes FILE.kubeconfig into the folder for the holder of FILE.crt, with one context per region, each named
// like its region. authority says where the files of a region are.
func WriteKubeconfig(folder, file string, regions []topology.Region, authority func(topology.Region) string) error {
	data, err := Kubeconfig(file, regions, authority)
	if err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", file, err)
	}
	return topology.WriteFile(filepath.Join(folder, file+".kubeconfig"), data, 0o600)
}

// Kubeconfig is such a file's content. It holds the certificates themselves, so that it can be copied anywhere. It is
// JSON, which every reader of YAML takes.
func Kubeconfig(file string, regions []topology.Region, authority func(topology.Region) string) ([]byte, error) {
	var clusters, users, contexts []named
	for _, region := range regions {
		var pems [3][]byte
		for i, name := range []string{CA + ".crt", file + ".crt", file + ".key"} {
			data, err := os.ReadFile(filepath.Join(authority(region), name))
			if err != nil {
				return nil, err
			}
			pems[i] = data
		}
		clusters = append(clusters, named{Name: region.Name, Cluster: map[string]any{"server": region.Server(), "certificate-authority-data": pems[0]}})
		users = append(users, named{Name: region.Name, User: map[string]any{"client-certificate-data": pems[1], "client-key-data": pems[2]}})
		contexts = append(contexts, named{Name: region.Name, Context: map[string]any{"cluster": region.Name, "user": region.Name}})
	}
	return json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "Config", "clusters": clusters, "users": users, "contexts": contexts,
		"current-context": regions[0].Name}, "", "  ")
}
