package kubernetes

import (
	"context"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// FreePodParams names a pod and the proof that nothing of it runs.
type FreePodParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
	Proof     string `json:"proof"` // a sentence; without it nothing is deleted
}

// FreePodResult says whether there was anything to do.
type FreePodResult struct {
	Already bool `json:"already"`
}

// FreePod removes from the API a pod that hangs on a machine which is proven off: nobody is left to confirm its end. Its volume
// claim stays. Called twice it changes nothing. Error: Unexpected, for good, without a proof.
func (a *Activities) FreePod(ctx context.Context, params FreePodParams) (FreePodResult, error) {
	doing := "remove " + describePod(params.Namespace, params.Pod)
	if params.Proof == "" {
		return FreePodResult{}, failure.Permanent(failure.Unexpected, "%s: nothing proves that it is stopped", doing)
	}
	client, err := a.client(params.Region)
	if err != nil {
		return FreePodResult{}, err
	}
	uid, now := types.UID(params.UID), int64(0)
	err = client.CoreV1().Pods(params.Namespace).Delete(ctx, params.Pod, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return FreePodResult{Already: true}, nil // it is gone, or another pod has its name
	}
	if err != nil {
		return FreePodResult{}, Failure(fmt.Sprintf("%s, uid %s", doing, params.UID), err)
	}
	return FreePodResult{}, nil
}
