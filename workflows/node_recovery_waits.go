package workflows

import (
	"fmt"
	"slices"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/workflow"
)

// Some pods can run on no other node: their volume is on the lost one, or they are tied to it. They come back with it. A service that needs
// one of them may be well all the same, or be brought back by another run; this one cannot wait for that.

// missing is what a look found not to be as it should.
type missing struct {
	waits    []string    // for Kubernetes
	hindered []hindrance // for a node, or for another run
}

func (m missing) none() bool { return len(m.waits) == 0 && len(m.hindered) == 0 }

func (m missing) String() string {
	said := slices.Clone(m.waits)
	for _, h := range m.hindered {
		said = append(said, h.String())
	}
	return few(said)
}

// hindrance is a service that is not well and needs what waits for its node.
type hindrance struct {
	service string
	redis   string // of the plan, that it needs
	pod     kubernetes.ZonePod
}

func (h hindrance) String() string {
	return fmt.Sprintf("service %s is not well, and needs redis %s, of which pod %s waits for node %s: %s", h.service, h.redis, h.pod.Pod, h.pod.Node, h.pod.Why)
}

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

// unwell tells the services that may become well by themselves from those that need what waits for its node.
func (n *nodeRecovery) unwell(checks []application.Check) missing {
	var found missing
	for _, check := range checks {
		service, _ := n.run.Plan.Service(check.Service)
		switch blocked, hindered := n.hindrance(service); {
		case !hindered:
			found.waits = append(found.waits, answers([]application.Check{check})...)
		case !slices.ContainsFunc(found.hindered, func(h hindrance) bool { return h.service == check.Service }):
			found.hindered = append(found.hindered, blocked)
		}
	}
	return found
}

// hindrance is what a service needs, by itself or by services that it needs, and what can run on no node that is left.
func (n *nodeRecovery) hindrance(service plan.Service) (hindrance, bool) {
	for _, need := range n.needs(service, nil) {
		server, _ := n.run.Plan.RedisServer(need)
		for _, set := range append([]string{server.Master}, server.Replicas...) {
			for _, pod := range n.staying {
				if server.Region == n.region && pod.Namespace == n.run.Plan.Namespace && pod.Owner == plan.StatefulSet+" "+set {
					return hindrance{service: service.Name, redis: need, pod: pod}, true
				}
			}
		}
	}
	return hindrance{}, false
}

// redisToRecover are the Redis servers that hinder services, each once.
func (n *nodeRecovery) redisToRecover() []string {
	var servers []string
	for _, h := range n.hindered {
		if !slices.Contains(servers, h.redis) {
			servers = append(servers, h.redis)
		}
	}
	return servers
}

// needs are all needs of a service, with those of the services that it needs.
func (n *nodeRecovery) needs(service plan.Service, known []string) []string {
	for _, need := range service.Needs {
		if slices.Contains(known, need) {
			continue
		}
		known = append(known, need)
		if other, found := n.run.Plan.Service(need); found {
			known = n.needs(other, known)
		}
	}
	return known
}

// overdue are the pods that should have ended on a node that is Ready, without those that people were told of.
func (n *nodeRecovery) overdue() []string {
	var said []string
	for _, pod := range n.found.Overdue {
		if !n.isNamed("pod " + pod.UID) {
			said = append(said, doesNotEnd(pod))
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
