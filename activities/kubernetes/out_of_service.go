package kubernetes

import (
	"context"
	"slices"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaintParams names a dead node, the run that acts, and the proof that the machine is off.
type TaintParams struct {
	Region string `json:"region"`
	Node   string `json:"node"`
	Holder string `json:"holder"`
	Proof  string `json:"proof,omitempty"` // a sentence; without it no taint is set
}

// TaintResult says whether there was anything to do.
type TaintResult struct {
	Ours    bool `json:"ours"` // this run set the taint, now or before
	Already bool `json:"already"`
}

// taintedBy is the annotation on a node that says which run set the taint.
const taintedBy = "fukkyu.dev/out-of-service-by"

// TaintOutOfService has Kubernetes remove all pods of a machine that is proven off, and detach its volumes: on a machine that still runs,
// pods would run twice. Called twice it changes nothing; a taint that somebody else set is left as it is. Errors: Unexpected, for
// good, without a proof or for a node that is Ready; NotFound, Conflict, Forbidden, Unreachable.
func (a *Activities) TaintOutOfService(ctx context.Context, params TaintParams) (TaintResult, error) {
	if params.Proof == "" {
		return TaintResult{}, failure.Permanent(failure.Unexpected, "taint node %s out of service: nothing proves that its machine is off", params.Node)
	}
	client, node, err := a.node(ctx, params.Region, params.Node)
	if err != nil {
		return TaintResult{}, err
	}
	switch {
	case slices.ContainsFunc(node.Spec.Taints, outOfService):
		return TaintResult{Ours: node.Annotations[taintedBy] == params.Holder, Already: true}, nil
	case nodeReady(node):
		return TaintResult{}, failure.Permanent(failure.Unexpected, "taint node %s out of service: it is Ready", params.Node)
	}
	taints := append(slices.Clone(node.Spec.Taints), corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute})
	err = patchNode(ctx, client, node, "taint", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{taintedBy: params.Holder}}, "spec": map[string]any{"taints": taints},
	})
	return TaintResult{Ours: true}, err
}

// UntaintOutOfService takes the taint off that this very run set. Called twice it changes nothing. A node that is gone is a result.
// Errors: Conflict, Forbidden, Unreachable.
func (a *Activities) UntaintOutOfService(ctx context.Context, params TaintParams) (TaintResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return TaintResult{}, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, params.Node, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return TaintResult{Already: true}, nil
	case err != nil:
		return TaintResult{}, Failure("read node "+params.Node, err)
	case node.Annotations[taintedBy] != params.Holder:
		return TaintResult{Already: true}, nil
	}
	err = patchNode(ctx, client, node, "untaint", map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{taintedBy: nil}},
		"spec":     map[string]any{"taints": slices.DeleteFunc(slices.Clone(node.Spec.Taints), outOfService)},
	})
	return TaintResult{Ours: true}, err
}

func outOfService(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeOutOfService }
