package kubernetes

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ReadWorkload reads how a Deployment or StatefulSet is: its rollout, its revisions, its pods and why they do not start. It changes
// nothing. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) ReadWorkload(ctx context.Context, ref WorkloadRef) (Workload, error) {
	client, err := a.client(ref.Region)
	if err != nil {
		return Workload{}, err
	}
	found, _, err := look(ctx, client, ref)
	return found, err
}

// look reads a workload with its revisions and pods.
func look(ctx context.Context, client kubernetes.Interface, ref WorkloadRef) (Workload, object, error) {
	found, err := get(ctx, client, ref)
	if err != nil {
		return Workload{}, found, err
	}
	selector, err := found.selector()
	if err != nil {
		return Workload{}, found, Failure("read the selector of "+ref.String(), err)
	}
	revisions, err := revisionsOf(ctx, client, found, selector)
	if err != nil {
		return Workload{}, found, err
	}
	pods, err := podsOf(ctx, client, ref, selector.String())
	if err != nil {
		return Workload{}, found, err
	}
	return found.describe(revisions, pods), found, nil
}

func podsOf(ctx context.Context, client kubernetes.Interface, ref WorkloadRef, selector string) ([]corev1.Pod, error) {
	pods, err := client.CoreV1().Pods(ref.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, Failure("list the pods of "+ref.String(), err)
	}
	return pods.Items, nil
}
