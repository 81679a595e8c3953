package kubernetes

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
)

// RollBackParams names a workload and the revision that it is to go back to.
type RollBackParams struct {
	Workload WorkloadRef `json:"workload"`
	Revision string      `json:"revision"`        // name of its ReplicaSet or ControllerRevision: numbers change when they are gone back to
	Leave    string      `json:"leave,omitempty"` // name of the revision that nobody is to go back to after that, because it was not healthy
	Run      string      `json:"run"`             // for whom
}

// RollBackResult says what kubectl's code said, and whether there was anything to do.
type RollBackResult struct {
	Already bool   `json:"already"`
	Said    string `json:"said,omitempty"`
}

// RollBack brings a workload back to an earlier revision, by kubectl's own code. One that is there already is left alone. It does not
// wait: AwaitWorkload does. Pods of a StatefulSet that never got ready are deleted, because its controller waits for them for ever.
// Errors: NotFound when the workload or the revision is gone, Forbidden, Unreachable, Unexpected for a paused Deployment.
func (a *Activities) RollBack(ctx context.Context, params RollBackParams) (RollBackResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return RollBackResult{}, err
	}
	found, err := get(ctx, client, params.Workload)
	if err != nil {
		return RollBackResult{}, err
	}
	selector, err := found.selector()
	if err != nil {
		return RollBackResult{}, Failure("read the selector of "+params.Workload.String(), err)
	}
	revisions, err := revisionsOf(ctx, client, found, selector)
	if err != nil {
		return RollBackResult{}, err
	}
	at := slices.IndexFunc(revisions, func(r revision) bool { return r.Name == params.Revision })
	switch {
	case at < 0:
		return RollBackResult{}, failure.Permanent(failure.NotFound, "%s has no revision %s any more", params.Workload, params.Revision)
	case sameTemplate(revisions[at].template, *found.template()):
		return RollBackResult{Already: true}, a.freeStuckPods(ctx, client, found, selector.String())
	case found.deployment != nil && found.deployment.Spec.Paused:
		return RollBackResult{}, failure.Permanent(failure.Unexpected, "%s is paused: resume it first, with kubectl rollout resume", params.Workload)
	}
	if err := remark(ctx, client, found, params); err != nil {
		return RollBackResult{}, err
	}
	said, err := rollBack(client, found, revisions[at].Number)
	if err != nil {
		return RollBackResult{}, Failure(fmt.Sprintf("roll %s back to revision %d", params.Workload, revisions[at].Number), err)
	}
	return RollBackResult{Said: said}, a.freeStuckPods(ctx, client, found, selector.String())
}

// remark writes down, before it is left, which revision was not healthy, and takes that back from the one that is gone to.
func remark(ctx context.Context, client kubernetes.Interface, o object, params RollBackParams) error {
	if err := mark(ctx, client, o, params.Revision, ""); err != nil || params.Leave == "" {
		return err
	}
	return mark(ctx, client, o, params.Leave, params.Run)
}

// rollBack is kubectl rollout undo --to-revision.
func rollBack(client kubernetes.Interface, o object, number int64) (string, error) {
	var target runtime.Object = o.deployment
	kind := appsv1.SchemeGroupVersion.WithKind(o.ref.Kind).GroupKind()
	if o.set != nil {
		target = o.set
	}
	rollbacker, err := polymorphichelpers.RollbackerFor(kind, client)
	if err != nil {
		return "", err
	}
	return rollbacker.Rollback(target, nil, number, cmdutil.DryRunNone)
}

// freeStuckPods deletes pods of a StatefulSet that are not ready: an ordered rollout does not replace them.
func (a *Activities) freeStuckPods(ctx context.Context, client kubernetes.Interface, o object, selector string) error {
	if o.set == nil {
		return nil
	}
	pods, err := podsOf(ctx, client, o.ref, selector)
	if err != nil {
		return err
	}
	for i := range pods {
		if pod := &pods[i]; metav1.IsControlledBy(pod, o.set) && !podReady(pod) && pod.DeletionTimestamp == nil {
			if err := deletePod(ctx, client, pod); err != nil {
				return err
			}
		}
	}
	return nil
}

// deletePod deletes the pod that was read, and no other of its name.
func deletePod(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	doing := "delete " + describePod(pod.Namespace, pod.Name)
	err := client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	return failed(doing, ignoreGone(err))
}
