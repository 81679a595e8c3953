package kubernetes

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// survey is everything that decides about the evacuation of nodes, read at about the same time.
type survey struct {
	nodes   []corev1.Node
	pods    []corev1.Pod
	budgets []policyv1.PodDisruptionBudget
	claims  map[string]string // namespace/claim → its volume
	volumes map[string]*corev1.PersistentVolume
	heard   map[string]heartbeat // where somebody asked for it
}

// readSurvey reads all lists at the same time.
func readSurvey(ctx context.Context, client kubernetes.Interface) (*survey, error) {
	s := &survey{claims: map[string]string{}, volumes: map[string]*corev1.PersistentVolume{}}
	var claims *corev1.PersistentVolumeClaimList
	var volumes *corev1.PersistentVolumeList
	group, ctx := errgroup.WithContext(ctx)
	options := metav1.ListOptions{}
	group.Go(func() error {
		list, err := client.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return Failure("list the nodes", err)
		}
		s.nodes = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return Failure("list the pods of all namespaces", err)
		}
		s.pods = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return Failure("list the PodDisruptionBudgets of all namespaces", err)
		}
		s.budgets = list.Items
		return nil
	})
	group.Go(func() (err error) {
		if claims, err = client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).List(ctx, options); err != nil {
			return Failure("list the PersistentVolumeClaims of all namespaces", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if volumes, err = client.CoreV1().PersistentVolumes().List(ctx, options); err != nil {
			return Failure("list the PersistentVolumes", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, claim := range claims.Items {
		s.claims[claim.Namespace+"/"+claim.Name] = claim.Spec.VolumeName
	}
	for i := range volumes.Items {
		s.volumes[volumes.Items[i].Name] = &volumes.Items[i]
	}
	return s, nil
}

// except are the nodes without some.
func (s *survey) except(names map[string]bool) []*corev1.Node {
	var others []*corev1.Node
	for i := range s.nodes {
		if !names[s.nodes[i].Name] {
			others = append(others, &s.nodes[i])
		}
	}
	return others
}

// staysWithNode says that a pod is part of its node, or already over: an evacuation has nothing to do with it.
func staysWithNode(pod *corev1.Pod) bool { return partOfNode(pod) || isOver(pod) }

// partOfNode says that a pod would come back on its node at once.
func partOfNode(pod *corev1.Pod) bool {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	owner := metav1.GetControllerOf(pod)
	return mirror || owner != nil && owner.Kind == "DaemonSet"
}

// isOver says that the containers of a pod have ended for good. Its volumes may still be in use.
func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// cannotMove says why a pod would not run on any of the other nodes; empty: it would, where there is room.
func (s *survey) cannotMove(pod *corev1.Pod, others []*corev1.Node) string {
	if metav1.GetControllerOf(pod) == nil {
		return "nothing would bring it back: it has no controller"
	}
	affinity := nodeaffinity.GetRequiredNodeAffinity(pod)
	if !slices.ContainsFunc(others, func(node *corev1.Node) bool {
		matches, err := affinity.Match(node)
		return err == nil && matches
	}) {
		return "its node selector or affinity matches no other node"
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim := volume.PersistentVolumeClaim.ClaimName
		if stored := s.volumes[s.claims[pod.Namespace+"/"+claim]]; stored != nil && !reachable(stored, others) {
			return fmt.Sprintf("its volume %s (claim %s) is on no other node", stored.Name, claim)
		}
	}
	return ""
}

// reachable says whether one of the nodes could use a volume.
func reachable(volume *corev1.PersistentVolume, nodes []*corev1.Node) bool {
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return true
	}
	selector := nodeaffinity.NewLazyErrorNodeSelector(volume.Spec.NodeAffinity.Required)
	for _, node := range nodes {
		if matches, err := selector.Match(node); err == nil && matches {
			return true
		}
	}
	return false
}

// budgetsOf are the budgets that cover a pod.
func (s *survey) budgetsOf(pod *corev1.Pod) []*policyv1.PodDisruptionBudget {
	var covering []*policyv1.PodDisruptionBudget
	for i := range s.budgets {
		budget := &s.budgets[i]
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && budget.Namespace == pod.Namespace && selector.Matches(labels.Set(pod.Labels)) {
			covering = append(covering, budget)
		}
	}
	return covering
}

// whyNotReady is the first thing that keeps a pod from its work.
func whyNotReady(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting != nil {
			return status.State.Waiting.Reason
		}
	}
	return "not Ready yet"
}
