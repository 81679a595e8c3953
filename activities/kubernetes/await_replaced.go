package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AwaitReplacedParams are the controllers whose pods have to be Ready outside of some nodes.
type AwaitReplacedParams struct {
	Region   string        `json:"region"`
	Nodes    []string      `json:"nodes"` // that are evacuated
	Owners   []Owner       `json:"owners"`
	Patience time.Duration `json:"patience"`
}

// AwaitReplacedResult says what is still to come.
type AwaitReplacedResult struct {
	Done    bool     `json:"done"`
	Pending []string `json:"pending,omitempty"` // controllers with too few Ready pods, and budgets that are not met; sentences
}

// AwaitReplaced waits until every controller has as many Ready pods outside of the nodes as it should, and every budget that covers them is
// met. A controller that has no pod at all any more was replaced by another. It changes nothing. That its patience ends is a result.
// Errors: Forbidden, Unreachable.
func (a *Activities) AwaitReplaced(ctx context.Context, params AwaitReplacedParams) (AwaitReplacedResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return AwaitReplacedResult{}, err
	}
	patience, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	for {
		changed, stop := watchPods(patience, client, metav1.ListOptions{}, params.owns)
		s, err := readSurvey(ctx, client)
		if err != nil {
			stop()
			return AwaitReplacedResult{}, err
		}
		result := AwaitReplacedResult{Pending: s.pending(params)}
		if result.Done = len(result.Pending) == 0; !result.Done {
			awaitChange(patience, changed)
		}
		stop()
		if result.Done || patience.Err() != nil {
			return result, ctx.Err()
		}
	}
}

// owns says whether a pod is one of those that are waited for.
func (p AwaitReplacedParams) owns(pod *corev1.Pod) bool {
	controller := metav1.GetControllerOf(pod)
	return controller != nil && slices.ContainsFunc(p.Owners, func(o Owner) bool { return o.UID == string(controller.UID) })
}

// pending is what has not come to be yet.
func (s *survey) pending(params AwaitReplacedParams) []string {
	var pending []string
	for _, owner := range params.Owners {
		ready, all, waits := 0, 0, ""
		for i := range s.pods {
			pod := &s.pods[i]
			controller := metav1.GetControllerOf(pod)
			if controller == nil || string(controller.UID) != owner.UID {
				continue
			}
			all++
			for _, budget := range s.budgetsOf(pod) {
				said := budgetFrom(budget)
				if said.Healthy < said.Desired && !slices.Contains(pending, said.String()) {
					pending = append(pending, said.String())
				}
			}
			switch {
			case slices.Contains(params.Nodes, pod.Spec.NodeName):
			case pod.DeletionTimestamp == nil && podReady(pod):
				ready++
			default:
				waits = fmt.Sprintf("; %s: %s", pod.Name, whyNotReady(pod))
			}
		}
		if all > 0 && ready < owner.Elsewhere {
			pending = append(pending, fmt.Sprintf("%s %s/%s: %d of %d pods are Ready elsewhere%s", owner.Kind, owner.Namespace, owner.Name, ready, owner.Elsewhere, waits))
		}
	}
	return pending
}
