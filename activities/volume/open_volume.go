package volume

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"
)

// podInterval is the pause between two looks at a pod that starts or ends.
const podInterval = 200 * time.Millisecond

// OpenVolumeParams names the volume and the run that opens it.
type OpenVolumeParams struct {
	Place
	StatefulSet string        `json:"statefulSet"` // of the pod
	Holder      string        `json:"holder"`
	Epoch       int64         `json:"epoch"`    // of its lease
	Patience    time.Duration `json:"patience"` // for the maintenance pod to run
}

// OpenVolumeResult says where the volume is.
type OpenVolumeResult struct {
	Already bool   `json:"already"` // this run had opened it
	Node    string `json:"node"`
	Mount   string `json:"mount"` // for Place.Mount
}

// OpenVolume makes a maintenance pod on the volume of an instance and waits until it runs. The pod of an earlier run, or one that has
// ended, is replaced; called twice it changes nothing. Errors: Conflict, for good, while the instance's own pod is there or a later run has
// the volume; Unexpected, for good, for a StatefulSet without a fitting volume; NotReady; Unreachable.
func (a *Activities) OpenVolume(ctx context.Context, params OpenVolumeParams) (OpenVolumeResult, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	wanted, mount, api, err := a.derive(ctx, params)
	if err != nil {
		return OpenVolumeResult{}, err
	}
	doing := fmt.Sprintf("open the %s", params.Place)
	_, err = api.CoreV1().Pods(params.Namespace).Get(ctx, params.Pod, metav1.GetOptions{})
	switch {
	case err == nil:
		return OpenVolumeResult{}, failure.Permanent(failure.Conflict, "%s: the pod itself is there; hold it down first", doing)
	case !apierrors.IsNotFound(err):
		return OpenVolumeResult{}, kubernetes.Failure(doing, err)
	}
	result := OpenVolumeResult{Already: true, Mount: mount}
	for {
		found, seen, err := settle(ctx, api, wanted, params.Epoch)
		switch {
		case errors.Is(err, errMade):
			result.Already = false
		case err != nil:
			return result, err
		case found != nil:
			result.Node = found.Spec.NodeName
			return result, nil
		}
		select {
		case <-ctx.Done():
			return result, failure.Transient(failure.NotReady, "%s: %s", doing, seen)
		case <-time.After(podInterval):
		}
	}
}

func (a *Activities) derive(ctx context.Context, params OpenVolumeParams) (*corev1.Pod, string, client.Interface, error) {
	cluster, err := a.clusters.Cluster(params.Region)
	if err != nil {
		return nil, "", nil, err
	}
	secret := ""
	for _, database := range a.site.Databases {
		if database.Name == params.Database {
			secret = database.Secret
		}
	}
	if secret == "" {
		return nil, "", nil, failure.Permanent(failure.NotFound, "the site names no secret for database %s", params.Database)
	}
	doing := fmt.Sprintf("read StatefulSet %s/%s", params.Namespace, params.StatefulSet)
	set, err := cluster.Client.AppsV1().StatefulSets(params.Namespace).Get(ctx, params.StatefulSet, metav1.GetOptions{})
	if err != nil {
		return nil, "", nil, kubernetes.Failure(doing, err)
	}
	wanted, mount, err := maintenancePod(set, params, secret)
	if err != nil {
		return nil, "", nil, failure.Permanent(failure.Unexpected, "%s: %s", doing, err)
	}
	return wanted, mount, cluster.Client, nil
}

// errMade says that the pod was made just now.
var errMade = errors.New("made")

// settle takes one step towards a maintenance pod that runs, and returns it when it does.
func settle(ctx context.Context, api client.Interface, wanted *corev1.Pod, epoch int64) (*corev1.Pod, string, error) {
	doing := fmt.Sprintf("make pod %s/%s", wanted.Namespace, wanted.Name)
	pods := api.CoreV1().Pods(wanted.Namespace)
	found, err := pods.Get(ctx, wanted.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		if _, err := pods.Create(ctx, wanted, metav1.CreateOptions{FieldManager: "fukkyu"}); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, "", kubernetes.Failure(doing, err)
		}
		return nil, "it has just been made", errMade
	case ctx.Err() != nil:
		return nil, "", failure.Transient(failure.NotReady, "%s: no answer in time: %s", doing, err)
	case err != nil:
		return nil, "", kubernetes.Failure(doing, err)
	case found.Labels[labelManagedBy] != "fukkyu":
		return nil, "", failure.Permanent(failure.Conflict, "%s: a pod of that name is there and is not Fukkyu's", doing)
	}
	made, err := strconv.ParseInt(found.Annotations[annotationEpoch], 10, 64)
	switch {
	case err != nil || made > epoch:
		return nil, "", failure.Permanent(failure.Conflict, "%s: %s has it, in epoch %s", doing, found.Annotations[annotationHolder], found.Annotations[annotationEpoch])
	case found.DeletionTimestamp != nil:
		return nil, "the one of before is ending", nil
	case made < epoch, found.Status.Phase == corev1.PodFailed, found.Status.Phase == corev1.PodSucceeded:
		return nil, "the one of before is ending", remove(ctx, api, found)
	case podRuns(found):
		return found, "", nil
	default:
		return nil, describe(found), nil
	}
}

func remove(ctx context.Context, api client.Interface, pod *corev1.Pod) error {
	err := api.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return kubernetes.Failure(fmt.Sprintf("remove pod %s/%s", pod.Namespace, pod.Name), err)
}

func podRuns(pod *corev1.Pod) bool {
	if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil || len(pod.Status.ContainerStatuses) == 0 {
		return false
	}
	return pod.Status.ContainerStatuses[0].State.Running != nil
}

// describe says why a pod does not run yet, in a few words.
func describe(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if waits := status.State.Waiting; waits != nil {
			return fmt.Sprintf("pod %s is %s: %s %s", pod.Name, pod.Status.Phase, waits.Reason, waits.Message)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status != corev1.ConditionTrue {
			return fmt.Sprintf("pod %s is not scheduled: %s", pod.Name, condition.Message)
		}
	}
	return fmt.Sprintf("pod %s is %s on node %s", pod.Name, pod.Status.Phase, pod.Spec.NodeName)
}

// lookAtPod says whether the maintenance pod runs, as far as the API server says. When it does not answer, the pod is taken to run.
func (a *Activities) lookAtPod(ctx context.Context, place Place) (bool, string) {
	cluster, err := a.clusters.Cluster(place.Region)
	if err != nil {
		return true, err.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	pod, err := cluster.Client.CoreV1().Pods(place.Namespace).Get(ctx, place.maintenancePod(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, "the maintenance pod is gone"
	case err != nil:
		return true, err.Error()
	default:
		return podRuns(pod), describe(pod)
	}
}
