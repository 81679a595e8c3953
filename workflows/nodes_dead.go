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

// deadNode is a node that is not Ready.
type deadNode struct {
	name  string
	proof string // that its machine is off, empty without proof
	seen  string // instead
}

// notFreed says that its pods are left where they are.
func (d deadNode) notFreed() string {
	return fmt.Sprintf("the pods of node %s are not freed, because they may still run: %s", d.name, d.seen)
}

// nobodyIsDead says why there is nothing to free.
func (n *nodes) nobodyIsDead() string {
	for _, node := range n.found.Nodes {
		if !node.Ready {
			return ""
		}
	}
	return "every node is Ready"
}

// seekProof asks the power service about every node that is not Ready. A node without proof is left alone, and the run goes on without it.
func (n *nodes) seekProof(ctx workflow.Context) (runbook.Verdict, error) {
	n.dead = nil
	var asked []call[power.AwaitOffResult]
	for _, node := range n.found.Nodes {
		if !node.Ready {
			n.dead = append(n.dead, deadNode{name: node.Name})
			asked = append(asked, begin(n.do(ctx, "is machine "+node.Name+" off?"), switches.AwaitOff, power.AwaitOffParams{
				Region: n.region, Node: node.Name, Patience: offPatience,
			}))
		}
	}
	var verdict runbook.Verdict
	var seen []string
	for i, answer := range asked {
		node := &n.dead[i]
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

// proven are the nodes whose machines are off for certain.
func (n *nodes) proven() []string {
	var said []string
	for _, node := range n.dead {
		if node.proof != "" {
			said = append(said, node.name)
		}
	}
	return said
}

// unproven are the nodes that may still run.
func (n *nodes) unproven() []deadNode {
	return slices.DeleteFunc(slices.Clone(n.dead), func(d deadNode) bool { return d.proof != "" })
}

// leftAlone are the pods of nodes that may still run.
func (n *nodes) leftAlone() []kubernetes.ZonePod {
	unproven := n.unproven()
	return slices.DeleteFunc(slices.Clone(n.found.Moving), func(pod kubernetes.ZonePod) bool {
		return !slices.ContainsFunc(unproven, func(d deadNode) bool { return d.name == pod.Node })
	})
}

// taint has Kubernetes free what hangs on machines that are proven off, and nothing else.
func (n *nodes) taint(ctx workflow.Context) (string, error) {
	var freed, left []string
	for _, node := range n.dead {
		if node.proof == "" {
			left = append(left, node.name)
			continue
		}
		params := kubernetes.TaintParams{Region: n.region, Node: node.name, Holder: n.run.Holder(), Proof: node.proof}
		if _, err := begin(n.do(ctx, "mark node "+node.name+" out of service"), kube.TaintOutOfService, params).get(ctx); err != nil {
			return "", err
		}
		freed = append(freed, node.name)
		if err := n.free(ctx, node); err != nil {
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
func (n *nodes) free(ctx workflow.Context, node deadNode) error {
	var freeing []call[kubernetes.FreePodResult]
	for _, pod := range n.found.Moving {
		if pod.Node == node.name && pod.Namespace == n.run.Plan.Namespace {
			freeing = append(freeing, begin(n.do(ctx, "free pod "+pod.Pod), kube.FreePod, kubernetes.FreePodParams{
				Namespace: pod.Namespace, Region: n.region, Pod: pod.Pod, UID: pod.UID, Proof: node.proof,
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
func (n *nodes) untaint(ctx workflow.Context) error {
	return n.untaintOf(ctx, n.proven())
}

func (n *nodes) untaintOf(ctx workflow.Context, marked []string) error {
	var failed []error
	for _, node := range marked {
		params := kubernetes.TaintParams{Region: n.region, Node: node, Holder: n.run.Holder()}
		_, err := begin(n.do(ctx, "take the mark off node "+node), kube.UntaintOutOfService, params).get(ctx)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// servicesAreWell asks the services of the region until all are well, and says how many endpoints it asked.
func (n *nodes) servicesAreWell(ctx workflow.Context, deadline time.Time) (asked int, err error) {
	for {
		asked, unwell, err := n.askServices(ctx, lookPatience)
		switch {
		case err != nil:
			return 0, err
		case len(unwell) == 0:
			return asked, nil
		case !workflow.Now(ctx).Before(deadline):
			return 0, errors.New(few(answers(unwell)))
		}
	}
}

// services are those of the region.
func (n *nodes) services() []plan.Service {
	return slices.DeleteFunc(slices.Clone(n.run.Plan.Services), func(s plan.Service) bool { return s.Region != n.region })
}

// askServices asks the services of the region until all are well, or its patience ends.
func (n *nodes) askServices(ctx workflow.Context, patience time.Duration) (asked int, unwell []application.Check, err error) {
	health, err := begin(n.do(ctx, "ask every service for its health"), app.CheckHealth, application.CheckHealthParams{
		Services: n.services(), Patience: patience,
	}).get(ctx)
	if err != nil {
		return 0, nil, err
	}
	asked = len(health.Checks)
	return asked, slices.DeleteFunc(health.Checks, func(c application.Check) bool { return c.OK }), nil
}

// answers are those of services that are not well, in words.
func answers(unwell []application.Check) []string {
	var said []string
	for _, check := range unwell {
		said = append(said, fmt.Sprintf("%s%s is not well: %s", check.Service, check.Path, check.Said))
	}
	return said
}
