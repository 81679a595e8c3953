package workflows

import (
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"go.temporal.io/sdk/workflow"
)

// proofPatience is how long a run looks for a proof before it says that there is none: longer than the usual grace period of a
// server's container, shorter than one attempt of an activity.
const proofPatience = 20 * time.Second

// stopProof is what is known of a server that has to be stopped before another one takes its place. Silence is no proof.
type stopProof struct {
	proof      string // why it is known to be stopped, empty without proof
	seen       string // what was seen instead
	machineOff bool   // the proof is that its machine is off: nobody is left there to remove its pod
}

// seekStop asks the power switch and the kubelet at the same time whether the server in a pod is stopped, and takes the first proof.
func (l *recoveryLease) seekStop(ctx workflow.Context, pod kubernetes.Instance, container string, patience time.Duration) (stopProof, error) {
	ctx, stopLooking := workflow.WithCancel(ctx)
	defer stopLooking()
	off := begin(l.act(ctx, "is node "+pod.Node+" off?"), switches.AwaitOff, power.AwaitOffParams{
		Region: l.place.Region, Node: pod.Node, Patience: patience,
	})
	stopped := begin(l.act(ctx, "does the kubelet say that "+pod.Pod+" is stopped?"), kube.AwaitStopped, kubernetes.AwaitStoppedParams{
		Namespace: l.place.Namespace, Region: l.place.Region, Pod: pod.Pod, UID: pod.UID, Container: container, Node: pod.Node, Patience: patience,
	})
	var found stopProof
	var sights []string
	var err error
	weigh := func(proof, seen string, failure error) {
		if found.proof, err = proof, failure; err == nil {
			sights = append(sights, seen)
		}
	}
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(off.future, func(workflow.Future) {
		answer, failure := off.get(ctx)
		found.machineOff = answer.Off
		weigh(answer.Proof, answer.Seen, failure)
	})
	selector.AddFuture(stopped.future, func(workflow.Future) {
		answer, failure := stopped.get(ctx)
		weigh(answer.Proof, answer.Seen, failure)
	})
	for range 2 {
		if selector.Select(ctx); found.proof != "" || err != nil {
			break
		}
	}
	found.seen = strings.Join(sights, "; ")
	return found, err
}
