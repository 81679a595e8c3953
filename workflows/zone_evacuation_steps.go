package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

const (
	// lookPatience is how long one activity waits for pods. It is below what one attempt may take, so that a run can be stopped
	// between two, and shows what it waits for.
	lookPatience = 10 * time.Second
	// offPatience is how long the power service may take to say that a machine is off. A machine that is on stays on.
	offPatience = 2 * time.Second
)

// cordon keeps new pods off the nodes. What somebody else cordoned is not ours, neither now nor when it is undone.
func (z *zoneEvacuation) cordon(ctx workflow.Context) (string, error) {
	z.before, z.cordoned = nil, nil
	for _, node := range z.found.Nodes {
		result, err := begin(z.do(ctx, "cordon node "+node.Name), kube.Cordon, z.cordonOf(node.Name)).get(ctx)
		switch {
		case err != nil:
			return "", err
		case result.Ours:
			z.cordoned = append(z.cordoned, node.Name)
		default:
			z.before = append(z.before, node.Name)
		}
	}
	if len(z.before) > 0 {
		return fmt.Sprintf("%s cordoned; %s had been cordoned before", noneOr(strings.Join(z.cordoned, ", ")), strings.Join(z.before, ", ")), nil
	}
	return strings.Join(z.cordoned, ", ") + " cordoned", nil
}

