package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/plan"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// WorkloadName names a Deployment or a StatefulSet.
type WorkloadName struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Kind      string `json:"kind"` // plan.Deployment or plan.StatefulSet
	Name      string `json:"name"`
}

// String is the workload as kubectl would be asked for it.
func (w WorkloadName) String() string { return fmt.Sprintf("%s %s/%s", w.Kind, w.Namespace, w.Name) }

// restartedAt is the annotation on a pod template by which kubectl rollout restart has pods replaced.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// workload is what Deployments and StatefulSets have in common, as read from the API server.
type workload struct {
	WorkloadName
	deployment  *appsv1.Deployment  // one of the two
	statefulSet *appsv1.StatefulSet // is nil
}

// getWorkload reads the object alone. Errors: NotFound, Forbidden, Unreachable.
func getWorkload(ctx context.Context, client kubernetes.Interface, doing string, name WorkloadName) (workload, error) {
	found := workload{WorkloadName: name}
	var err error
	switch name.Kind {
	case plan.Deployment:
		found.deployment, err = client.AppsV1().Deployments(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	case plan.StatefulSet:
		found.statefulSet, err = client.AppsV1().StatefulSets(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{})
	default:
		return found, failure.Permanent(failure.Unexpected, "%s: %q is neither a Deployment nor a StatefulSet", doing, name.Kind)
	}
	if err != nil {
		return found, Failure(doing, err)
	}
	return found, nil
}

// update writes the object back, on the condition that nobody else has in the meantime.
func (w workload) update(ctx context.Context, client kubernetes.Interface) error {
	options := metav1.UpdateOptions{FieldManager: fieldManager}
	var err error
	if w.deployment != nil {
		_, err = client.AppsV1().Deployments(w.Namespace).Update(ctx, w.deployment, options)
	} else {
		_, err = client.AppsV1().StatefulSets(w.Namespace).Update(ctx, w.statefulSet, options)
	}
	return err
}

func (w workload) meta() *metav1.ObjectMeta {
	if w.deployment != nil {
		return &w.deployment.ObjectMeta
	}
	return &w.statefulSet.ObjectMeta
}

func (w workload) template() *corev1.PodTemplateSpec {
	if w.deployment != nil {
		return &w.deployment.Spec.Template
	}
	return &w.statefulSet.Spec.Template
}

func (w workload) selector() *metav1.LabelSelector {
	if w.deployment != nil {
		return w.deployment.Spec.Selector
	}
	return w.statefulSet.Spec.Selector
}

func (w workload) paused() bool { return w.deployment != nil && w.deployment.Spec.Paused }

func (w workload) replicas() int32 {
	if w.deployment != nil {
		return wantedReplicas(w.deployment)
	}
	return replicasOf(w.statefulSet)
}

func (w workload) setReplicas(replicas int32) {
	if w.deployment != nil {
		w.deployment.Spec.Replicas = &replicas
		return
	}
	w.statefulSet.Spec.Replicas = &replicas
}

// fill copies what the controller says of its work.
func (w workload) fill(found *Workload) {
	found.UID, found.Paused, found.Desired = string(w.meta().UID), w.paused(), w.replicas()
	if w.statefulSet != nil {
		status := w.statefulSet.Status
		found.Observed = status.ObservedGeneration >= w.statefulSet.Generation
		found.Pods, found.Ready, found.Updated, found.Available = status.Replicas, status.ReadyReplicas, status.UpdatedReplicas, status.AvailableReplicas
		return
	}
	status := w.deployment.Status
	found.Observed = status.ObservedGeneration >= w.deployment.Generation
	found.Pods, found.Ready, found.Updated, found.Available = status.Replicas, status.ReadyReplicas, status.UpdatedReplicas, status.AvailableReplicas
	for _, condition := range status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse && found.Observed {
			found.GivenUp = fmt.Sprintf("%s: %s", condition.Reason, condition.Message)
		}
	}
}

// sameButRestarted says that two templates differ at most by the marks of a restart: one is as good or as bad as the other.
func sameButRestarted(one, other *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(withoutMarks(one), withoutMarks(other))
}

