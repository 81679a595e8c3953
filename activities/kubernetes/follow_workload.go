package kubernetes

import (
	"context"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

const (
	// watchTimeout is how long one watch lasts: less than a request may, so that it ends in order.
	watchTimeout = apiTimeout - time.Second
	// rewatchPause is the pause before watches that ended at once are opened again, while an API server restarts.
	rewatchPause = 200 * time.Millisecond
)

// followed is a workload that was read once and is kept up with by its watches: dozens of them may be followed at the same time, in a
// cluster that is busy enough. It is read anew when the watches end.
type followed struct {
	workloadReading
	events chan watch.Event // closed when the watches have to be opened again
	stop   func()
}

// followWorkload reads a workload, and watches it and its pods from there on. Errors: NotFound, Forbidden, Unreachable.
func followWorkload(ctx context.Context, client kubernetes.Interface, name WorkloadName) (*followed, error) {
	doing := "watch " + name.String()
	read, err := readWorkload(ctx, client, doing, name)
	if err != nil {
		return nil, err
	}
	seconds := int64(watchTimeout / time.Second)
	one := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name.Name).String(), TimeoutSeconds: &seconds, ResourceVersion: read.object.meta().ResourceVersion}
	var owner watch.Interface
	if name.Kind == plan.Deployment {
		owner, err = client.AppsV1().Deployments(name.Namespace).Watch(ctx, one)
	} else {
		owner, err = client.AppsV1().StatefulSets(name.Namespace).Watch(ctx, one)
	}
	if err != nil {
		return nil, Failure(doing, err)
	}
	members, err := client.CoreV1().Pods(name.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: read.options.LabelSelector, TimeoutSeconds: &seconds, ResourceVersion: read.version})
	if err != nil {
		owner.Stop()
		return nil, Failure(doing, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &followed{workloadReading: read, events: make(chan watch.Event)}
	f.stop = func() { cancel(); owner.Stop(); members.Stop() }
	go f.forward(ctx, owner, members)
	return f, nil
}

// forward makes one stream of two watches.
func (f *followed) forward(ctx context.Context, owner, members watch.Interface) {
	defer close(f.events)
	began := time.Now()
	for {
		var event watch.Event
		var open bool
		select {
		case <-ctx.Done():
			return
		case event, open = <-owner.ResultChan():
		case event, open = <-members.ResultChan():
		}
		if !open || event.Type == watch.Error {
			select { // watches that end at once are those of an API server that is going down or coming up
			case <-ctx.Done():
			case <-time.After(max(0, rewatchPause-time.Since(began))):
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case f.events <- event:
		}
	}
}

// take keeps up with a change. False: the workload has to be read anew.
func (f *followed) take(ctx context.Context, client kubernetes.Interface, event watch.Event) bool {
	before := f.object.revision()
	switch changed := event.Object.(type) {
	case *corev1.Pod:
		f.takePod(event.Type, changed)
		return true
	case *appsv1.Deployment:
		f.object.deployment = changed
	case *appsv1.StatefulSet:
		f.object.statefulSet = changed
	}
	if event.Type == watch.Deleted {
		return false
	}
	if f.object.revision() == before {
		return true
	}
	revisions, err := listRevisions(ctx, client, f.object, f.options)
	if err != nil {
		return false
	}
	f.revisions = revisions
	return true
}

func (f *followed) takePod(what watch.EventType, pod *corev1.Pod) {
	at := slices.IndexFunc(f.pods, func(known corev1.Pod) bool { return known.UID == pod.UID })
	switch {
	case what == watch.Deleted && at >= 0:
		f.pods = slices.Delete(f.pods, at, at+1)
	case what == watch.Deleted:
	case at >= 0:
		f.pods[at] = *pod
	default:
		f.pods = append(f.pods, *pod)
	}
}

// revision changes whenever the revisions that a workload keeps may have.
func (w workload) revision() string {
	if w.deployment != nil {
		return strconv.FormatInt(w.deployment.Status.ObservedGeneration, 10) + " " + w.deployment.Annotations[revisionNumber]
	}
	status := w.statefulSet.Status
	return strconv.FormatInt(status.ObservedGeneration, 10) + " " + status.CurrentRevision + " " + status.UpdateRevision
}
