package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

const (
	// freePatience bounds each activity of these steps with its tries: they only save time, and must not cost it.
	freePatience = 10 * time.Second
	// noticePatience is how long Kubernetes may take to see that a machine is off. Its own default is 50 s.
	noticePatience = 2 * time.Minute
)

// deadMachines lets the pods of services start elsewhere at once when their machine is proven off: Kubernetes takes it to be Ready for most of a
// minute, counts its pods as well, and keeps them for minutes after that. What databases and Redis have there is left to their own
// runbooks, which seek their proof by it.
type deadMachines struct {
	*fullOutage
	found []deadMachine
	until time.Time // when Kubernetes has had all the time to notice
}

// deadMachine is one that is off for certain.
type deadMachine struct {
	region, name, proof string
	pods                []kubernetes.ZonePod // that can run elsewhere
}

func (d *deadMachines) do(ctx workflow.Context, region, summary string) workflow.Context {
	return runbook.Within(runbook.Act(ctx, runbook.RegionQueue(region), summary), freePatience)
}

// look asks the power service about the machines that the diagnosis found to be away. What cannot be read is said, and changes nothing.
func (d *deadMachines) look(ctx workflow.Context) (runbook.Verdict, error) {
	d.found = nil
	var asked []call[power.AwaitOffResult]
	for _, node := range d.away {
		asked = append(asked, begin(d.do(ctx, node.region, "is machine "+node.name+" off?"), switches.AwaitOff, power.AwaitOffParams{
			Region: node.region, Node: node.name, Patience: offPatience,
		}))
	}
	verdict := runbook.Verdict{Idle: true, Binding: "free the pods of dead machines"}
	seen := []string{}
	for i, answer := range asked {
		machine := deadMachine{region: d.away[i].region, name: d.away[i].name}
		result, err := answer.get(ctx)
		if err == nil {
			machine.proof = result.Proof
		}
		if err == nil && machine.proof != "" {
			machine.pods, err = d.podsOn(ctx, machine)
		}
		switch {
		case ctx.Err() != nil:
			return verdict, ctx.Err()
		case err != nil:
			seen = append(seen, fmt.Sprintf("%s: %s", machine.name, inWords(err)))
		case machine.proof == "":
			seen = append(seen, fmt.Sprintf("nothing is freed from %s: %s", machine.name, result.Seen))
		default:
			seen = append(seen, machine.proof)
			d.found = append(d.found, machine)
			verdict.Idle = false
			verdict.Changes = append(verdict.Changes, machine.changes()...)
			verdict.Binding += " " + machine.name
		}
	}
	verdict.Seen = strings.Join(seen, "; ")
	verdict.Question = fmt.Sprintf("Let what ran on dead machines start elsewhere? %s", verdict.Seen)
	return verdict, nil
}

func (m deadMachine) changes() []string {
	changes := []string{fmt.Sprintf("node %s: cordoned, until Kubernetes has noticed", m.name)}
	for _, pod := range m.pods {
		changes = append(changes, fmt.Sprintf("pod %s: removed, so that another starts elsewhere", pod.Pod))
	}
	return changes
}

// podsOn are the pods on a dead machine that can run elsewhere, without those of databases and Redis.
func (d *deadMachines) podsOn(ctx workflow.Context, machine deadMachine) ([]kubernetes.ZonePod, error) {
	zone, err := begin(d.do(ctx, machine.region, "read the pods of node "+machine.name), kube.ReadZone, kubernetes.ReadZoneParams{
		Region: machine.region, Node: machine.name, Lost: true, Off: []string{machine.name},
	}).get(ctx)
	stores := storesOf(d.run.Plan)
	return slices.DeleteFunc(zone.Moving, func(pod kubernetes.ZonePod) bool {
		return pod.Namespace != d.run.Plan.Namespace || slices.Contains(stores, pod.Owner)
	}), err
}

// storesOf are the StatefulSets of databases and Redis servers, as owners of pods.
func storesOf(p plan.Plan) []string {
	var owners []string
	for _, database := range p.Databases {
		for _, set := range append([]string{database.Primary}, database.Replicas...) {
			owners = append(owners, plan.StatefulSet+" "+set)
		}
	}
	for _, redis := range p.Redis {
		for _, set := range append([]string{redis.Master}, redis.Replicas...) {
			owners = append(owners, plan.StatefulSet+" "+set)
		}
	}
	return owners
}

