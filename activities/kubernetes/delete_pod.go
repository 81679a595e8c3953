package kubernetes

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeletePodParams names one pod of a workload.
type DeletePodParams struct {
	Workload WorkloadRef `json:"workload"`
	Pod      string      `json:"pod"`
	UID      string      `json:"uid"`
}

// DeletePodResult says whether it had gone before.
type DeletePodResult struct {
	Already bool `json:"already"`
}

// DeletePod deletes one pod, which its workload replaces. Another pod of the same name is left alone. It does not wait: AwaitWorkload
// does. Errors: Forbidden, Unreachable.
func (a *Activities) DeletePod(ctx context.Context, params DeletePodParams) (DeletePodResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return DeletePodResult{}, err
	}
	pod, err := client.CoreV1().Pods(params.Workload.Namespace).Get(ctx, params.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && (string(pod.UID) != params.UID || pod.DeletionTimestamp != nil):
		return DeletePodResult{Already: true}, nil
	case err != nil:
		return DeletePodResult{}, Failure("read "+describePod(params.Workload.Namespace, params.Pod), err)
	}
	return DeletePodResult{}, deletePod(ctx, client, pod)
}

// ignoreGone takes an object that is gone, or another one of its name, for deleted.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
