package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// WorkloadRef names a Deployment or a StatefulSet.
type WorkloadRef struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Kind      string `json:"kind"` // Deployment or StatefulSet
	Name      string `json:"name"`
}

// String is the workload for people.
func (r WorkloadRef) String() string { return fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name) }

// Workload is how a Deployment or a StatefulSet is.
type Workload struct {
	Desired   int32 `json:"desired"`
	Updated   int32 `json:"updated"` // of the current revision
	Ready     int32 `json:"ready"`
	Available int32 `json:"available"`
	Whole     bool  `json:"whole"` // every wanted pod is of the current revision and available, and there is no other
	Paused    bool  `json:"paused,omitempty"`
	// Stalled is why Kubernetes says that the rollout does not go on; empty: it does not say so.
	Stalled string `json:"stalled,omitempty"`
	// Current is the revision that is rolled out, and Earlier those that can be gone back to, the latest first: their pods are started
	// from something else than the current one's, and no recovery has rolled back from them.
	Current Revision   `json:"current"`
	Earlier []Revision `json:"earlier,omitempty"`
	Pods    []Pod      `json:"pods"`
}

// Revision is one state that a workload had: a ReplicaSet or a ControllerRevision.
type Revision struct {
	Name   string   `json:"name"`
	Number int64    `json:"number"`
	Images []string `json:"images,omitempty"`
}

// Pod is one pod of a workload.
type Pod struct {
	Name    string    `json:"name"`
	UID     string    `json:"uid"`
	Node    string    `json:"node,omitempty"`
	Current bool      `json:"current"` // of the current revision
	Ready   bool      `json:"ready"`
	Created time.Time `json:"created"`
	// Trouble is why it does not start, as far as that is something that Kubernetes does not get over by itself.
	Trouble string `json:"trouble,omitempty"`
}

// object is a workload as it was read.
type object struct {
	ref        WorkloadRef
	deployment *appsv1.Deployment // one of the two
	set        *appsv1.StatefulSet
}

// get reads a workload. Errors: NotFound, Forbidden, Unreachable, Unexpected for a kind that is none of the two.
func get(ctx context.Context, client kubernetes.Interface, ref WorkloadRef) (object, error) {
	found := object{ref: ref}
	var err error
	switch ref.Kind {
	case plan.Deployment:
		found.deployment, err = client.AppsV1().Deployments(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	case plan.StatefulSet:
		found.set, err = client.AppsV1().StatefulSets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	default:
		return found, failure.Permanent(failure.Unexpected, "%s is neither a %s nor a %s", ref, plan.Deployment, plan.StatefulSet)
	}
	return found, failed("read "+ref.String(), err)
}

func (o object) meta() metav1.ObjectMeta {
	if o.set != nil {
		return o.set.ObjectMeta
	}
	return o.deployment.ObjectMeta
}

func (o object) template() *corev1.PodTemplateSpec {
	if o.set != nil {
		return &o.set.Spec.Template
	}
	return &o.deployment.Spec.Template
}

func (o object) selector() (labels.Selector, error) {
	if o.set != nil {
		return metav1.LabelSelectorAsSelector(o.set.Spec.Selector)
	}
	return metav1.LabelSelectorAsSelector(o.deployment.Spec.Selector)
}

// describe puts together how the workload is.
func (o object) describe(revisions []revision, pods []corev1.Pod) Workload {
	var found Workload
	if o.set != nil {
		found = describeSet(o.set)
	} else {
		found = describeDeployment(o.deployment)
	}
	current := currentOf(revisions, o)
	found.Current = current.Revision
	for _, earlier := range slices.Backward(revisions) {
		if earlier.Number < current.Number && !earlier.left && !sameStart(earlier.template, *o.template()) {
			found.Earlier = append(found.Earlier, earlier.Revision)
		}
	}
	for i := range pods {
		pod := &pods[i]
		found.Pods = append(found.Pods, Pod{
			Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Current: current.owns(pod), Ready: podReady(pod) && pod.DeletionTimestamp == nil,
			Created: pod.CreationTimestamp.Time, Trouble: troubleOf(pod),
		})
	}
	return found
}

func describeDeployment(d *appsv1.Deployment) Workload {
	status := d.Status
	found := Workload{
		Desired: wantedReplicas(d), Updated: status.UpdatedReplicas, Ready: status.ReadyReplicas, Available: status.AvailableReplicas,
		Whole: rolledOut(d), Paused: d.Spec.Paused,
	}
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse || condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			found.Stalled = condition.Message
		}
	}
	return found
}

func describeSet(s *appsv1.StatefulSet) Workload {
	status, desired := s.Status, replicasOf(s)
	return Workload{
		Desired: desired, Updated: status.UpdatedReplicas, Ready: status.ReadyReplicas, Available: status.AvailableReplicas,
		Whole: status.ObservedGeneration >= s.Generation && status.UpdateRevision == status.CurrentRevision && status.AvailableReplicas == desired && status.Replicas == desired,
	}
}

// revision is a Revision with what its pods are started from.
type revision struct {
	Revision
	template corev1.PodTemplateSpec
	hash     string // label of its pods
	label    string // the name of that label
	left     bool   // a recovery rolled back from it
}

func (r revision) owns(pod *corev1.Pod) bool { return r.hash != "" && pod.Labels[r.label] == r.hash }

// currentOf is the revision that a workload is rolled out to; an empty one while its controller has not made it yet.
func currentOf(revisions []revision, o object) revision {
	for _, candidate := range slices.Backward(revisions) {
		if sameTemplate(candidate.template, *o.template()) {
			return candidate
		}
	}
	if len(revisions) == 0 {
		return revision{}
	}
	return revision{Revision: Revision{Number: revisions[len(revisions)-1].Number + 1}}
}

func revisionNumber(annotations map[string]string) int64 {
	number, err := strconv.ParseInt(annotations["deployment.kubernetes.io/revision"], 10, 64)
	if err != nil {
		return 0 // a ReplicaSet that its Deployment has not numbered yet
	}
	return number
}

func imagesOf(template corev1.PodTemplateSpec) []string {
	var images []string
	for _, container := range template.Spec.Containers {
		images = append(images, container.Image)
	}
	return images
}
