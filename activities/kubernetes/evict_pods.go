package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// lookAgain bounds the wait for a watch: a budget counts anew a moment after a pod has changed, and a watch may break unnoticed.
const lookAgain = time.Second

// EvictPodsParams names the node to be emptied.
type EvictPodsParams struct {
	Region   string        `json:"region"`
	Node     string        `json:"node"`
	Nodes    []string      `json:"nodes"` // all that are evacuated: where pods must not go
	Patience time.Duration `json:"patience"`
}

// EvictPodsResult is how far the node was emptied.
type EvictPodsResult struct {
	Done    bool      `json:"done"` // nothing is left that can run elsewhere
	Evicted int       `json:"evicted"`
	Ending  []string  `json:"ending,omitempty"`  // pods that were evicted and are not gone yet
	Blocked []Blocked `json:"blocked,omitempty"` // pods that may not be evicted now
	Staying []ZonePod `json:"staying,omitempty"`
}

// Blocked is a pod that a budget protects.
type Blocked struct {
	Pod string `json:"pod"` // namespace/name
	Why string `json:"why"` // the budget, and what it allows
}

// Seen is the result in a sentence.
func (r EvictPodsResult) Seen(node string) string {
	var waits []string
	for _, blocked := range r.Blocked {
		waits = append(waits, fmt.Sprintf("%s may not be evicted: %s", blocked.Pod, blocked.Why))
	}
	if len(r.Ending) > 0 {
		waits = append(waits, "still ending: "+strings.Join(r.Ending, ", "))
	}
	if len(waits) == 0 {
		return fmt.Sprintf("node %s is empty but for %d pods that cannot move", node, len(r.Staying))
	}
	return fmt.Sprintf("node %s: %s", node, strings.Join(waits, "; "))
}

// EvictPods has the pods of a living node moved elsewhere, by the Eviction API, which obeys every PodDisruptionBudget: what a budget
// protects waits until its replacement is Ready. Pods of DaemonSets and of the kubelet itself, and pods that no other node could run,
// are left. Called twice it goes on where it was. That its patience ends is a result. Errors: Forbidden, Unreachable.
//
// It does not use kubectl's drain, which pauses for five seconds when a budget blocks, and does not say which.
func (a *Activities) EvictPods(ctx context.Context, params EvictPodsParams) (EvictPodsResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return EvictPodsResult{}, err
	}
	patience, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	evicted := map[types.UID]bool{}
	for {
		s, err := readSurvey(ctx, client)
		if err != nil {
			return EvictPodsResult{}, err
		}
		changed, stop := watchPods(patience, client, metav1.ListOptions{FieldSelector: "spec.nodeName=" + params.Node}, anyPod)
		result, err := s.evict(ctx, client, params, evicted)
		if err == nil && !result.Done {
			awaitChange(patience, changed)
		}
		stop()
		if err != nil || result.Done {
			return result, err
		}
		if patience.Err() != nil {
			return result, ctx.Err()
		}
	}
}

// evict asks once for every pod that can move. The API server does the counting of budgets.
func (s *survey) evict(ctx context.Context, client kubernetes.Interface, params EvictPodsParams, evicted map[types.UID]bool) (EvictPodsResult, error) {
	var result EvictPodsResult
	inside := map[string]bool{params.Node: true}
	for _, node := range params.Nodes {
		inside[node] = true
	}
	others := s.except(inside)
	for i := range s.pods {
		pod := &s.pods[i]
		finished := isOver(pod) && pod.DeletionTimestamp == nil // one that was evicted is gone only when its node has let go of its volumes
		if pod.Spec.NodeName != params.Node || partOfNode(pod) || finished {
			continue
		}
		name := pod.Namespace + "/" + pod.Name
		if why := s.cannotMove(pod, others); why != "" {
			shown := s.podFrom(pod)
			shown.Why = why
			result.Staying = append(result.Staying, shown)
			continue
		}
		if pod.DeletionTimestamp != nil || evicted[pod.UID] {
			result.Ending = append(result.Ending, name)
			continue
		}
		switch err := evictOne(ctx, client, pod); {
		case apierrors.IsTooManyRequests(err):
			result.Blocked = append(result.Blocked, Blocked{Pod: name, Why: s.whoBlocks(pod, err)})
		case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it is gone, or another pod has its name
		case err != nil:
			return result, Failure("evict "+describePod(pod.Namespace, pod.Name), err)
		default:
			evicted[pod.UID] = true
			result.Ending = append(result.Ending, name)
		}
	}
	result.Evicted = len(evicted)
	result.Done = len(result.Ending) == 0 && len(result.Blocked) == 0
	return result, nil
}

func evictOne(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	return client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
}

// whoBlocks names the budgets that protect a pod now.
func (s *survey) whoBlocks(pod *corev1.Pod, err error) string {
	var said []string
	for _, budget := range s.budgetsOf(pod) {
		said = append(said, budgetFrom(budget).String())
	}
	if len(said) == 0 {
		return err.Error()
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// awaitChange returns when a watch tells of something, and after a moment also when it does not.
func awaitChange(ctx context.Context, changed <-chan struct{}) {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	select {
	case <-changed:
	case <-again.C:
	case <-ctx.Done():
	}
}

func anyPod(*corev1.Pod) bool { return true }

// watchPods tells of the first change of a pod that matters. A watch that cannot be had is none: the caller looks again by itself.
func watchPods(ctx context.Context, client kubernetes.Interface, which metav1.ListOptions, matters func(*corev1.Pod) bool) (changed <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan struct{}, 1)
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).Watch(ctx, which)
	if err == nil {
		go tellFirst(ctx, pods, matters, told)
	}
	return told, cancel
}

// tellFirst passes on that something was deleted or changed; what is only there already is no news.
func tellFirst(ctx context.Context, watching watch.Interface, matters func(*corev1.Pod) bool, told chan<- struct{}) {
	defer watching.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-watching.ResultChan():
			if !open {
				return
			}
			if pod, isPod := event.Object.(*corev1.Pod); isPod && event.Type != watch.Added && matters(pod) {
				select {
				case told <- struct{}{}:
				default:
				}
				return
			}
		}
	}
}
