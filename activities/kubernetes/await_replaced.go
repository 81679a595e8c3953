package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replacedInterval is the pause between two looks at pods that start elsewhere.
const replacedInterval = 250 * time.Millisecond

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
	deadline := time.Now().Add(params.Patience)
	ticker := time.NewTicker(replacedInterval)
	defer ticker.Stop()
	for {
		s, err := readSurvey(ctx, client)
		if err != nil {
			return AwaitReplacedResult{}, err
		}
		pending := s.pending(params)
		if len(pending) == 0 || time.Now().After(deadline) {
			return AwaitReplacedResult{Done: len(pending) == 0, Pending: pending}, nil
		}
		select {
		case <-ctx.Done():
			return AwaitReplacedResult{}, ctx.Err()
		case <-ticker.C:
		}
	}
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
