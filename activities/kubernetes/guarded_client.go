package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/apps/v1"
)

// guardedClient is a client for code that writes without a condition and takes no context: every patch of a workload is on the condition
// that the object is as it was read, and ends with ctx.
type guardedClient struct {
	kubernetes.Interface
	ctx             context.Context //nolint:containedctx // the code behind this interface uses one of its own that never ends
	resourceVersion string
	wrote           bool
	refused         error // why the API server did not take the patch
}

// AppsV1 is where workloads are.
func (c *guardedClient) AppsV1() typed.AppsV1Interface {
	return guardedApps{AppsV1Interface: c.Interface.AppsV1(), guard: c}
}

type guardedApps struct {
	typed.AppsV1Interface
	guard *guardedClient
}

func (a guardedApps) Deployments(namespace string) typed.DeploymentInterface {
	return guardedDeployments{DeploymentInterface: a.AppsV1Interface.Deployments(namespace), guard: a.guard}
}

func (a guardedApps) StatefulSets(namespace string) typed.StatefulSetInterface {
	return guardedStatefulSets{StatefulSetInterface: a.AppsV1Interface.StatefulSets(namespace), guard: a.guard}
}

type guardedDeployments struct {
	typed.DeploymentInterface
	guard *guardedClient
}

func (d guardedDeployments) Patch(_ context.Context, name string, kind types.PatchType, patch []byte, options metav1.PatchOptions, subresources ...string) (*appsv1.Deployment, error) {
	return guardedPatch(d.guard, d.DeploymentInterface.Patch, name, kind, patch, options, subresources)
}

type guardedStatefulSets struct {
	typed.StatefulSetInterface
	guard *guardedClient
}

func (s guardedStatefulSets) Patch(_ context.Context, name string, kind types.PatchType, patch []byte, options metav1.PatchOptions, subresources ...string) (*appsv1.StatefulSet, error) {
	return guardedPatch(s.guard, s.StatefulSetInterface.Patch, name, kind, patch, options, subresources)
}

type patcher[T any] func(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (T, error)

func guardedPatch[T any](guard *guardedClient, send patcher[T], name string, kind types.PatchType, patch []byte, options metav1.PatchOptions, subresources []string) (T, error) {
	var none T
	conditional, err := withCondition(kind, patch, guard.resourceVersion)
	if err != nil {
		return none, err
	}
	options.FieldManager = fieldManager
	patched, err := send(guard.ctx, name, kind, conditional, options, subresources...)
	guard.wrote, guard.refused = err == nil, err
	return patched, err
}

// withCondition adds the resource version to a patch: the API server then answers with a conflict when the object has another.
func withCondition(kind types.PatchType, patch []byte, resourceVersion string) ([]byte, error) {
	if kind == types.JSONPatchType {
		var operations []any
		if err := json.Unmarshal(patch, &operations); err != nil {
			return nil, fmt.Errorf("read the patch: %w", err)
		}
		return json.Marshal(append(operations, map[string]string{"op": "replace", "path": "/metadata/resourceVersion", "value": resourceVersion}))
	}
	var merged map[string]any
	if err := json.Unmarshal(patch, &merged); err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	merged["metadata"] = map[string]string{"resourceVersion": resourceVersion}
	return json.Marshal(merged)
}
