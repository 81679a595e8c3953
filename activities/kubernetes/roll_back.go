package kubernetes

import (
	"context"
	"fmt"
	"slices"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"
)

// RollBackParams names a workload and the revision that it is to run.
type RollBackParams struct {
	WorkloadName
	Revision string `json:"revision"` // the name of its ReplicaSet or ControllerRevision: its number changes when it is wanted again
}

// RollBackResult says whether there was anything to do.
type RollBackResult struct {
	Already bool `json:"already"`
}

// RollBack lets a workload run an earlier revision, by kubectl's own code, on the condition that nobody else changes it meanwhile.
// Called twice it changes nothing. It does not wait: AwaitWorkload does. Errors: NotFound when the workload no longer keeps the
// revision, Unexpected for a paused Deployment, Conflict, Forbidden, Unreachable.
func (a *Activities) RollBack(ctx context.Context, params RollBackParams) (RollBackResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return RollBackResult{}, err
	}
	doing := fmt.Sprintf("roll %s back to %s", params, params.Revision)
	object, err := getWorkload(ctx, client, doing, params.WorkloadName)
	if err != nil {
		return RollBackResult{}, err
	}
	selector := metav1.FormatLabelSelector(object.selector())
	revisions, err := listRevisions(ctx, client, object, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return RollBackResult{}, Failure(doing, err)
	}
	at := slices.IndexFunc(revisions, func(k kept) bool { return k.name == params.Revision })
	switch {
	case at < 0:
		return RollBackResult{}, failure.Permanent(failure.NotFound, "%s: that revision is not kept any more; see revisionHistoryLimit", doing)
	case sameTemplate(&revisions[at].template, object.template()):
		return RollBackResult{Already: true}, nil
	case object.paused():
		return RollBackResult{}, pausedFailure(doing, params.WorkloadName)
	}
	if err := object.rollBack(ctx, client, revisions[at].number); err != nil {
		return RollBackResult{}, err
	}
	return RollBackResult{}, nil
}

// sameTemplate compares as kubectl does: without the label that the Deployment controller adds.
func sameTemplate(one, other *corev1.PodTemplateSpec) bool {
	bare := [2]*corev1.PodTemplateSpec{one.DeepCopy(), other.DeepCopy()}
	for _, template := range bare {
		delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	return equality.Semantic.DeepEqual(bare[0], bare[1])
}

// rollBack calls kubectl's code. It reports errors in its own words only, so the error of the write is kept aside.
func (w workload) rollBack(ctx context.Context, client kubernetes.Interface, number int64) error {
	doing := fmt.Sprintf("roll %s back to revision %d", w.WorkloadName, number)
	guarded := &guardedClient{Interface: client, ctx: ctx, resourceVersion: w.meta().ResourceVersion}
	rollbacker, err := polymorphichelpers.RollbackerFor(appsv1.SchemeGroupVersion.WithKind(w.Kind).GroupKind(), guarded)
	if err != nil {
		return failure.Permanent(failure.Unexpected, "%s: %s", doing, err)
	}
	var said string
	if w.deployment != nil {
		said, err = rollbacker.Rollback(w.deployment, nil, number, cmdutil.DryRunNone)
	} else {
		said, err = rollbacker.Rollback(w.statefulSet, nil, number, cmdutil.DryRunNone)
	}
	switch {
	case guarded.refused != nil:
		return Failure(doing, guarded.refused)
	case err != nil:
		return Failure(doing, err)
	case !guarded.wrote:
		return failure.Transient(failure.Conflict, "%s: kubectl's code changed nothing: %s", doing, said)
	}
	return nil
}
