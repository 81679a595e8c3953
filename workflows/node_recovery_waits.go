package workflows

import (
	"fmt"
	"slices"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/workflow"
)

// Some pods can run on no other node: their volume is on the lost one, or they are tied to it. They come back with it, and so does a service
// that needs one of them: no run can wait for that.

// waiting is a service that cannot be well before a node is back.
type waiting struct{ service, why string }

// remember keeps what ran on lost nodes. The controllers, as many pods of each as there were first: what is replaced, or gone for good, is no
// longer seen there. And the pods that wait for their node: once freed, they are on none.
func (n *nodeRecovery) remember() {
	for _, owner := range n.found.Owners {
		if !slices.ContainsFunc(n.wanted, func(o kubernetes.Owner) bool { return o.UID == owner.UID }) {
			n.wanted = append(n.wanted, owner)
		}
	}
	n.staying = slices.DeleteFunc(n.staying, func(pod kubernetes.ZonePod) bool { return !n.includes(pod.Node) })
	for _, pod := range n.found.Staying {
		if !slices.ContainsFunc(n.staying, func(p kubernetes.ZonePod) bool { return p.UID == pod.UID }) {
			n.staying = append(n.staying, pod)
		}
	}
}

// waitingServices are those of the region that need a pod which waits for its node.
func (n *nodeRecovery) waitingServices() []waiting {
	var all []waiting
	for _, service := range n.services() {
		if why := n.waitsFor(service, map[string]bool{}); why != "" {
			all = append(all, waiting{service: service.Name, why: fmt.Sprintf("service %s waits for %s", service.Name, why)})
		}
	}
	return all
}

// waitsFor is the pod that a service needs, by itself or by another service, and that can run on no other node. Empty: there is none.
func (n *nodeRecovery) waitsFor(service plan.Service, seen map[string]bool) string {
	if seen[service.Name] {
		return ""
	}
	seen[service.Name] = true
	for _, need := range service.Needs {
		if server, found := n.run.Plan.RedisServer(need); found && server.Region == n.region {
			if pod := n.stayingOf(server.Master); pod != "" {
				return fmt.Sprintf("%s, whose master %s", need, pod)
			}
		}
		if other, found := n.run.Plan.Service(need); found {
			if why := n.waitsFor(other, seen); why != "" {
				return why
			}
		}
	}
	return ""
}

// stayingOf is the pod of a StatefulSet that waits for its node, and why.
func (n *nodeRecovery) stayingOf(set string) string {
	for _, pod := range n.staying {
		if pod.Namespace == n.run.Plan.Namespace && pod.Owner == plan.StatefulSet+" "+set {
			return fmt.Sprintf("%s needs node %s: %s", pod.Pod, pod.Node, pod.Why)
		}
	}
	return ""
}

// nameWaiting tells people of the services that wait for a node.
func (n *nodeRecovery) nameWaiting(ctx workflow.Context) {
	for _, waits := range n.waitingServices() {
		n.name(ctx, "service "+waits.service, waits.why)
	}
}

// askable are the services of the region that do not wait for a node.
func (n *nodeRecovery) askable() []plan.Service {
	waits := n.waitingServices()
	return slices.DeleteFunc(n.services(), func(s plan.Service) bool {
		return slices.ContainsFunc(waits, func(w waiting) bool { return w.service == s.Name })
	})
}

// unnamed are the hindrances that people were not told of yet: pods that should have ended on a node that is Ready, and services that wait
// for a node.
func (n *nodeRecovery) unnamed() []string {
	var said []string
	for _, pod := range n.found.Overdue {
		if !n.isNamed("pod " + pod.UID) {
			said = append(said, doesNotEnd(pod))
		}
	}
	for _, waits := range n.waitingServices() {
		if !n.isNamed("service " + waits.service) {
			said = append(said, waits.why)
		}
	}
	return said
}

// name tells people, once, of something that they alone can put right.
func (n *nodeRecovery) name(ctx workflow.Context, what, text string) {
	if !n.isNamed(what) {
		n.named = append(n.named, what)
		n.run.Broken(ctx, text)
	}
}

func (n *nodeRecovery) isNamed(what string) bool { return slices.Contains(n.named, what) }
