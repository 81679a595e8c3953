package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HoldDownParams names the pod and its StatefulSet as it was found.
type HoldDownParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Pod       string `json:"pod"`
	Before    Set    `json:"before"`
}

// HoldDownResult says how the pod is held.
type HoldDownResult struct {
	Already bool   `json:"already"`
	How     string `json:"how"`
}

// span is the range of ordinals of a StatefulSet.
type span struct{ start, replicas int32 }

func (s Set) span() span { return span{start: s.Start, replicas: s.Replicas} }

// without is the range that leaves one ordinal out, or why there is no such range.
func (s span) without(ordinal int32) (after span, whyNot string) {
	switch last := s.start + s.replicas - 1; {
	case ordinal < s.start || ordinal > last:
		return s, ""
	case s.replicas == 1:
		return span{start: s.start, replicas: 0}, ""
	case ordinal == last:
		return span{start: s.start, replicas: s.replicas - 1}, ""
	case ordinal == s.start:
		return span{start: s.start + 1, replicas: s.replicas - 1}, ""
	default:
		return s, fmt.Sprintf("ordinal %d lies between %d and %d, and a StatefulSet cannot leave it out", ordinal, s.start, last)
	}
}

// Wants says whether a StatefulSet of the estate would bring a pod back.
func (e Estate) Wants(pod string) bool {
	for _, set := range e.Sets {
		ordinal := ordinalOf(pod)
		if pod == fmt.Sprintf("%s-%d", set.Name, ordinal) && ordinal >= set.Start && ordinal < set.Start+set.Replicas {
			return true
		}
	}
	return false
}

// Wanted is how many pods the StatefulSets of the estate want together.
func (e Estate) Wanted() int {
	wanted := 0
	for _, set := range e.Sets {
		wanted += int(set.Replicas)
	}
	return wanted
}

// HoldDownPlan says how HoldDown would keep a pod from coming back. The error says why it cannot.
func HoldDownPlan(set Set, ordinal int32) (string, error) {
	if set.Name == "" {
		return "no StatefulSet would bring the pod back", nil
	}
	after, whyNot := set.span().without(ordinal)
	if whyNot != "" {
		return "", fmt.Errorf("StatefulSet %s: %s", set.Name, whyNot)
	}
	return fmt.Sprintf("StatefulSet %s: %s, was %s", set.Name, after, set.span()), nil
}

// With is the set as it was before HoldDown took an ordinal out of its range. The error says why it cannot have been there: ranges have
// no gaps.
func (s Set) With(ordinal int32) (Set, error) {
	before := s
	switch {
	case s.Replicas == 0:
		before.Start, before.Replicas = ordinal, 1
	case ordinal == s.Start+s.Replicas:
		before.Replicas++
	case ordinal == s.Start-1:
		before.Start, before.Replicas = ordinal, s.Replicas+1
	default:
		return s, fmt.Errorf("StatefulSet %s has %s: ordinal %d is not beside them", s.Name, s.span(), ordinal)
	}
	if held, _ := before.span().without(ordinal); held != s.span() {
		return s, fmt.Errorf("StatefulSet %s has %s and would not have them without ordinal %d", s.Name, s.span(), ordinal)
	}
	return before, nil
}

// SetOf is the name of the StatefulSet that gives a pod its name, and the pod's ordinal in it.
func SetOf(pod string) (set string, ordinal int32) {
	ordinal = ordinalOf(pod)
	return strings.TrimSuffix(pod, fmt.Sprintf("-%d", ordinal)), ordinal
}

// String is the range in words.
func (s span) String() string {
	if s.start == 0 {
		return fmt.Sprintf("%d replicas", s.replicas)
	}
	return fmt.Sprintf("%d replicas from ordinal %d on", s.replicas, s.start)
}

// HoldDown takes a pod out of its StatefulSet's range, so that the controller does not bring it back. The other pods of the set
// stay. Called twice it changes nothing. A pod in the middle of its set stays in it, and the result says so: only its start gate
// holds it. Error: Conflict, for good, when the set is neither as it was found nor as this leaves it.
func (a *Activities) HoldDown(ctx context.Context, params HoldDownParams) (HoldDownResult, error) {
	after, whyNot := params.Before.span().without(ordinalOf(params.Pod))
	if whyNot != "" {
		return HoldDownResult{How: fmt.Sprintf("only the start gate keeps %s down: %s", params.Pod, whyNot)}, nil
	}
	how := fmt.Sprintf("StatefulSet %s has %s", params.Before.Name, after)
	already, err := a.moveSpan(ctx, params.Namespace, params.Region, params.Before, params.Before.span(), after)
	return HoldDownResult{Already: already, How: how}, err
}

// LetUpParams names the StatefulSet as it was found before HoldDown, and the pod that was held down.
type LetUpParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Pod       string `json:"pod"`
	Before    Set    `json:"before"`
}

// LetUpResult says whether there was anything to do.
type LetUpResult struct {
	Already bool `json:"already"`
}

// LetUp undoes HoldDown: the StatefulSet is as it was found. Called twice, or without HoldDown before, it changes nothing.
// Error: Conflict, for good, when somebody else has changed the set since.
func (a *Activities) LetUp(ctx context.Context, params LetUpParams) (LetUpResult, error) {
	held, whyNot := params.Before.span().without(ordinalOf(params.Pod))
	if whyNot != "" {
		return LetUpResult{Already: true}, nil // HoldDown left it alone
	}
	already, err := a.moveSpan(ctx, params.Namespace, params.Region, params.Before, held, params.Before.span())
	return LetUpResult{Already: already}, err
}

// AddReplicaParams names a StatefulSet as it was found, and how many replicas it should have.
type AddReplicaParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Set       Set    `json:"set"`
	Replicas  int32  `json:"replicas"`
}

// AddReplicaResult says whether there was anything to do.
type AddReplicaResult struct {
	Already bool `json:"already"`
}

// AddReplica scales a StatefulSet out. Called twice it changes nothing. Error: Conflict, for good, when somebody else has
// changed the set since it was read.
func (a *Activities) AddReplica(ctx context.Context, params AddReplicaParams) (AddReplicaResult, error) {
	wanted := span{start: params.Set.Start, replicas: params.Replicas}
	already, err := a.moveSpan(ctx, params.Namespace, params.Region, params.Set, params.Set.span(), wanted)
	return AddReplicaResult{Already: already}, err
}

// moveSpan changes the range of a StatefulSet from one value to another, and only from that one.
func (a *Activities) moveSpan(ctx context.Context, namespace, region string, known Set, from, to span) (already bool, err error) {
	client, err := a.client(region)
	if err != nil {
		return false, err
	}
	doing := fmt.Sprintf("scale StatefulSet %s/%s to %s", namespace, known.Name, to)
	set, err := client.AppsV1().StatefulSets(namespace).Get(ctx, known.Name, metav1.GetOptions{})
	if err != nil {
		return false, Failure(doing, err)
	}
	stands := span{start: startOf(set), replicas: replicasOf(set)}
	switch {
	case string(set.UID) != known.UID:
		return false, failure.Permanent(failure.Conflict, "%s: it was deleted and made again", doing)
	case stands == to:
		return true, nil
	case stands != from:
		return false, failure.Permanent(failure.Conflict, "%s: it has %s now and had %s before; somebody else changed it", doing, stands, from)
	}
	set.Spec.Replicas = &to.replicas
	if to.start != startOf(set) {
		set.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: to.start}
	}
	if _, err := client.AppsV1().StatefulSets(namespace).Update(ctx, set, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return false, Failure(doing, err)
	}
	return false, nil
}