// free keeps new pods off each dead machine, and then removes those that are there, all at the same time.
func (d *deadMachines) free(ctx workflow.Context) (string, error) {
	d.until = workflow.Now(ctx).Add(noticePatience)
	var said []string
	for _, machine := range d.found {
		_, err := begin(d.do(ctx, machine.region, "cordon node "+machine.name), kube.Cordon, d.cordon(machine)).get(ctx)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil { // its pods could start there again
			said = append(said, fmt.Sprintf("nothing is freed from %s: %s", machine.name, inWords(err)))
			continue
		}
		said = append(said, d.freePods(ctx, machine))
	}
	d.diagnosed = time.Time{} // what was seen is no longer true
	return strings.Join(said, "; "), ctx.Err()
}

func (d *deadMachines) freePods(ctx workflow.Context, machine deadMachine) string {
	var freeing []call[kubernetes.FreePodResult]
	for _, pod := range machine.pods {
		freeing = append(freeing, begin(d.do(ctx, machine.region, "free pod "+pod.Pod), kube.FreePod, kubernetes.FreePodParams{
			Namespace: pod.Namespace, Region: machine.region, Pod: pod.Pod, UID: pod.UID, Proof: machine.proof,
		}))
	}
	said := fmt.Sprintf("%d pods of %s start elsewhere", len(machine.pods), machine.name)
	for i, pod := range freeing {
		if _, err := pod.get(ctx); err != nil {
			said += fmt.Sprintf("; %s is not freed: %s", machine.pods[i].Pod, inWords(err))
		}
	}
	return said
}

func (d *deadMachines) cordon(machine deadMachine) kubernetes.CordonParams {
	return kubernetes.CordonParams{Region: machine.region, Node: machine.name, Holder: d.run.Holder()}
}

func (d *deadMachines) none() string {
	if len(d.found) == 0 {
		return "no machine was found to be off"
	}
	return ""
}

// noticed waits until Kubernetes itself keeps new pods off the machines, or hears of them again.
func (d *deadMachines) noticed(ctx workflow.Context) (runbook.Verdict, error) {
	var waits []string
	for _, machine := range d.found {
		zone, err := begin(d.do(ctx, machine.region, "has Kubernetes noticed that "+machine.name+" is off?"), kube.ReadZone, kubernetes.ReadZoneParams{
			Region: machine.region, Node: machine.name, Lost: true,
		}).get(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		for _, other := range zone.Others {
			if other.Name == machine.name && other.Late {
				waits = append(waits, machine.name)
			}
		}
	}
	if len(waits) == 0 || workflow.Now(ctx).After(d.until) {
		return runbook.Verdict{Seen: "Kubernetes has noticed"}, nil
	}
	return runbook.Verdict{Waiting: "Kubernetes to see that machines are off: " + strings.Join(waits, ", ")}, nil
}

// uncordon lets pods onto the machines again that this run cordoned, and onto no others.
func (d *deadMachines) uncordon(ctx workflow.Context) error {
	for _, machine := range d.found {
		act := runbook.Act(ctx, runbook.RegionQueue(machine.region), "uncordon node "+machine.name)
		if _, err := begin(act, kube.Uncordon, d.cordon(machine)).get(ctx); err != nil {
			return err
		}
	}
	return nil
}

// next is what is left to be done about the machines.
func (d *deadMachines) next() []string {
	var next []string
	for _, machine := range d.found {
		next = append(next, fmt.Sprintf("mend, or replace, machine %s; what else hangs there: fukkyu run %s --node %s --by NAME", machine.name, NodeLoss.Name, machine.name))
	}
	return next
}

// first and last are the steps around the recovery of the tiers.
func (d *deadMachines) first(approval *plan.Approval) runbook.Step {
	return runbook.Step{
		Name: "Free the services' pods of dead machines", Stage: stageRecover, Budget: quickBudget,
		Guard: d.look, Approval: approval, Do: d.free, Undo: d.uncordon,
	}
}

func (d *deadMachines) last() runbook.Step {
	return runbook.Step{
		Name: "Leave dead machines to Kubernetes", Budget: noticePatience, Bookkeeping: true, Settled: d.none,
		Guard: d.noticed, Do: func(ctx workflow.Context) (string, error) { return "", d.uncordon(ctx) },
	}
}
