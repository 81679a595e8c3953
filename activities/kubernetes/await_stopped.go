package kubernetes

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// stoppedInterval is the pause between two looks at a pod that is ending. Looking costs less than keeping a watch alive
// through an API server that restarts.
const stoppedInterval = 100 * time.Millisecond

// AwaitStoppedParams names a pod and its machine.
type AwaitStoppedParams struct {
	Namespace string        `json:"namespace"`
	Region    string        `json:"region"`
	Pod       string        `json:"pod"`
	UID       string        `json:"uid"`
	Container string        `json:"container"`
	Node      string        `json:"node"`
	Patience  time.Duration `json:"patience"`
}

// AwaitStoppedResult is a proof, or what was seen instead.
type AwaitStoppedResult struct {
	Stopped bool   `json:"stopped"`
	Proof   string `json:"proof,omitempty"` // a sentence; empty: nothing is proven
	Seen    string `json:"seen"`
}

// AwaitStopped waits until the kubelet of a live node reports that a container has ended. It changes nothing. A node that is
// not Ready, a pod that vanished while its node was away, and an API server that does not answer prove nothing and are no error.
func (a *Activities) AwaitStopped(ctx context.Context, params AwaitStoppedParams) (AwaitStoppedResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return AwaitStoppedResult{}, err
	}
	if params.UID == "" {
		return AwaitStoppedResult{Seen: describePod(params.Namespace, params.Pod) + " was not there from the beginning"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	ticker := time.NewTicker(stoppedInterval)
	defer ticker.Stop()
	began := time.Now()
	for {
		proof, seen := lookForStop(ctx, client, params, began)
		if proof != "" {
			return AwaitStoppedResult{Stopped: true, Proof: proof, Seen: proof}, nil
		}
		select {
		case <-ctx.Done():
			return AwaitStoppedResult{Seen: seen}, nil
		case <-ticker.C:
		}
	}
}

// lookForStop looks once. A report of a kubelet counts only while its node is Ready: before that it may be an old one.
func lookForStop(ctx context.Context, client kubernetes.Interface, params AwaitStoppedParams, since time.Time) (proof, seen string) {
	alive, said := kubeletAlive(ctx, client, params.Node, since)
	pod, err := client.CoreV1().Pods(params.Namespace).Get(ctx, params.Pod, metav1.GetOptions{})
	gone := apierrors.IsNotFound(err) || err == nil && string(pod.UID) != params.UID
	switch {
	case err != nil && !gone:
		return "", fmt.Sprintf("%s cannot be read: %s", describePod(params.Namespace, params.Pod), err)
	case !alive:
		return "", said
	case gone:
		return fmt.Sprintf("container gone: the kubelet of node %s is alive and has removed %s", params.Node, describePod(params.Namespace, params.Pod)), ""
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == params.Container && status.State.Terminated != nil && pod.DeletionTimestamp != nil {
			return fmt.Sprintf("container gone: the kubelet of node %s reports that %s of %s ended at %s", params.Node, params.Container,
				describePod(params.Namespace, params.Pod), status.State.Terminated.FinishedAt.UTC().Format(time.RFC3339)), ""
		}
	}
	return "", fmt.Sprintf("%s is still running on node %s", describePod(params.Namespace, params.Pod), params.Node)
}

// kubeletAlive says whether a kubelet has given a sign of life since the fence.
func kubeletAlive(ctx context.Context, client kubernetes.Interface, name string, since time.Time) (bool, string) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Sprintf("node %s cannot be read: %s", name, err)
	}
	if !nodeReady(node) {
		return false, fmt.Sprintf("node %s is not Ready, so its kubelet proves nothing", name)
	}
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Sprintf("the lease of kubelet %s cannot be read: %s", name, err)
	}
	if lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(since) {
		return false, fmt.Sprintf("the kubelet of node %s has given no sign of life since the fence", name)
	}
	return true, ""
}
