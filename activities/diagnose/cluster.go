package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recently is how old a warning or a restart may be to be told.
const recently = 30 * time.Minute

// mostListedEvents bounds what a cluster in trouble warns of: some megabytes.
const mostListedEvents = 2000

// objects are what the API server listed. A list that it did not give is empty.
type objects struct {
	nodes       []corev1.Node
	heard       map[string]heartbeat
	pods        []corev1.Pod
	events      []corev1.Event
	deployments []appsv1.Deployment
	sets        []appsv1.StatefulSet
}

// heartbeat is when a kubelet renewed its lease, and how often it does.
type heartbeat struct {
	at   time.Time
	each time.Duration
}

// askCluster lists what is there, and then asks those on the lists.
func (l *look) askCluster(ctx context.Context) {
	found := l.list(ctx)
	l.Nodes = nodesFrom(found, l.At)
	l.Events = eventsFrom(found.events, l.At)
	l.Pods = l.podsFrom(found)
	l.Counted = diagnosis.Counted{Pods: len(found.pods), Workloads: len(found.deployments) + len(found.sets)}
	for i := range found.deployments {
		l.Workloads = append(l.Workloads, deploymentFrom(&found.deployments[i]))
	}
	for i := range found.sets {
		l.Workloads = append(l.Workloads, setFrom(&found.sets[i]))
	}
	together(
		func() { l.askLogs(ctx, found.pods) },
		func() { l.askRedis(ctx, found.pods) },
	)
}

func (l *look) list(ctx context.Context) objects {
	var found objects
	namespace, all := l.plan.Namespace, metav1.ListOptions{}
	together(
		func() {
			list, ok := ask(ctx, l, diagnosis.AskNodes, listTimeout, func(ctx context.Context) (*corev1.NodeList, error) { return l.client.CoreV1().Nodes().List(ctx, all) })
			if ok {
				found.nodes = list.Items
			}
		},
		func() {
			found.heard, _ = ask(ctx, l, "list leases of kubelets", listTimeout, l.readHeartbeats)
		},
		func() {
			list, ok := ask(ctx, l, diagnosis.AskPods, listTimeout, func(ctx context.Context) (*corev1.PodList, error) {
				return l.client.CoreV1().Pods(namespace).List(ctx, all)
			})
			if ok {
				found.pods = list.Items
			}
		},
		l.unlessGlancing(func() {
			warnings := metav1.ListOptions{FieldSelector: "type=Warning", Limit: mostListedEvents}
			list, ok := ask(ctx, l, "list events", listTimeout, func(ctx context.Context) (*corev1.EventList, error) {
				return l.client.CoreV1().Events(namespace).List(ctx, warnings)
			})
			if ok {
				found.events = list.Items
			}
		}),
		func() { found.deployments, found.sets = l.listWorkloads(ctx) },
	)
	return found
}

// listWorkloads is one question with two answers: half of the workloads would look as if the others were gone.
func (l *look) listWorkloads(ctx context.Context) ([]appsv1.Deployment, []appsv1.StatefulSet) {
	type workloads struct {
		deployments *appsv1.DeploymentList
		sets        *appsv1.StatefulSetList
	}
	both, ok := ask(ctx, l, diagnosis.AskWorkloads, listTimeout, func(ctx context.Context) (workloads, error) {
		var both workloads
		var noDeployments, noSets error
		together(
			func() {
				both.deployments, noDeployments = l.client.AppsV1().Deployments(l.plan.Namespace).List(ctx, metav1.ListOptions{})
			},
			func() {
				both.sets, noSets = l.client.AppsV1().StatefulSets(l.plan.Namespace).List(ctx, metav1.ListOptions{})
			},
		)
		return both, cmp.Or(noDeployments, noSets)
	})
	if !ok {
		return nil, nil
	}
	return both.deployments.Items, both.sets.Items
}

func (l *look) readHeartbeats(ctx context.Context) (map[string]heartbeat, error) {
	leases, err := l.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	heard := map[string]heartbeat{}
	for _, lease := range leases.Items {
		if lease.Spec.RenewTime != nil && lease.Spec.LeaseDurationSeconds != nil {
			// A kubelet renews four times in the time that its lease holds.
			each := time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second / 4
			heard[lease.Name] = heartbeat{at: lease.Spec.RenewTime.Time, each: each}
		}
	}
	return heard, nil
}

func nodesFrom(found objects, now time.Time) []diagnosis.Node {
	var nodes []diagnosis.Node
	for _, node := range found.nodes {
		seen := diagnosis.Node{Name: node.Name, Zone: node.Labels[corev1.LabelTopologyZone], Unschedulable: node.Spec.Unschedulable,
			Said: "nobody has heard of it", Carries: map[string]int{},
		}
		for _, condition := range node.Status.Conditions {
			switch {
			case condition.Type == corev1.NodeReady:
				seen.Ready, seen.Since = condition.Status == corev1.ConditionTrue, condition.LastTransitionTime.Time
				seen.Said = brief(condition.Message)
			case condition.Status == corev1.ConditionTrue:
				seen.Pressure = append(seen.Pressure, string(condition.Type)) // every other condition is one that should be false
			}
		}
		if seen.Ready {
			seen.Said = ""
		}
		if last, known := found.heard[node.Name]; known {
			seen.Heard = last.at
			seen.Silent = now.Sub(last.at) > 2*last.each
		}
		for i := range found.pods {
			if workload := workloadOf(&found.pods[i]); workload != "" && found.pods[i].Spec.NodeName == node.Name {
				seen.Carries[workload]++
			}
		}
		nodes = append(nodes, seen)
	}
	return nodes
}

