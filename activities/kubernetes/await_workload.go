package kubernetes

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// AwaitWorkloadParams names a workload that is expected to become whole.
type AwaitWorkloadParams struct {
	Workload WorkloadRef   `json:"workload"`
	Patience time.Duration `json:"patience"`
}

// AwaitWorkloadResult says how it is in the end.
type AwaitWorkloadResult struct {
	Workload Workload `json:"workload"`
	// Hopeless is why it was not waited for any longer: no pod of the current revision can start. Empty while there is hope.
	Hopeless string `json:"hopeless,omitempty"`
}

// hopelessAfter is how long every pod of the current revision must have been in trouble before nothing is expected of them any more:
// a pod that waits for another's start may crash once or twice.
const hopelessAfter = 3 * time.Second

// AwaitWorkload waits until every wanted pod of a workload is of its current revision and available, and not longer than there is hope. It
// watches, and changes nothing. That it takes longer than its patience is a result. Errors: NotFound, Forbidden, Unreachable.
func (a *Activities) AwaitWorkload(ctx context.Context, params AwaitWorkloadParams) (AwaitWorkloadResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return AwaitWorkloadResult{}, err
	}
	deadline := time.After(params.Patience)
	var troubled time.Time // since when no pod of the current revision has hope
	for {
		seen, changed, stop, err := lookAndWatch(ctx, client, params.Workload)
		if err != nil {
			return AwaitWorkloadResult{}, err
		}
		why := seen.hopeless()
		switch {
		case seen.Whole:
			stop()
			return AwaitWorkloadResult{Workload: seen}, nil
		case why == "":
			troubled = time.Time{}
		case troubled.IsZero():
			troubled = time.Now()
		case time.Since(troubled) >= hopelessAfter:
			stop()
			return AwaitWorkloadResult{Workload: seen, Hopeless: why}, nil
		}
		again := time.NewTimer(time.Second) // so that what is hopeless without another event is noticed too
		select {
		case <-changed:
		case <-again.C:
		case <-deadline:
			stop()
			return AwaitWorkloadResult{Workload: seen}, nil
		case <-ctx.Done():
			stop()
			return AwaitWorkloadResult{}, ctx.Err()
		}
		again.Stop()
		stop()
	}
}

// lookAndWatch reads a workload, after it has begun to watch everything that may change what it read.
func lookAndWatch(ctx context.Context, client kubernetes.Interface, ref WorkloadRef) (Workload, <-chan watch.Event, func(), error) {
	found, err := get(ctx, client, ref)
	if err != nil {
		return Workload{}, nil, nil, err
	}
	changes, err := watchOne(ctx, client, found)
	if err != nil {
		return Workload{}, nil, nil, Failure("watch "+ref.String(), err)
	}
	seen, _, err := look(ctx, client, ref)
	if err != nil {
		changes.Stop()
		return Workload{}, nil, nil, err
	}
	return seen, changes.ResultChan(), changes.Stop, nil
}

// watchOne watches a workload from the version that was read on: its controller writes its status with every pod that changes.
func watchOne(ctx context.Context, client kubernetes.Interface, o object) (watch.Interface, error) {
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + o.ref.Name, ResourceVersion: o.meta().ResourceVersion}
	if o.set != nil {
		return client.AppsV1().StatefulSets(o.ref.Namespace).Watch(ctx, options)
	}
	return client.AppsV1().Deployments(o.ref.Namespace).Watch(ctx, options)
}

// hopeless is why no pod of the current revision can start; empty: one may.
func (w Workload) hopeless() string {
	why, current := "", 0
	for _, pod := range w.Pods {
		if !pod.Current {
			continue
		}
		current++
		if pod.Trouble == "" {
			return ""
		}
		why = fmt.Sprintf("%s: %s", pod.Name, pod.Trouble)
	}
	if current == 0 {
		return w.Stalled
	}
	return why
}
