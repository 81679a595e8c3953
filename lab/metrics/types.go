package metrics

import "time"

// object is a NodeMetrics, which has a usage, or a PodMetrics, which has containers.
type object struct {
	Kind       string      `json:"kind"`
	APIVersion string      `json:"apiVersion"`
	Metadata   metadata    `json:"metadata"`
	Timestamp  time.Time   `json:"timestamp"`
	Window     string      `json:"window"`
	Usage      *used       `json:"usage,omitempty"`
	Containers []container `json:"containers,omitempty"`
}

type metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

type container struct {
	Name  string `json:"name"`
	Usage used   `json:"usage"`
}

// used are quantities of Kubernetes: cores and bytes.
type used struct {
	CPU    string `json:"cpu"`
	Memory string `json:"memory"`
}

// resources is what the API server reads to learn what is served here.
var resources = map[string]any{
	"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion,
	"resources": []map[string]any{
		{"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": []string{"get", "list"}},
		{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": []string{"get", "list"}},
	},
}
