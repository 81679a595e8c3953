package kubernetes

import (
	"context"
	"slices"
	"time"
)

// hopelessFor is how long nothing but hopeless pods are looked at before they are believed: a container that has crashed once, or an
// image that was asked for at a bad moment, may still come up.
const hopelessFor = 3 * time.Second

// AwaitWorkloadParams names a workload whose pods are being replaced.
type AwaitWorkloadParams struct {
	WorkloadName
	// Gone are UIDs of pods that must be gone too, besides those that a roll-out replaces.
	Gone     []string      `json:"gone,omitempty"`
	Patience time.Duration `json:"patience"`
	Ask      *PodQuestions `json:"ask,omitempty"` // what its pods are asked as soon as all are available
}

// AwaitWorkloadResult says whether every pod is of the wanted revision and available.
type AwaitWorkloadResult struct {
	Done bool   `json:"done"`
	Seen string `json:"seen"` // how far it is
	// Hopeless is why it was not waited for any longer, though there was patience left.
	Hopeless string   `json:"hopeless,omitempty"`
	Workload Workload `json:"workload"` // as it was seen last
}

// AwaitWorkload watches a workload until every pod is of the wanted revision and available, and then asks its pods for their health, where
// the params say so. It changes nothing. That its patience ends before is a result, and so is that waiting became hopeless. Errors:
// NotFound, Forbidden, Unreachable.
func (a *Activities) AwaitWorkload(ctx context.Context, params AwaitWorkloadParams) (AwaitWorkloadResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return AwaitWorkloadResult{}, err
	}
	patience := time.NewTimer(params.Patience)
	defer patience.Stop()
	waiting := hopelessness{}
	var result AwaitWorkloadResult
	for {
		followed, err := followWorkload(ctx, client, params.WorkloadName)
		if err != nil {
			return result, err
		}
		for open := true; open; {
			result = params.judge(followed.judge(), &waiting)
			if result.Done || result.Hopeless != "" {
				break
			}
			select {
			case <-ctx.Done():
				followed.stop()
				return result, ctx.Err()
			case <-patience.C:
				followed.stop()
				return result, nil
			case <-waiting.over(time.Now()):
			case event, more := <-followed.events:
				open = more && followed.take(ctx, client, event)
			}
		}
		followed.stop()
		if result.Done || result.Hopeless != "" {
			break
		}
	}
	if result.Done {
		result.Workload.Answers, err = askMembers(ctx, client, params.WorkloadName, result.Workload.Members, params.Ask)
	}
	return result, err
}

func (p AwaitWorkloadParams) judge(found Workload, waiting *hopelessness) AwaitWorkloadResult {
	return AwaitWorkloadResult{
		Done: found.Out() && !found.has(p.Gone), Seen: found.Counts(), Hopeless: waiting.judge(found, time.Now()), Workload: found,
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
