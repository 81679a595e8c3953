package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// overduePause is between two looks at pods that should have ended: nothing tells when they do.
const overduePause = 2 * time.Second

// isLost refuses what is not there, and finds out whether anything is lost.
func (n *nodeRecovery) isLost(ctx workflow.Context) (runbook.Verdict, error) {
	silent, err := n.lookForLost(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	unknown := n.unknown()
	switch {
	case len(unknown) > 0:
		return runbook.Verdict{Objections: unknown}, nil
	case len(n.found.Nodes) > 0 || len(n.found.Overdue) > 0:
		return n.describeLoss(ctx)
	case len(silent) > 0:
		return runbook.Verdict{Waiting: fmt.Sprintf("a sign of life of %s, or Kubernetes to take it to be lost", strings.Join(silent, ", "))}, nil
	}
	n.noneLost = n.what() + " is Ready, and no pod hangs there"
	if n.node == "" {
		n.noneLost = "every node of " + n.noneLost
	}
	return runbook.Verdict{Seen: n.noneLost}, nil
}

// lookForLost reads the zone. Kubernetes takes a machine to be Ready for a while after its last sign of life: those are asked for their power,
// and silent are the ones that have it and say nothing.
func (n *nodeRecovery) lookForLost(ctx workflow.Context) (silent []string, err error) {
	n.off = nil
	if err := n.look(ctx); err != nil {
		return nil, err
	}
	alive := slices.DeleteFunc(slices.Clone(n.found.Others), func(m kubernetes.Machine) bool { return !n.asksFor(m) })
	if n.off = n.withoutPower(ctx, names(alive)); len(n.off) > 0 {
		if err := n.look(ctx); err != nil {
			return nil, err
		}
	}
	n.remember()
	return n.silent(alive), nil
}

// silent are the machines whose sign of life is late, and did not come since the look before: a clock that is behind makes every sign late.
func (n *nodeRecovery) silent(alive []kubernetes.Machine) []string {
	var silent []string
	for _, machine := range alive {
		before, known := n.heard[machine.Name]
		n.heard[machine.Name] = machine.Heard
		if machine.Late && (!known || machine.Heard.Equal(before)) {
			silent = append(silent, machine.Name)
		}
	}
	return silent
}

// describeLoss says what is lost. A database without its primary is told at once; it is a reason to stop only if Kubernetes does not heal it.
func (n *nodeRecovery) describeLoss(ctx workflow.Context) (runbook.Verdict, error) {
	n.first = names(n.found.Nodes)
	n.run.Detected(n.since(workflow.Now(ctx)))
	primaries, err := n.noPrimaryIsLost(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	facts := []report.Fact{{Name: "waits for its node", Value: noneOr(few(staying(n.staying)))}}
	for _, objection := range primaries.Objections {
		facts = append(facts, report.Fact{Name: "without its primary", Value: objection.Why + "; " + objection.Unblock})
	}
	return runbook.Verdict{Seen: n.loss(), Facts: facts}, nil
}

// noPrimaryIsLost refuses to free the pod of a database's primary, or of a Redis master that a replica could replace.
func (n *nodeRecovery) noPrimaryIsLost(ctx workflow.Context) (runbook.Verdict, error) {
	verdict, err := n.primariesAreElsewhere(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	masters, err := n.mastersInTheWay(ctx)
	verdict.Objections = append(verdict.Objections, masters...)
	return verdict, err
}

// loss is what was found, in a sentence.
func (n *nodeRecovery) loss() string {
	said := fmt.Sprintf("lost: %s; %d pods can run elsewhere, %d cannot; elsewhere %d nodes are Ready",
		noneOr(strings.Join(n.first, ", ")), len(n.found.Moving), len(n.found.Staying), len(ready(n.found.Others)))
	if unnoticed := n.unnoticed(); len(unnoticed) > 0 {
		said += "; off, and not noticed by Kubernetes yet: " + strings.Join(unnoticed, ", ")
	}
	if len(n.found.Overdue) > 0 {
		said += "; should have ended: " + few(unended(n.found.Overdue))
	}
	return said
}

// since is when Kubernetes noticed the first of the losses, or now.
func (n *nodeRecovery) since(now time.Time) time.Time {
	for _, node := range n.found.Nodes {
		if !node.Ready && !node.Since.IsZero() && node.Since.Before(now) {
			now = node.Since
		}
	}
	return now
}

// lookAgain reads the zone as it is now, and the power of those machines that Kubernetes had not noticed yet.
func (n *nodeRecovery) lookAgain(ctx workflow.Context) error {
	if len(n.off) > 0 {
		n.off = n.withoutPower(ctx, n.off)
	}
	if err := n.look(ctx); err != nil {
		return err
	}
	n.remember()
	return nil
}

// withoutPower are those of some machines that are off. A power service that does not answer says nothing.
func (n *nodeRecovery) withoutPower(ctx workflow.Context, machines []string) []string {
	var asked []call[power.ReadPowerResult]
	for _, machine := range machines {
		act := runbook.Within(n.do(ctx, "has machine "+machine+" power?"), offPatience)
		asked = append(asked, begin(act, switches.ReadPower, power.ReadPowerParams{Region: n.region, Node: machine}))
	}
	var off []string
	for i, answer := range asked {
		if result, err := answer.get(ctx); err == nil && result.Known && result.State == power.Off {
			off = append(off, machines[i])
		}
	}
	return off
}

// mayWatch says how long Kubernetes has.
func (n *nodeRecovery) mayWatch(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{Seen: fmt.Sprintf("Kubernetes has %s to heal it by itself", n.policy.Watch)}, nil
}

// watch waits until Kubernetes has healed everything, or has had its time.
func (n *nodeRecovery) watch(ctx workflow.Context) (string, error) {
	deadline := workflow.Now(ctx).Add(n.policy.Watch)
	for {
		left, err := n.lookForWhatIsMissing(ctx, deadline)
		now := workflow.Now(ctx)
		switch {
		case err != nil:
			return "", err
		case left.none():
			n.healed = n.howHealed()
			n.run.Recovered(now)
			return n.healed, nil
		case !now.Before(deadline):
			return fmt.Sprintf("not healed after %s: %s", n.policy.Watch, left), nil
		}
		n.run.Progress(ctx, left.String())
	}
}

// howHealed is what became of the nodes and of what ran there.
func (n *nodeRecovery) howHealed() string {
	said := "Kubernetes healed it: everything that can run is Ready"
	if back := slices.DeleteFunc(slices.Clone(n.first), n.includes); len(back) > 0 {
		said += "; back: " + strings.Join(back, ", ")
	}
	if len(n.found.Nodes) > 0 {
		said += "; still lost: " + strings.Join(names(n.found.Nodes), ", ")
	}
	return said
}

// lookForWhatIsMissing looks for some time, no longer than until the deadline, and says what is not as it should be: controllers with too few
// pods, pods that do not end, services that are not well. A pod on a node that is back counts as any other.
func (n *nodeRecovery) lookForWhatIsMissing(ctx workflow.Context, deadline time.Time) (missing, error) {
	if err := n.lookAgain(ctx); err != nil {
		return missing{}, err
	}
	replaced, err := begin(n.do(ctx, "are the pods Ready?"), kube.AwaitReplaced, kubernetes.AwaitReplacedParams{
		Region: n.region, Nodes: names(n.found.Nodes), Owners: n.owners(n.wanted), Patience: patienceUntil(ctx, deadline),
	}).get(ctx)
	switch {
	case err != nil:
		return missing{}, err
	case !replaced.Done:
		return missing{waits: replaced.Pending}, nil
	}
	if late := n.overdue(); len(late) > 0 {
		timer := workflow.TimerOptions{Summary: few(late)}
		return missing{waits: late}, workflow.NewTimerWithOptions(ctx, min(overduePause, patienceUntil(ctx, deadline)), timer).Get(ctx, nil)
	}
	_, unwell, err := n.askServices(ctx, patienceUntil(ctx, deadline))
	return n.unwell(unwell), err
}

// patienceUntil is how long one activity may look.
func patienceUntil(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(0, min(lookPatience, deadline.Sub(workflow.Now(ctx))))
}

func doesNotEnd(pod kubernetes.ZonePod) string {
	return fmt.Sprintf("pod %s/%s does not end on node %s, which is Ready", pod.Namespace, pod.Pod, pod.Node)
}

func unended(pods []kubernetes.ZonePod) []string {
	var said []string
	for _, pod := range pods {
		said = append(said, pod.Namespace+"/"+pod.Pod)
	}
	return said
}

// mayFree seeks proof that machines are off, and waits until Kubernetes has noticed too: it lets nobody mark a node that is Ready.
func (n *nodeRecovery) mayFree(ctx workflow.Context) (runbook.Verdict, error) {
	if err := n.lookAgain(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	verdict, err := n.seekProof(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	if unnoticed := n.unnoticed(); len(unnoticed) > 0 {
		verdict.Waiting = "Kubernetes to see that machines without power are not Ready: " + strings.Join(unnoticed, ", ")
	}
	proven := n.proven()
	if verdict.Idle = len(proven) == 0; !verdict.Idle {
		verdict.Question = fmt.Sprintf("Mark %s out of service, and free what hangs there?", strings.Join(proven, ", "))
		verdict.Binding = "free " + strings.Join(proven, " ")
	}
	return verdict, nil
}

// unnoticed are the lost machines that Kubernetes takes to be Ready.
func (n *nodeRecovery) unnoticed() []string {
	return names(slices.DeleteFunc(slices.Clone(n.found.Nodes), func(m kubernetes.Machine) bool { return !m.Ready }))
}

// nameWhatMayRun tells people of what is not proven to have stopped: nothing of it is forced.
func (n *nodeRecovery) nameWhatMayRun(ctx workflow.Context) (string, error) {
	for _, node := range n.unproven() {
		n.name(ctx, "node "+node.name, node.notFreed())
	}
	for _, pod := range n.found.Overdue {
		n.name(ctx, "pod "+pod.UID, doesNotEnd(pod))
	}
	return "", nil
}

// runsAgain waits until everything that can run is Ready, and takes the mark off a machine that is back, so that pods can run there again.
func (n *nodeRecovery) runsAgain(ctx workflow.Context) (string, error) {
	deadline := workflow.Now(ctx).Add(healthBudget)
	for {
		left, err := n.lookForWhatIsMissing(ctx, deadline)
		if err == nil {
			err = n.untaintOf(ctx, slices.DeleteFunc(n.proven(), n.includes))
		}
		now := workflow.Now(ctx)
		switch {
		case err != nil:
			return "", err
		case len(left.waits) == 0:
			return n.settle(ctx, left.hindered), nil
		case !now.Before(deadline):
			return "", fmt.Errorf("not Ready after %s: %s", healthBudget, left)
		}
		n.run.Progress(ctx, left.String())
	}
}

// settle ends the waiting: what cannot be well before a node is back is told to people.
func (n *nodeRecovery) settle(ctx workflow.Context, hindered []hindrance) string {
	n.hindered = hindered
	for _, h := range hindered {
		n.name(ctx, "service "+h.service, h.String())
	}
	said := fmt.Sprintf("%d controllers have all their pods Ready, no budget is unmet", len(n.wanted))
	if len(hindered) > 0 {
		return said
	}
	n.run.Recovered(workflow.Now(ctx))
	return said + ", the services are well"
}