func withoutMarks(template *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	bare := template.DeepCopy()
	for _, mark := range []string{restartedAt, rolledFor} {
		delete(bare.Annotations, mark)
	}
	delete(bare.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return bare
}

func imagesOf(template *corev1.PodTemplateSpec) []string {
	var images []string
	for _, container := range template.Spec.Containers {
		images = append(images, container.Image)
	}
	return images
}

// Workload is a Deployment or a StatefulSet with its revisions and its pods.
type Workload struct {
	UID     string `json:"uid"`
	Paused  bool   `json:"paused,omitempty"`
	Desired int32  `json:"desired"`
	// Pods counts all, Updated those of the revision that is wanted, Ready and Available those that are.
	Pods      int32 `json:"pods"`
	Updated   int32 `json:"updated"`
	Ready     int32 `json:"ready"`
	Available int32 `json:"available"`
	// Observed says that the controller has seen the latest change: before that its counts are of the revision before.
	Observed bool `json:"observed"`
	// GivenUp is why the controller takes a roll-out to have failed.
	GivenUp string `json:"givenUp,omitempty"`
	// Revisions are in the order in which they were wanted, the one that is wanted now first.
	Revisions []Revision `json:"revisions,omitempty"`
	Members   []Member   `json:"members,omitempty"`
	// Answers are those of its ready pods, where they were asked.
	Answers []PodCheck `json:"answers,omitempty"`
}

// Revision is a version of the pod template that a workload keeps.
type Revision struct {
	Name   string   `json:"name"`   // of its ReplicaSet or ControllerRevision
	Number int64    `json:"number"` // as kubectl rollout history shows it; it changes when it is wanted again
	Images []string `json:"images,omitempty"`
	// Same says that it differs from the one that is wanted by nothing but the marks of a restart.
	Same bool `json:"same,omitempty"`
	// Proven says that it has pods that are available now, or that the workload was once completely on it.
	Proven bool `json:"proven,omitempty"`
}

// Member is one pod of a workload.
type Member struct {
	Pod      string    `json:"pod"`
	UID      string    `json:"uid"`
	Node     string    `json:"node,omitempty"`
	Revision string    `json:"revision"` // the name of its revision
	Created  time.Time `json:"created"`
	Ready    bool      `json:"ready,omitempty"`
	Deleting bool      `json:"deleting,omitempty"`
	Why      string    `json:"why,omitempty"` // it is not well
	// Hopeless says that nothing but a change of the workload, or of what it needs, lets this pod start.
	Hopeless bool `json:"hopeless,omitempty"`
	// Crashes says that it starts and ends, again and again.
	Crashes bool `json:"crashes,omitempty"`
	// OutOfMemory says that a container was last killed because it used more memory than it may.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
}

// Out says that every pod is of the wanted revision and available, by kubectl's own judgement.
func (w Workload) Out() bool {
	return w.Observed && w.Updated == w.Desired && w.Pods == w.Desired && w.Available == w.Desired
}

// Counts is how far it is, in words.
func (w Workload) Counts() string {
	text := fmt.Sprintf("%d of %d pods available, %d of the wanted revision", w.Available, w.Desired, w.Updated)
	if why := w.Whys(); why != "" {
		text += "; " + why
	}
	return text
}

// Whys is why pods are not well: each reason once.
func (w Workload) Whys() string {
	var whys []string
	for _, member := range w.Members {
		if member.Why != "" && !member.Deleting && !slices.Contains(whys, member.Pod+": "+member.Why) {
			whys = append(whys, member.Pod+": "+member.Why)
		}
	}
	if len(whys) > 3 {
		whys = append(whys[:3], fmt.Sprintf("and %d more", len(whys)-3))
	}
	return strings.Join(whys, "; ")
}

// Wanted is the revision that the workload is to run, the zero revision while its controller has not made it.
func (w Workload) Wanted() Revision {
	if len(w.Revisions) == 0 {
		return Revision{}
	}
	return w.Revisions[0]
}

// Fresh are the pods of the wanted revision that are not being deleted.
func (w Workload) Fresh() []Member {
	var fresh []Member
	for _, member := range w.Members {
		if member.Revision == w.Wanted().Name && !member.Deleting {
			fresh = append(fresh, member)
		}
	}
	return fresh
}

// Hopeless is why the wanted revision cannot come up by itself: its controller has given up, or none of its pods can start.
// Empty: it may.
func (w Workload) Hopeless() string {
	if !w.Observed {
		return ""
	}
	if w.GivenUp != "" && !w.Out() {
		return w.GivenUp
	}
	fresh := w.Fresh()
	if len(fresh) == 0 || slices.ContainsFunc(fresh, func(m Member) bool { return !m.Hopeless }) {
		return ""
	}
	return fmt.Sprintf("no pod of %s can start: %s: %s", w.Wanted().Name, fresh[0].Pod, fresh[0].Why)
}

// Earlier are the revisions that a rollback may go to, the best first: those that are proven before those that are not, and the
// later ones before the earlier. Restarts of the wanted revision are not among them.
func (w Workload) Earlier() []Revision {
	var earlier []Revision
	for _, revision := range w.Revisions {
		if !revision.Same && revision.Name != w.Wanted().Name {
			earlier = append(earlier, revision)
		}
	}
	slices.SortStableFunc(earlier, func(a, b Revision) int {
		switch {
		case a.Proven == b.Proven:
			return 0
		case a.Proven:
			return -1
		default:
			return 1
		}
	})
	return earlier
}
