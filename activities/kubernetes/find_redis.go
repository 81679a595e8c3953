package kubernetes

import (
	"context"
	"slices"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FindRedisParams names the Redis.
type FindRedisParams struct {
	Namespace string     `json:"namespace"`
	Redis     plan.Redis `json:"redis"`
}

// FindRedisResult is its pods, by name.
type FindRedisResult struct {
	Pods []RedisPod `json:"pods"`
}

// RedisPod is one instance of a Redis.
type RedisPod struct {
	Pod         string `json:"pod"`
	UID         string `json:"uid"`
	StatefulSet string `json:"statefulSet"`
	Node        string `json:"node,omitempty"`
	IP          string `json:"ip,omitempty"` // empty until it has one
	Ready       bool   `json:"ready"`
	Deleting    bool   `json:"deleting,omitempty"`
}

// FindRedis lists the pods of a Redis's StatefulSets. It changes nothing. That there are none is a result. Errors: Forbidden, Unreachable.
func (a *Activities) FindRedis(ctx context.Context, params FindRedisParams) (FindRedisResult, error) {
	client, err := a.client(params.Redis.Region)
	if err != nil {
		return FindRedisResult{}, err
	}
	pods, err := client.CoreV1().Pods(params.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return FindRedisResult{}, Failure("list pods in "+params.Namespace, err)
	}
	sets := append([]string{params.Redis.Master}, params.Redis.Replicas...)
	var result FindRedisResult
	for i := range pods.Items {
		if pod := &pods.Items[i]; ownedByOneOf(pod, sets) {
			result.Pods = append(result.Pods, redisPodFrom(pod))
		}
	}
	slices.SortFunc(result.Pods, func(a, b RedisPod) int { return strings.Compare(a.Pod, b.Pod) })
	return result, nil
}

func ownedByOneOf(pod *corev1.Pod, sets []string) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "StatefulSet" && slices.Contains(sets, owner.Name)
}

func redisPodFrom(pod *corev1.Pod) RedisPod {
	return RedisPod{
		Pod: pod.Name, UID: string(pod.UID), StatefulSet: metav1.GetControllerOf(pod).Name, Node: pod.Spec.NodeName, IP: pod.Status.PodIP,
		Ready: podReady(pod), Deleting: pod.DeletionTimestamp != nil,
	}
}
