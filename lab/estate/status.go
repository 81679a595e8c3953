package estate

import (
	"context"
	"errors"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
)

// Status is what the estate of one region is like now.
type Status struct {
	Region string `json:"region"`
	// Missing says why nothing else is known; empty when all is.
	Missing string `json:"missing,omitempty"`
	// Primary and Epoch are what the role object says; Primary is empty when nobody may be primary.
	Primary string `json:"primary"`
	Epoch   string `json:"epoch"`
	// Service is the pod that the Service postgres leads to.
	Service  string          `json:"service"`
	Pods     []PodStatus     `json:"pods"`
	Services []ServiceStatus `json:"services"`
}

// PodStatus is one pod's.
type PodStatus struct {
	Name  string `json:"name"`
	Node  string `json:"node"`
	Phase string `json:"phase"` // of Kubernetes, or Terminating
	Ready bool   `json:"ready"`
}

// Status asks the API server. What it does not answer is in the field Missing, because a broken lab is what status is for.
func (e Estate) Status(ctx context.Context) Status {
	status := Status{Region: e.Region.Name}
	server, err := cluster.New(e.Folder, e.Region)
	if err == nil {
		err = status.read(ctx, server)
	}
	if err == nil {
		status.Services, err = e.services(ctx)
	}
	if err != nil {
		status.Missing = err.Error()
	}
	return status
}

func (s *Status) read(ctx context.Context, server cluster.Server) error {
	var role struct {
		Data map[string]string `json:"data"`
	}
	// `lab reset` takes the role object and the Service away for some seconds; the pods are worth showing all the same.
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/configmaps/postgres-role", &role); err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return fmt.Errorf("read the role object: %w", err)
	}
	s.Primary, s.Epoch = role.Data["primary"], role.Data["epoch"]
	var service struct {
		Spec struct {
			Selector map[string]string `json:"selector"`
		} `json:"spec"`
	}
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/services/postgres", &service); err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return fmt.Errorf("read the Service postgres: %w", err)
	}
	s.Service = service.Spec.Selector["statefulset.kubernetes.io/pod-name"]
	return s.readPods(ctx, server)
}

func (s *Status) readPods(ctx context.Context, server cluster.Server) error {
	var pods struct {
		Items []struct {
			Metadata struct {
				Name     string `json:"name"`
				Deletion string `json:"deletionTimestamp"`
			} `json:"metadata"`
			Spec struct {
				Node string `json:"nodeName"`
			} `json:"spec"`
			Status struct {
				Phase      string `json:"phase"`
				Conditions []struct {
					Type   string `json:"type"`
					Status string `json:"status"`
				} `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/pods", &pods); err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	for _, pod := range pods.Items {
		seen := PodStatus{Name: pod.Metadata.Name, Node: pod.Spec.Node, Phase: pod.Status.Phase}
		if pod.Metadata.Deletion != "" {
			seen.Phase = "Terminating"
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == "Ready" {
				seen.Ready = condition.Status == "True"
			}
		}
		s.Pods = append(s.Pods, seen)
	}
	return nil
}