// uncordon asks for every node: the activity itself knows which of them this run cordoned, even when the run was cut off and does not.
func (z *zoneEvacuation) uncordon(ctx workflow.Context) error {
	var failed []error
	for _, node := range z.found.Nodes {
		_, err := begin(z.do(ctx, "uncordon node "+node.Name), kube.Uncordon, z.cordonOf(node.Name)).get(ctx)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (z *zoneEvacuation) cordonOf(node string) kubernetes.CordonParams {
	return kubernetes.CordonParams{Region: z.region, Node: node, Holder: z.run.Holder()}
}

// nobodyIsDead says why there is nothing to free.
func (z *zoneEvacuation) nobodyIsDead() string {
	for _, node := range z.found.Nodes {
		if !node.Ready {
			return ""
		}
	}
	return "every node is Ready"
}

// seekProof asks the power service about every node that is not Ready. A node without proof is left alone, and the run goes on without it.
func (z *zoneEvacuation) seekProof(ctx workflow.Context) (runbook.Verdict, error) {
	z.dead = nil
	var asked []call[power.AwaitOffResult]
	for _, node := range z.found.Nodes {
		if !node.Ready {
			z.dead = append(z.dead, deadNode{name: node.Name})
			asked = append(asked, begin(z.do(ctx, "is machine "+node.Name+" off?"), switches.AwaitOff, power.AwaitOffParams{
				Region: z.region, Node: node.Name, Patience: offPatience,
			}))
		}
	}
	var verdict runbook.Verdict
	var seen []string
	for i, answer := range asked {
		node := &z.dead[i]
		result, err := answer.get(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		node.proof, node.seen = result.Proof, result.Seen
		seen = append(seen, fmt.Sprintf("node %s is not Ready, %s", node.name, node.seen))
		if node.proof != "" {
			verdict.Changes = append(verdict.Changes, fmt.Sprintf("node %s: marked out of service, its pods removed", node.name))
		}
	}
	verdict.Seen = strings.Join(seen, "; ")
	return verdict, nil
}

// taint has Kubernetes free what hangs on machines that are proven off, and nothing else.
func (z *zoneEvacuation) taint(ctx workflow.Context) (string, error) {
	var freed, left []string
	for _, node := range z.dead {
		if node.proof == "" {
			left = append(left, node.name)
			continue
		}
		params := kubernetes.TaintParams{Region: z.region, Node: node.name, Holder: z.run.Holder(), Proof: node.proof}
		if _, err := begin(z.do(ctx, "mark node "+node.name+" out of service"), kube.TaintOutOfService, params).get(ctx); err != nil {
			return "", err
		}
		freed = append(freed, node.name)
		if err := z.free(ctx, node); err != nil {
			return "", err
		}
	}
	said := "out of service: " + noneOr(strings.Join(freed, ", "))
	if len(left) > 0 {
		said += "; left alone, because nothing proves that they are off: " + strings.Join(left, ", ")
	}
	return said, nil
}

// free removes the pods of a machine that is proven off in the plan's namespace at once, all at the same time: Kubernetes itself looks at the
// mark only every 20 seconds. It does so for those of other namespaces. Those that cannot move are not waited for: they need the machine.
func (z *zoneEvacuation) free(ctx workflow.Context, node deadNode) error {
	var freeing []call[kubernetes.FreePodResult]
	for _, pod := range z.found.Moving {
		if pod.Node == node.name && pod.Namespace == z.run.Plan.Namespace {
			freeing = append(freeing, begin(z.do(ctx, "free pod "+pod.Pod), kube.FreePod, kubernetes.FreePodParams{
				Namespace: pod.Namespace, Region: z.region, Pod: pod.Pod, UID: pod.UID, Proof: node.proof,
			}))
		}
	}
	var failed []error
	for _, pod := range freeing {
		_, err := pod.get(ctx)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// untaint takes off what this run put on.
func (z *zoneEvacuation) untaint(ctx workflow.Context) error {
	var failed []error
	for _, node := range z.dead {
		if node.proof == "" {
			continue
		}
		params := kubernetes.TaintParams{Region: z.region, Node: node.name, Holder: z.run.Holder()}
		_, err := begin(z.do(ctx, "take the mark off node "+node.name), kube.UntaintOutOfService, params).get(ctx)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// drain empties the living nodes, one after the other: what budgets protect needs room to breathe.
func (z *zoneEvacuation) drain(ctx workflow.Context) (string, error) {
	evicted := 0
	for _, node := range z.found.Nodes {
		if !node.Ready {
			continue
		}
		count, err := z.drainNode(ctx, node.Name)
		if err != nil {
			return "", err
		}
		evicted += count
	}
	return fmt.Sprintf("%d pods evicted", evicted), nil
}

// drainNode goes on until nothing is left that can move, for as long as the plan allows.
func (z *zoneEvacuation) drainNode(ctx workflow.Context, node string) (evicted int, err error) {
	deadline := workflow.Now(ctx).Add(z.policy.Drain)
	for {
		params := kubernetes.EvictPodsParams{Region: z.region, Node: node, Nodes: names(z.found.Nodes), Patience: lookPatience}
		result, err := begin(z.do(ctx, "evict the pods of node "+node), kube.EvictPods, params).get(ctx)
		if err != nil {
			return evicted, err
		}
		evicted += result.Evicted
		z.run.Fact("drain of node "+node, result.Seen(node))
		switch {
		case result.Done:
			return evicted, nil
		case !workflow.Now(ctx).Before(deadline):
			return evicted, fmt.Errorf("not drained after %s: %s; scale its owner up or change its budget and retry, or skip and leave those pods",
				z.policy.Drain, result.Seen(node))
		}
	}
}

// runsElsewhere waits until everything that could move is Ready on other nodes, no budget is unmet, and the services are well.
func (z *zoneEvacuation) runsElsewhere(ctx workflow.Context) (string, error) {
	deadline := workflow.Now(ctx).Add(healthBudget)
	params := kubernetes.AwaitReplacedParams{Region: z.region, Nodes: names(z.found.Nodes), Owners: z.owners(), Patience: lookPatience}
	for {
		replaced, err := begin(z.do(ctx, "are the pods Ready elsewhere?"), kube.AwaitReplaced, params).get(ctx)
		if err != nil {
			return "", err
		}
		if replaced.Done {
			break
		}
		z.run.Fact("not Ready elsewhere", few(replaced.Pending))
		if !workflow.Now(ctx).Before(deadline) {
			return "", fmt.Errorf("not Ready elsewhere after %s: %s", healthBudget, few(replaced.Pending))
		}
	}
	z.run.Fact("not Ready elsewhere", "none")
	asked, err := z.servicesAreWell(ctx, deadline)
	if err != nil {
		return "", err
	}
	z.run.Recovered(workflow.Now(ctx))
	return fmt.Sprintf("%d controllers have all their pods Ready elsewhere, no budget is unmet, %d health endpoints are well", len(params.Owners), asked), nil
}

// owners are the controllers to be seen elsewhere. A StatefulSet makes no new pod before the old one is gone for certain, so that one on a
// node without proof is not waited for.
func (z *zoneEvacuation) owners() []kubernetes.Owner {
	owners := slices.Clone(z.found.Owners)
	for _, pod := range z.found.Moving {
		if !slices.ContainsFunc(z.dead, func(d deadNode) bool { return d.name == pod.Node && d.proof == "" }) {
			continue
		}
		for i, owner := range owners {
			if owner.Kind == "StatefulSet" && owner.Namespace == pod.Namespace && owner.Kind+" "+owner.Name == pod.Owner {
				owners[i].Elsewhere--
			}
		}
	}
	return owners
}

// servicesAreWell asks the services of the region until all are well, and says how many endpoints it asked.
func (z *zoneEvacuation) servicesAreWell(ctx workflow.Context, deadline time.Time) (asked int, err error) {
	here := slices.DeleteFunc(slices.Clone(z.run.Plan.Services), func(s plan.Service) bool { return s.Region != z.region })
	for {
		health, err := begin(z.do(ctx, "ask every service for its health"), app.CheckHealth, application.CheckHealthParams{
			Services: here, Patience: lookPatience,
		}).get(ctx)
		if err != nil {
			return 0, err
		}
		var unwell []string
		for _, check := range health.Checks {
			if !check.OK {
				unwell = append(unwell, fmt.Sprintf("%s%s is not well: %s", check.Service, check.Path, check.Said))
			}
		}
		switch {
		case len(unwell) == 0:
			return len(health.Checks), nil
		case !workflow.Now(ctx).Before(deadline):
			return 0, errors.New(few(unwell))
		}
	}
}

// includes says whether a node is one of those that are evacuated.
func (z *zoneEvacuation) includes(node string) bool {
	return slices.Contains(names(z.found.Nodes), node)
}

func names(machines []kubernetes.Machine) []string {
	var said []string
	for _, machine := range machines {
		said = append(said, machine.Name)
	}
	return said
}

// ready are the machines that take new pods.
func ready(machines []kubernetes.Machine) []kubernetes.Machine {
	return slices.DeleteFunc(slices.Clone(machines), func(m kubernetes.Machine) bool { return !m.Ready || m.Cordoned })
}

func staying(pods []kubernetes.ZonePod) []string {
	var said []string
	for _, pod := range pods {
		said = append(said, fmt.Sprintf("%s/%s: %s", pod.Namespace, pod.Pod, pod.Why))
	}
	return said
}

// noneOr is a list in words, also when nothing is in it.
func noneOr(said string) string {
	if said == "" {
		return "none"
	}
	return said
}

// few is the beginning of a long list: what people still read.
func few(said []string) string {
	const most = 5
	if len(said) <= most {
		return strings.Join(said, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(said[:most], "; "), len(said)-most)
}
