package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// The guards of a run that takes nodes away, or has lost them, and that a person may override.
const (
	GuardCapacity      = "capacity"        // what is in the zone has no room elsewhere
	GuardPrimaryInZone = "primary-in-zone" // a database would lose its primary, or a Redis its master
)

// nodes is what a run knows of a zone, or of one node, whose pods are to run elsewhere.
type nodes struct {
	recoveryLease
	zone   string // empty for one node
	node   string // empty for a whole zone
	region string
	lost   bool     // looks at those nodes alone that are lost
	off    []string // of those, nodes that Kubernetes still takes to be Ready while their machines are off

	found kubernetes.Zone
	dead  []deadNode
}

// regionOf is where the zone or the node is looked for: the region that was asked for, else the one that the zone's name begins with, else
// the plan's first.
func regionOf(p plan.Plan, asked, zone string) (string, error) {
	found := ""
	for _, region := range p.Regions {
		if region == asked {
			return region, nil
		}
		if strings.HasPrefix(zone, region) && len(region) > len(found) {
			found = region
		}
	}
	switch {
	case asked != "":
		return "", runbook.Refuse("region %q is not in the plan: %s", asked, strings.Join(p.Regions, ", "))
	case found == "":
		found = p.Regions[0]
	}
	return found, nil
}

// newNodes are the nodes that somebody asked for.
func newNodes(run *runbook.Run, zone, node, region string) (nodes, error) {
	if (zone == "") == (node == "") {
		return nodes{}, runbook.Refuse("say either a zone or a node")
	}
	region, err := regionOf(run.Plan, region, zone)
	if err != nil {
		return nodes{}, err
	}
	n := nodes{zone: zone, node: node, region: region}
	n.recoveryLease = recoveryLease{run: run, what: n.what()}
	run.Target(n.what())
	return n, nil
}

// what it is about, in words.
func (n *nodes) what() string {
	if n.node != "" {
		return "node " + n.node
	}
	return "zone " + n.zone
}

// do prepares for an activity in the region of the zone.
func (n *nodes) do(ctx workflow.Context, summary string) workflow.Context {
	return runbook.Act(ctx, runbook.RegionQueue(n.region), summary)
}

// look reads the zone as it is now.
func (n *nodes) look(ctx workflow.Context) error {
	found, err := begin(n.do(ctx, "read nodes, pods, budgets and volumes"), kube.ReadZone, kubernetes.ReadZoneParams{
		Region: n.region, Zone: n.zone, Node: n.node, Lost: n.lost, Off: n.off,
	}).get(ctx)
	if err == nil {
		n.found = found
	}
	return err
}

// asksFor says whether somebody asked for a node, by its name or by its zone's.
func (n *nodes) asksFor(m kubernetes.Machine) bool {
	if n.node != "" {
		return m.Name == n.node
	}
	return m.Zone == n.zone
}

// unknown objects to a zone or a node that is not there.
func (n *nodes) unknown() []runbook.Objection {
	switch {
	case slices.ContainsFunc(slices.Concat(n.found.Nodes, n.found.Others), n.asksFor):
		return nil
	case n.node != "":
		return []runbook.Objection{{
			Why:     fmt.Sprintf("node %s is not there", n.node),
			Unblock: "the nodes of region " + n.region + " are " + noneOr(strings.Join(names(n.found.Others), ", ")),
		}}
	}
	return []runbook.Objection{{
		Why:     fmt.Sprintf("zone %s has no nodes in region %s", n.zone, n.region),
		Unblock: "the zones with nodes are " + noneOr(strings.Join(n.found.Zones, ", ")),
	}}
}

// leaseIsFree keeps two runs in one zone apart, also those of its single nodes.
func (n *nodes) leaseIsFree(ctx workflow.Context) (runbook.Verdict, error) {
	if n.found.Name == "" { // only a rehearsal comes here
		return runbook.Verdict{Seen: "there is nothing to keep apart"}, nil
	}
	n.place = lease.Place{Namespace: n.run.Plan.Namespace, Region: n.region, Target: "zone-" + n.found.Name}
	return n.recoveryLease.leaseIsFree(ctx)
}

