package kubernetes

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReadNodeParams names a machine.
type ReadNodeParams struct {
	Region string `json:"region"`
	Node   string `json:"node"`
}

// ReadNodeResult is what Kubernetes knows of it.
type ReadNodeResult struct {
	Ready bool   `json:"ready"`
	Said  string `json:"said"`
}

// ReadNode reads whether a machine is Ready. It changes nothing. A machine that is not there is a result. Errors: Forbidden, Unreachable.
func (a *Activities) ReadNode(ctx context.Context, params ReadNodeParams) (ReadNodeResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return ReadNodeResult{}, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, params.Node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return ReadNodeResult{Said: fmt.Sprintf("node %s is not there", params.Node)}, nil
	case err != nil:
		return ReadNodeResult{}, Failure("read node "+params.Node, err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return ReadNodeResult{Said: fmt.Sprintf("node %s is not Ready since %s: %s", params.Node, condition.LastTransitionTime.UTC().Format(time.RFC3339), condition.Message)}, nil
		}
	}
	return ReadNodeResult{Ready: nodeReady(node), Said: fmt.Sprintf("node %s is Ready", params.Node)}, nil
}
