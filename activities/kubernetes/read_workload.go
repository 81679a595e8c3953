package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// revisionNumber is the annotation in which the Deployment controller numbers ReplicaSets.
const revisionNumber = "deployment.kubernetes.io/revision"

// ReadWorkloadParams names a workload.
type ReadWorkloadParams struct {
	WorkloadName
	Ask *PodQuestions `json:"ask,omitempty"` // what its ready pods are asked besides
}

// ReadWorkload reads a Deployment or a StatefulSet with its revisions, and of each pod why it is not well. Its ready pods are asked for their
// health, where the params say so. It changes nothing. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) ReadWorkload(ctx context.Context, params ReadWorkloadParams) (Workload, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return Workload{}, err
	}
	read, err := readWorkload(ctx, client, "read "+params.String(), params.WorkloadName)
	if err != nil {
		return Workload{}, err
	}
	found := read.judge()
	found.Answers, err = askMembers(ctx, client, params.WorkloadName, found.Members, params.Ask)
	return found, err
}

// workloadReading is what the API server says of a workload.
type workloadReading struct {
	object    workload
	options   metav1.ListOptions // that select its pods and revisions
	pods      []corev1.Pod
	version   string // of the list of pods
	revisions keptRevisions
	dead      map[string]bool // nodes under its pods
}

func readWorkload(ctx context.Context, client kubernetes.Interface, doing string, name WorkloadName) (workloadReading, error) {
	read := workloadReading{}
	var err error
	if read.object, err = getWorkload(ctx, client, doing, name); err != nil {
		return read, err
	}
	selector, err := metav1.LabelSelectorAsSelector(read.object.selector())
	if err != nil || selector.Empty() {
		return read, failure.Permanent(failure.Unexpected, "%s: its selector %s selects no pods that could be told from others", doing, selector)
	}
	read.options = metav1.ListOptions{LabelSelector: selector.String()}
	pods, err := client.CoreV1().Pods(name.Namespace).List(ctx, read.options)
	if err != nil {
		return read, Failure(doing, err)
	}
	read.pods, read.version = pods.Items, pods.ResourceVersion
	if read.revisions, err = listRevisions(ctx, client, read.object, read.options); err != nil {
		return read, Failure(doing, err)
	}
	if read.dead, err = deadNodes(ctx, client, read.pods); err != nil {
		return read, Failure(doing, err)
	}
	return read, nil
}

// judge says what was read in the words of a recovery.
func (r workloadReading) judge() Workload {
	found := Workload{}
	r.object.fill(&found)
	for i := range r.pods {
		if revision := r.revisions.of(&r.pods[i]); revision != "" {
			found.Members = append(found.Members, memberFrom(&r.pods[i], revision, r.dead))
		}
	}
	found.Revisions = r.revisions.list(r.object, found.Members)
	return found
}

// kept is a revision as the API server keeps it.
type kept struct {
	name, uid, hash string
	number          int64
	template        corev1.PodTemplateSpec
	complete        bool // the workload was once completely on it
}

type keptRevisions []kept

// of is the revision of a pod, empty for a pod of somebody else with the same labels.
func (k keptRevisions) of(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	for _, revision := range k {
		switch {
		case owner == nil:
		case revision.hash == "" && string(owner.UID) == revision.uid,
			revision.hash != "" && string(owner.UID) == revision.uid && pod.Labels[appsv1.StatefulSetRevisionLabel] == revision.hash:
			return revision.name
		}
	}
	return ""
}

// list puts the revisions in order: the wanted one first.
func (k keptRevisions) list(object workload, members []Member) []Revision {
	slices.SortFunc(k, func(a, b kept) int { return cmp.Compare(b.number, a.number) })
	var listed []Revision
	for _, revision := range k {
		proven := revision.complete || slices.ContainsFunc(members, func(m Member) bool { return m.Revision == revision.name && m.Ready })
		listed = append(listed, Revision{
			Name: revision.name, Number: revision.number, Images: imagesOf(&revision.template),
			Same: sameButRestarted(&revision.template, object.template()), Proven: proven,
		})
	}
	if len(listed) > 0 && !listed[0].Same {
		return append([]Revision{{}}, listed...) // the controller has not made the wanted one yet
	}
	return listed
}

func listRevisions(ctx context.Context, client kubernetes.Interface, object workload, options metav1.ListOptions) (keptRevisions, error) {
	if object.statefulSet != nil {
		return listControllerRevisions(ctx, client, object.statefulSet, options)
	}
	sets, err := client.AppsV1().ReplicaSets(object.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	var revisions keptRevisions
	for _, set := range sets.Items {
		if metav1.IsControlledBy(&set, object.deployment) {
			number, _ := strconv.ParseInt(set.Annotations[revisionNumber], 10, 64) // 0 until its controller has numbered it
			revisions = append(revisions, kept{name: set.Name, uid: string(set.UID), number: number, template: set.Spec.Template})
		}
	}
	return revisions, nil
}

func listControllerRevisions(ctx context.Context, client kubernetes.Interface, set *appsv1.StatefulSet, options metav1.ListOptions) (keptRevisions, error) {
	found, err := client.AppsV1().ControllerRevisions(set.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	var revisions keptRevisions
	for _, revision := range found.Items {
		if !metav1.IsControlledBy(&revision, set) {
			continue
		}
		template, err := templateOf(&revision)
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, kept{
			name: revision.Name, uid: string(set.UID), hash: revision.Name, number: revision.Revision, template: template,
			complete: set.Status.CurrentRevision == revision.Name && set.Status.UpdateRevision != revision.Name,
		})
	}
	return revisions, nil
}

// templateOf reads the pod template in a revision of a StatefulSet.
func templateOf(revision *appsv1.ControllerRevision) (corev1.PodTemplateSpec, error) {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
		return corev1.PodTemplateSpec{}, fmt.Errorf("read ControllerRevision %s: %w", revision.Name, err)
	}
	return data.Spec.Template, nil
}

// deadNodes are those nodes under pods that are not Ready.
func deadNodes(ctx context.Context, client kubernetes.Interface, pods []corev1.Pod) (map[string]bool, error) {
	if !slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return !podReady(&pod) || pod.DeletionTimestamp != nil }) {
		return nil, nil // nothing needs to be explained
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	dead := map[string]bool{}
	for i := range nodes.Items {
		dead[nodes.Items[i].Name] = !nodeReady(&nodes.Items[i])
	}
	return dead, nil
}
