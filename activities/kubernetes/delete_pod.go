package kubernetes

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DeletePodParams names one pod as it was seen.
type DeletePodParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
}

// DeletePodResult says whether it was gone before.
type DeletePodResult struct {
	Already bool `json:"already"`
}

// DeletePod deletes one pod, which its workload then replaces, and never another of the same name. Its grace period is its own. It does
// not wait: AwaitWorkload does. A pod that nothing would replace is not deleted. Errors: Unexpected for such a pod, Forbidden, Unreachable.
func (a *Activities) DeletePod(ctx context.Context, params DeletePodParams) (DeletePodResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return DeletePodResult{}, err
	}
	doing := "delete " + describePod(params.Namespace, params.Pod)
	pod, err := client.CoreV1().Pods(params.Namespace).Get(ctx, params.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return DeletePodResult{Already: true}, nil
	case err != nil:
		return DeletePodResult{}, Failure(doing, err)
	case string(pod.UID) != params.UID || pod.DeletionTimestamp != nil:
		return DeletePodResult{Already: true}, nil
	case !isReplaced(pod):
		return DeletePodResult{}, failure.Permanent(failure.Unexpected, "%s: nothing would replace it: no controller owns it", doing)
	}
	uid := types.UID(params.UID)
	err = client.CoreV1().Pods(params.Namespace).Delete(ctx, params.Pod, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return DeletePodResult{Already: true}, nil // it is gone, or another one has its name
	case err != nil:
		return DeletePodResult{}, Failure(doing, err)
	}
	return DeletePodResult{}, nil
}

func isReplaced(pod *corev1.Pod) bool { return metav1.GetControllerOf(pod) != nil }
