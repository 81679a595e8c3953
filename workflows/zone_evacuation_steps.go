package workflows

import (
	"errors"
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"go.temporal.io/sdk/workflow"
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
	params := kubernetes.AwaitReplacedParams{Region: z.region, Nodes: names(z.found.Nodes), Owners: z.owners(z.found.Owners), Patience: lookPatience}
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