// eventsFrom are the recent warnings, the latest first, each kind of each object once.
func eventsFrom(events []corev1.Event, now time.Time) []diagnosis.Event {
	var recent []diagnosis.Event
	for _, event := range events {
		last := lastOf(event)
		if event.Type != corev1.EventTypeWarning || now.Sub(last) > recently {
			continue
		}
		times := max(1, int(event.Count))
		if event.Series != nil {
			times = max(times, int(event.Series.Count))
		}
		object := strings.ToLower(event.InvolvedObject.Kind) + "/" + event.InvolvedObject.Name
		recent = append(recent, diagnosis.Event{Object: object, Reason: event.Reason, Said: brief(event.Message), Count: times, Last: last})
	}
	slices.SortFunc(recent, func(a, b diagnosis.Event) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Object, b.Object), strings.Compare(a.Reason, b.Reason))
	})
	return recent
}

// lastOf is when an event was last seen: the API has three places for that.
func lastOf(event corev1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	default:
		return event.CreationTimestamp.Time
	}
}

// revisionAnnotation is where Kubernetes counts the revisions of a Deployment.
const revisionAnnotation = "deployment.kubernetes.io/revision"

func deploymentFrom(d *appsv1.Deployment) diagnosis.Workload {
	w := diagnosis.Workload{
		Kind: plan.Deployment, Name: d.Name, Desired: int(orOne(d.Spec.Replicas)), Updated: int(d.Status.UpdatedReplicas), Ready: int(d.Status.ReadyReplicas),
		Revision: d.Annotations[revisionAnnotation], Paused: d.Spec.Paused,
	}
	w.Rolling = d.Status.ObservedGeneration < d.Generation || w.Updated < w.Desired || d.Status.Replicas > d.Status.UpdatedReplicas
	for _, condition := range d.Status.Conditions {
		late := condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse
		refused := condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue
		if late || refused {
			w.Stalled = brief(condition.Reason + ": " + condition.Message)
		}
	}
	return w
}

func setFrom(s *appsv1.StatefulSet) diagnosis.Workload {
	w := diagnosis.Workload{
		Kind: plan.StatefulSet, Name: s.Name, Desired: int(orOne(s.Spec.Replicas)), Updated: int(s.Status.UpdatedReplicas), Ready: int(s.Status.ReadyReplicas),
		Revision: s.Status.UpdateRevision,
	}
	w.Rolling = s.Status.ObservedGeneration < s.Generation || s.Status.UpdateRevision != s.Status.CurrentRevision && w.Updated < w.Desired
	return w
}

func orOne(replicas *int32) int32 {
	if replicas == nil {
		return 1 // Kubernetes' default
	}
	return *replicas
}

// workloadOf is the Deployment or StatefulSet that a pod belongs to. A Deployment's name is that of its ReplicaSet without the hash.
func workloadOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	return strings.TrimSuffix(owner.Name, "-"+pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
}

// podsFrom are those that are not well, or were not lately, the worst first.
func (l *look) podsFrom(found objects) []diagnosis.Pod {
	zones, probes := map[string]string{}, map[string]string{}
	for _, node := range l.Nodes {
		zones[node.Name] = node.Zone
	}
	for _, event := range l.Events {
		if name, isPod := strings.CutPrefix(event.Object, "pod/"); isPod && event.Reason == "Unhealthy" && probes[name] == "" {
			probes[name] = event.Said
		}
	}
	var unwell []diagnosis.Pod
	for i := range found.pods {
		pod, isWell := podFrom(&found.pods[i], l.lostNode(found.pods[i].Spec.NodeName), l.At)
		if isWell {
			continue
		}
		pod.Zone = zones[pod.Node]
		if said := probes[pod.Name]; said != "" && pod.Trouble == diagnosis.NotReady && !l.lostNode(pod.Node) {
			pod.Said = brief(said)
		}
		unwell = append(unwell, pod)
	}
	slices.SortStableFunc(unwell, func(a, b diagnosis.Pod) int {
		return cmp.Or(boolean(a.Ready)-boolean(b.Ready), strings.Compare(a.Name, b.Name))
	})
	return unwell
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (l *look) lostNode(name string) bool {
	return slices.ContainsFunc(l.Nodes, func(n diagnosis.Node) bool { return n.Name == name && !n.Ready })
}

// describeExit is how a container ended.
func describeExit(ended *corev1.ContainerStateTerminated) string {
	if ended == nil {
		return ""
	}
	said := fmt.Sprintf("exit %d", ended.ExitCode)
	if ended.Signal != 0 {
		said = fmt.Sprintf("signal %d", ended.Signal)
	}
	if ended.Reason != "" && ended.Reason != "Error" {
		said = ended.Reason + ", " + said
	}
	return strings.TrimSpace(said + " " + ended.Message)
}
