package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// primary is the word for the node under the PostgreSQL primary, wherever that is now.
const primary = "primary"

// Node finds a node by its name, or the one under the PostgreSQL primary by the word "primary".
func (l Lab) Node(ctx context.Context, name string) (topology.Node, error) {
	if name != primary {
		return l.Lab.Node(name)
	}
	for _, region := range l.Regions {
		node, err := l.underPrimary(ctx, region)
		if errors.Is(err, cluster.ErrNotFound) {
			continue
		}
		if err != nil {
			return topology.Node{}, fmt.Errorf("find the node under the primary: %w", err)
		}
		return l.Lab.Node(node)
	}
	return topology.Node{}, errors.New("find the node under the primary: no region has the ConfigMap postgres-role or the pod it names; name the node itself")
}

// Zone finds the nodes of a zone by its name, or of the zone of the PostgreSQL primary by the word "primary".
func (l Lab) Zone(ctx context.Context, name string) ([]topology.Node, error) {
	if name == primary {
		node, err := l.Node(ctx, primary)
		if err != nil {
			return nil, err
		}
		name = node.Zone
	}
	nodes := l.InZone(name)
	if len(nodes) == 0 {
		return nil, fmt.Errorf("no such zone %s: zones are %s", name, strings.Join(l.Zones(), ", "))
	}
	return nodes, nil
}

// underPrimary reads the role object, which alone says who is primary, and where that pod runs.
func (l Lab) underPrimary(ctx context.Context, region topology.Region) (string, error) {
	server, err := cluster.New(l.Folder, region)
	if err != nil {
		return "", err
	}
	var role struct {
		Data struct {
			Primary string `json:"primary"`
		} `json:"data"`
	}
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/configmaps/postgres-role", &role); err != nil {
		return "", err
	}
	if role.Data.Primary == "" {
		return "", errors.New("the role object names nobody; name the node itself")
	}
	var pod struct {
		Spec struct {
			NodeName string `json:"nodeName"`
		} `json:"spec"`
	}
	if err := server.Get(ctx, "/api/v1/namespaces/shodo/pods/"+role.Data.Primary, &pod); err != nil {
		return "", err
	}
	if pod.Spec.NodeName == "" {
		return "", fmt.Errorf("pod %s runs on no node; name the node itself", role.Data.Primary)
	}
	return pod.Spec.NodeName, nil
}
