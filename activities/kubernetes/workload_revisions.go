package kubernetes

import (
	"context"
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// restartedAt is the annotation of kubectl rollout restart: a template that only differs in it starts the same.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// leftBy is the annotation on a revision that a recovery rolled back from: it was not healthy, and nobody goes back to it.
const leftBy = "fukkyu.dev/left-by"

// revisionsOf are the revisions of a workload that the cluster still has, the oldest first.
func revisionsOf(ctx context.Context, client kubernetes.Interface, o object, selector labels.Selector) ([]revision, error) {
	list := metav1.ListOptions{LabelSelector: selector.String()}
	var revisions []revision
	if o.set != nil {
		found, err := client.AppsV1().ControllerRevisions(o.ref.Namespace).List(ctx, list)
		if err != nil {
			return nil, Failure("list the ControllerRevisions of "+o.ref.String(), err)
		}
		for i := range found.Items {
			if metav1.IsControlledBy(&found.Items[i], o.set) {
				revisions = append(revisions, fromControllerRevision(&found.Items[i]))
			}
		}
	} else {
		found, err := client.AppsV1().ReplicaSets(o.ref.Namespace).List(ctx, list)
		if err != nil {
			return nil, Failure("list the ReplicaSets of "+o.ref.String(), err)
		}
		for i := range found.Items {
			if metav1.IsControlledBy(&found.Items[i], o.deployment) {
				revisions = append(revisions, fromReplicaSet(&found.Items[i]))
			}
		}
	}
	slices.SortFunc(revisions, func(a, b revision) int { return int(a.Number - b.Number) })
	return revisions, nil
}

func fromReplicaSet(set *appsv1.ReplicaSet) revision {
	return revision{
		Revision: Revision{Name: set.Name, Number: revisionNumber(set.Annotations), Images: imagesOf(set.Spec.Template)},
		template: set.Spec.Template, label: appsv1.DefaultDeploymentUniqueLabelKey, hash: set.Labels[appsv1.DefaultDeploymentUniqueLabelKey],
		left: set.Annotations[leftBy] != "",
	}
}

func fromControllerRevision(found *appsv1.ControllerRevision) revision {
	var kept appsv1.StatefulSet
	if json.Unmarshal(found.Data.Raw, &kept) != nil {
		kept = appsv1.StatefulSet{} // of no use for going back to, and equal to nothing
	}
	return revision{
		Revision: Revision{Name: found.Name, Number: found.Revision, Images: imagesOf(kept.Spec.Template)},
		template: kept.Spec.Template, label: appsv1.ControllerRevisionHashLabelKey, hash: found.Name,
		left: found.Annotations[leftBy] != "",
	}
}

// mark writes on a revision by which run it was left, or with an empty name that it is none of those.
func mark(ctx context.Context, client kubernetes.Interface, o object, revision, run string) error {
	var value any // null takes the annotation away
	if run != "" {
		value = run
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{leftBy: value}}})
	if err != nil {
		return Failure("mark revision "+revision, err)
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	if o.set != nil {
		_, err = client.AppsV1().ControllerRevisions(o.ref.Namespace).Patch(ctx, revision, types.MergePatchType, body, options)
	} else {
		_, err = client.AppsV1().ReplicaSets(o.ref.Namespace).Patch(ctx, revision, types.MergePatchType, body, options)
	}
	return failed("mark revision "+revision+" of "+o.ref.String(), err)
}

// sameTemplate compares what pods are made from, but for the label that tells revisions apart.
func sameTemplate(a, b corev1.PodTemplateSpec) bool {
	return apiequality.Semantic.DeepEqual(stripped(a), stripped(b))
}

// sameStart compares what pods are started from: marks of restarts make a revision of their own and change nothing else.
func sameStart(a, b corev1.PodTemplateSpec) bool {
	return apiequality.Semantic.DeepEqual(stripped(a, restartedAt, rolledFor), stripped(b, restartedAt, rolledFor))
}

// stripped is a template without the label of its revision and without some annotations.
func stripped(template corev1.PodTemplateSpec, without ...string) *corev1.PodTemplateSpec {
	kept := template.DeepCopy()
	delete(kept.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	for _, annotation := range without {
		delete(kept.Annotations, annotation)
	}
	return kept
}
