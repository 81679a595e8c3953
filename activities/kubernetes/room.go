package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresources "k8s.io/component-helpers/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// Room is what pods ask of a node, or what a node has left.
type Room struct {
	MilliCPU int64 `json:"milliCpu"` // thousandths of a core
	Memory   int64 `json:"memory"`   // bytes
	Pods     int64 `json:"pods"`
}

func (r Room) plus(o Room) Room {
	return Room{MilliCPU: r.MilliCPU + o.MilliCPU, Memory: r.Memory + o.Memory, Pods: r.Pods + o.Pods}
}

func (r Room) minus(o Room) Room {
	return Room{MilliCPU: r.MilliCPU - o.MilliCPU, Memory: r.Memory - o.Memory, Pods: r.Pods - o.Pods}
}

// holds says whether there is as much.
func (r Room) holds(o Room) bool {
	return r.MilliCPU >= o.MilliCPU && r.Memory >= o.Memory && r.Pods >= o.Pods
}

// String is the room as people write it.
func (r Room) String() string {
	return fmt.Sprintf("%s cores, %s memory, %d pods", resource.NewMilliQuantity(r.MilliCPU, resource.DecimalSI), resource.NewQuantity(r.Memory, resource.BinarySI), r.Pods)
}

// asks is what a pod asks of its node, by Kubernetes' own addition.
func asks(pod *corev1.Pod) Room {
	requests := podresources.PodRequests(pod, podresources.PodResourcesOptions{})
	return Room{MilliCPU: requests.Cpu().MilliValue(), Memory: requests.Memory().Value(), Pods: 1}
}

// free is what each node has left.
func (s *survey) free() map[string]Room {
	free := map[string]Room{}
	for i := range s.nodes {
		allocatable := s.nodes[i].Status.Allocatable
		free[s.nodes[i].Name] = Room{MilliCPU: allocatable.Cpu().MilliValue(), Memory: allocatable.Memory().Value(), Pods: allocatable.Pods().Value()}
	}
	for i := range s.pods {
		pod := &s.pods[i]
		if left, bound := free[pod.Spec.NodeName]; bound && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			free[pod.Spec.NodeName] = left.minus(asks(pod))
		}
	}
	return free
}

// fit puts pods on nodes, the largest first, and returns those that found no place and what they ask for together. It is a forecast: it
// knows requests, node selectors and affinities, and taints; the scheduler knows more and has the last word.
func fit(pods []*corev1.Pod, nodes []*corev1.Node, free map[string]Room) (without []NoRoom, short Room) {
	left := map[string]Room{}
	for name, room := range free {
		left[name] = room
	}
	pods = slices.Clone(pods)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		left, right := asks(a), asks(b)
		if left.Memory != right.Memory {
			return int(min(1, max(-1, right.Memory-left.Memory)))
		}
		return int(min(1, max(-1, right.MilliCPU-left.MilliCPU)))
	})
	for _, pod := range pods {
		asked, why := asks(pod), "no other node may run it"
		placed := false
		for _, node := range nodes {
			if !mayRun(pod, node) {
				continue
			}
			if why = "asks for " + asked.String() + ", which no other node has left"; left[node.Name].holds(asked) {
				left[node.Name], placed = left[node.Name].minus(asked), true
				break
			}
		}
		if !placed {
			without, short = append(without, NoRoom{Namespace: pod.Namespace, Pod: pod.Name, Why: why}), short.plus(asked)
		}
	}
	return without, short
}

// mayRun says whether a node takes a pod, apart from the room.
func mayRun(pod *corev1.Pod, node *corev1.Node) bool {
	if !nodeReady(node) || node.Spec.Unschedulable {
		return false
	}
	for i := range node.Spec.Taints {
		if taint := &node.Spec.Taints[i]; taint.Effect != corev1.TaintEffectPreferNoSchedule && !tolerates(pod, taint) {
			return false
		}
	}
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
	return err == nil && matches
}

// tolerates leaves out the comparing operators, which are young: a pod that uses them counts as one that does not tolerate.
func tolerates(pod *corev1.Pod, taint *corev1.Taint) bool {
	return slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			return false
		}
		return t.Operator == corev1.TolerationOpExists || strings.TrimPrefix(string(t.Operator), "Equal") == "" && t.Key != "" && t.Value == taint.Value
	})
}

func budgetFrom(budget *policyv1.PodDisruptionBudget) Budget {
	status := budget.Status
	return Budget{Name: budget.Namespace + "/" + budget.Name, Allowed: status.DisruptionsAllowed, Healthy: status.CurrentHealthy, Desired: status.DesiredHealthy}
}
