package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// cordonedBy is the annotation on a node that says which run cordoned it. A node that anybody else cordoned has none of ours.
const cordonedBy = "fukkyu.dev/cordoned-by"

// CordonParams names a node and the run that acts.
type CordonParams struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	Holder string `json:"holder"`
}

// CordonResult says whose cordon it is.
type CordonResult struct {
	Ours    bool `json:"ours"`    // this run cordoned it, now or before; false: somebody else had
	Already bool `json:"already"` // nothing was changed
}

// Cordon keeps new pods off a node, and leaves there the name of the run. A node that is cordoned already is left as it is. Called twice it
// changes nothing. Errors: NotFound, Conflict, Forbidden, Unreachable.
func (a *Activities) Cordon(ctx context.Context, params CordonParams) (CordonResult, error) {
	client, node, err := a.node(ctx, params.Region, params.Node)
	if err != nil {
		return CordonResult{}, err
	}
	if node.Spec.Unschedulable {
		return CordonResult{Ours: node.Annotations[cordonedBy] == params.Holder, Already: true}, nil
	}
	err = patchNode(ctx, client, node, "cordon", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{cordonedBy: params.Holder}}, "spec": map[string]any{"unschedulable": true},
	})
	return CordonResult{Ours: true}, err
}

// UncordonResult says whether there was anything to do.
type UncordonResult struct {
	Already bool   `json:"already"`
	Said    string `json:"said"`
}

// Uncordon lets pods onto a node again that this very run cordoned, and takes its name off. It leaves any other node alone. Called twice it
// changes nothing. A node that is gone is a result. Errors: Conflict, Forbidden, Unreachable.
func (a *Activities) Uncordon(ctx context.Context, params CordonParams) (UncordonResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return UncordonResult{}, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, params.Node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return UncordonResult{Already: true, Said: "node " + params.Node + " is not there any more"}, nil
	case err != nil:
		return UncordonResult{}, Failure("read node "+params.Node, err)
	case node.Annotations[cordonedBy] != params.Holder:
		return UncordonResult{Already: true, Said: fmt.Sprintf("node %s was not cordoned by this run", params.Node)}, nil
	}
	err = patchNode(ctx, client, node, "uncordon", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{cordonedBy: nil}}, "spec": map[string]any{"unschedulable": nil},
	})
	return UncordonResult{Said: "node " + params.Node + " is uncordoned"}, err
}

// node reads a node that has to be there.
func (a *Activities) node(ctx context.Context, region, name string) (kubernetes.Interface, *corev1.Node, error) {
	client, err := a.client(region)
	if err != nil {
		return nil, nil, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, Failure("read node "+name, err)
	}
	return client, node, nil
}

// patchNode changes a node on the condition that nobody else has since it was read.
func patchNode(ctx context.Context, client kubernetes.Interface, node *corev1.Node, verb string, change map[string]any) error {
	metadata, given := change["metadata"].(map[string]any)
	if !given {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["resourceVersion"] = node.ResourceVersion
	patch, err := json.Marshal(change)
	if err != nil {
		return failure.Permanent(failure.Unexpected, "%s node %s: %s", verb, node.Name, err)
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return Failure(fmt.Sprintf("%s node %s", verb, node.Name), err)
	}
	return nil
}