// hasRoomElsewhere refuses while pods would only become Pending, and says how much is missing.
func (n *nodes) hasRoomElsewhere(ctx workflow.Context) (runbook.Verdict, error) {
	if err := n.look(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	if len(n.found.NoRoom) == 0 {
		return runbook.Verdict{Seen: fmt.Sprintf("%d pods have room on %d other nodes", len(n.found.Moving), len(ready(n.found.Others)))}, nil
	}
	var pods []string
	for _, pod := range n.found.NoRoom {
		pods = append(pods, fmt.Sprintf("%s/%s (%s)", pod.Namespace, pod.Pod, pod.Why))
	}
	return runbook.Verdict{Objections: []runbook.Objection{{
		Guard:   GuardCapacity,
		Why:     fmt.Sprintf("%d of %d pods have no room elsewhere: %s; missing: %s", len(pods), len(n.found.Moving), few(pods), n.found.Short),
		Unblock: "add nodes to another zone, or scale down what can wait",
	}}}, nil
}

// primariesAreElsewhere refuses to take a database its primary: that is the business of another runbook, which has to come first.
func (n *nodes) primariesAreElsewhere(ctx workflow.Context) (runbook.Verdict, error) {
	verdict := runbook.Verdict{Seen: "no database has its primary there"}
	for _, database := range n.run.Plan.Databases {
		if database.Region != n.region {
			continue
		}
		estate, err := begin(n.do(ctx, "where is the primary of "+database.Name+"?"), kube.ReadEstate, kubernetes.ReadEstateParams{
			Namespace: n.run.Plan.Namespace, Database: database,
		}).get(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		primary, _ := instanceOf(estate, estate.RolePrimary)
		if !n.includes(primary.Node) {
			continue
		}
		objection := runbook.Objection{
			Guard:   GuardPrimaryInZone,
			Why:     fmt.Sprintf("the primary of database %s, %s, runs on node %s", database.Name, primary.Pod, primary.Node),
			Unblock: fmt.Sprintf("let a replica take over first: fukkyu run %s --database %s", Switchover.Name, database.Name),
		}
		if n.lost || !primary.NodeReady { // also where Kubernetes has not noticed yet
			objection.Why = fmt.Sprintf("the primary of database %s, %s, was on node %s, which is lost", database.Name, primary.Pod, primary.Node)
			objection.Unblock = fmt.Sprintf("replace it first: fukkyu run %s --database %s", Failover.Name, database.Name)
		}
		verdict.Objections = append(verdict.Objections, objection)
	}
	return verdict, nil
}

// mastersInTheWay are objections to taking a Redis its master. One that is lost is replaced by its own runbook, which seeks the proof that it is
// stopped on the machine that it is on: a pod that is freed is on none. One that runs would start elsewhere, and nobody knows with what data.
func (n *nodes) mastersInTheWay(ctx workflow.Context) ([]runbook.Objection, error) {
	var objections []runbook.Objection
	for _, server := range n.run.Plan.Redis {
		if server.Region != n.region || n.lost && len(server.Replicas) == 0 {
			continue
		}
		estate, err := begin(n.do(ctx, "where is the master of "+server.Name+"?"), kube.ReadRedis, kubernetes.ReadRedisParams{
			Namespace: n.run.Plan.Namespace, Redis: server,
		}).get(ctx)
		if err != nil {
			return nil, err
		}
		master, _ := redisState{estate: estate, home: server.Master}.master()
		switch {
		case !n.includes(master.Node):
		case (n.lost || !master.NodeReady) && len(server.Replicas) > 0:
			objections = append(objections, runbook.Objection{
				Guard:   GuardPrimaryInZone,
				Why:     fmt.Sprintf("the master of redis %s, %s, was on node %s, which is lost", server.Name, master.Pod, master.Node),
				Unblock: fmt.Sprintf("replace it first: fukkyu run %s --redis %s", RedisLoss.Name, server.Name),
			})
		case n.moves(master.Pod) && master.NodeReady:
			objections = append(objections, runbook.Objection{
				Guard:   GuardPrimaryInZone,
				Why:     fmt.Sprintf("the master of redis %s, %s, runs on node %s and would start on another one, which may not have its data", server.Name, master.Pod, master.Node),
				Unblock: "override this when its data is on a volume that goes with it, or may be lost",
			})
		}
	}
	return objections, nil
}

// moves says whether a pod of the plan is to run elsewhere.
func (n *nodes) moves(pod string) bool {
	return slices.ContainsFunc(n.found.Moving, func(m kubernetes.ZonePod) bool { return m.Namespace == n.run.Plan.Namespace && m.Pod == pod })
}

// owners are those of controllers that are to be seen elsewhere. A StatefulSet makes no new pod before the old one is gone for certain, so
// that one on a node without proof, or one that does not end, is not waited for.
func (n *nodes) owners(all []kubernetes.Owner) []kubernetes.Owner {
	owners := slices.Clone(all)
	for _, pod := range slices.Concat(n.leftAlone(), n.found.Overdue) {
		for i, owner := range owners {
			if owner.Kind == "StatefulSet" && owner.Namespace == pod.Namespace && owner.Kind+" "+owner.Name == pod.Owner {
				owners[i].Elsewhere--
			}
		}
	}
	return owners
}

// includes says whether a node is one of those that the run is about.
func (n *nodes) includes(node string) bool {
	return slices.Contains(names(n.found.Nodes), node)
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
