package volume

import (
	"context"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CloseVolumeParams names the volume.
type CloseVolumeParams struct {
	Place
	Patience time.Duration `json:"patience"`
}

// CloseVolumeResult says whether there was anything to do.
type CloseVolumeResult struct {
	Already bool `json:"already"`
}

// CloseVolume removes the maintenance pod and waits until it is gone, so that nothing works on the volume any more. Called twice it
// changes nothing. Errors: NotReady while it is ending; Forbidden; Unreachable.
func (a *Activities) CloseVolume(ctx context.Context, params CloseVolumeParams) (CloseVolumeResult, error) {
	cluster, err := a.clusters.Cluster(params.Region)
	if err != nil {
		return CloseVolumeResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	doing := fmt.Sprintf("close the %s", params.Place)
	result := CloseVolumeResult{Already: true}
	for {
		pod, err := cluster.Client.CoreV1().Pods(params.Namespace).Get(ctx, params.maintenancePod(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return result, nil
		case err != nil:
			return result, kubernetes.Failure(doing, err)
		case pod.Labels[labelManagedBy] != "fukkyu":
			return result, failure.Permanent(failure.Conflict, "%s: pod %s is not Fukkyu's", doing, pod.Name)
		}
		result.Already = false
		if pod.DeletionTimestamp == nil {
			if err := remove(ctx, cluster.Client, pod); err != nil {
				return result, err
			}
		}
		select {
		case <-ctx.Done():
			return result, failure.Transient(failure.NotReady, "%s: pod %s is still ending on node %s", doing, pod.Name, pod.Spec.NodeName)
		case <-time.After(podInterval):
		}
	}
}
