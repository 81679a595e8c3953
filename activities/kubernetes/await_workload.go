package kubernetes

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

const (
	// hopelessFor is how long nothing but hopeless pods are looked at before they are believed: a container that has crashed once, or
	// an image that was asked for at a bad moment, may still come up.
	hopelessFor = 3 * time.Second
	// watchTimeout is how long one watch lasts: less than a request may, so that it ends in order.
	watchTimeout = apiTimeout - time.Second
	// rewatchPause is the pause before watches that ended at once are opened again, while an API server restarts.
	rewatchPause = 200 * time.Millisecond
)

// AwaitWorkloadParams names a workload whose pods are being replaced.
type AwaitWorkloadParams struct {
	WorkloadName
	// Gone are UIDs of pods that must be gone too, besides those that a roll-out replaces.
	Gone     []string      `json:"gone,omitempty"`
	Patience time.Duration `json:"patience"`
}

// AwaitWorkloadResult says whether every pod is of the wanted revision and available.
type AwaitWorkloadResult struct {
	Done bool   `json:"done"`
	Seen string `json:"seen"` // how far it is
	// Hopeless is why it was not waited for any longer, though there was patience left.
	Hopeless string   `json:"hopeless,omitempty"`
	Workload Workload `json:"workload"` // as it was seen last
}

// AwaitWorkload watches a workload until every pod is of the wanted revision and available. It changes nothing. That its patience
// ends before is a result, and so is that waiting became hopeless. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) AwaitWorkload(ctx context.Context, params AwaitWorkloadParams) (AwaitWorkloadResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return AwaitWorkloadResult{}, err
	}
	patience := time.NewTimer(params.Patience)
	defer patience.Stop()
	doing := "watch " + params.String()
	waiting := hopelessness{}
	var result AwaitWorkloadResult
	for {
		events, stop, err := watchWorkload(ctx, client, params.WorkloadName)
		if err != nil {
			return result, err
		}
		// What has happened before the watches began is read here, and what happens after it comes as an event.
		for open := true; open; {
			found, err := readWorkload(ctx, client, doing, params.WorkloadName)
			if err != nil {
				stop()
				return result, err
			}
			result = AwaitWorkloadResult{Done: found.Out() && !found.has(params.Gone), Seen: found.Counts(), Workload: found}
			result.Hopeless = waiting.judge(found, time.Now())
			if result.Done || result.Hopeless != "" {
				stop()
				return result, nil
			}
			select {
			case <-ctx.Done():
				stop()
				return result, ctx.Err()
			case <-patience.C:
				stop()
				return result, nil
			case <-waiting.over(time.Now()):
			case open = <-events:
			}
		}
		stop()
	}
}

// has says whether one of the pods is still there.
func (w Workload) has(uids []string) bool {
	return slices.ContainsFunc(w.Members, func(m Member) bool { return slices.Contains(uids, m.UID) })
}

// hopelessness is since when nothing was seen but hopeless pods.
type hopelessness struct{ since time.Time }

// judge returns why waiting is hopeless, as soon as that has been so for long enough.
func (h *hopelessness) judge(found Workload, now time.Time) string {
	why := found.Hopeless()
	switch {
	case why == "":
		h.since = time.Time{}
	case h.since.IsZero():
		h.since = now
	case now.Sub(h.since) >= hopelessFor:
		return why
	}
	return ""
}

// over fires when a judgement becomes due; never, while there is none.
func (h *hopelessness) over(now time.Time) <-chan time.Time {
	if h.since.IsZero() {
		return nil
	}
	return time.After(h.since.Add(hopelessFor).Sub(now))
}

// watchWorkload reports changes of a workload and of its pods on a channel, false when the watches have to be opened again. Changes that
// come close together are one.
func watchWorkload(ctx context.Context, client kubernetes.Interface, name WorkloadName) (<-chan bool, func(), error) {
	object, err := getWorkload(ctx, client, "watch "+name.String(), name)
	if err != nil {
		return nil, nil, err
	}
	seconds := int64(watchTimeout / time.Second)
	one := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name.Name).String(), TimeoutSeconds: &seconds, ResourceVersion: object.meta().ResourceVersion}
	var owner watch.Interface
	if name.Kind == plan.Deployment {
		owner, err = client.AppsV1().Deployments(name.Namespace).Watch(ctx, one)
	} else {
		owner, err = client.AppsV1().StatefulSets(name.Namespace).Watch(ctx, one)
	}
	if err != nil {
		return nil, nil, Failure("watch "+name.String(), err)
	}
	members, err := client.CoreV1().Pods(name.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(object.selector()), TimeoutSeconds: &seconds})
	if err != nil {
		owner.Stop()
		return nil, nil, Failure("watch the pods of "+name.String(), err)
	}
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan bool, 1)
	go forward(ctx, owner, members, events)
	return events, func() { cancel(); owner.Stop(); members.Stop() }, nil
}

// forward turns two watches into one signal, which is never waited for: one that nobody has taken yet says it all.
func forward(ctx context.Context, owner, members watch.Interface, events chan bool) {
	defer close(events)
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
		case events <- true:
		default:
		}
	}
}
