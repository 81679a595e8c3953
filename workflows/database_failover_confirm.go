package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

const (
	// probeTimeout is how long one witness waits for an answer of the primary. A healthy server answers in milliseconds; the
	// silence of a slow one is caught by the other witnesses.
	probeTimeout = 500 * time.Millisecond
	// evidenceFreshness is how old evidence may be when a change rests on it. It spares a run that nobody has to approve a
	// second round of probes.
	evidenceFreshness = 5 * time.Second
)

// primaryIsGone asks every witness at the same time whether the primary still answers. One answer is enough to refuse.
func (f *databaseFailover) primaryIsGone(ctx workflow.Context) (runbook.Verdict, error) {
	if err := f.gatherEvidence(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	verdict := runbook.Verdict{Seen: f.evidence.String()}
	if f.old.Pod == "" {
		verdict.Objections = append(verdict.Objections, runbook.Objection{
			Why:     fmt.Sprintf("ConfigMap %s names nobody as the primary of database %s, so there is nobody to replace", f.database.Role, f.database.Name),
			Unblock: "write the name of the pod that was the primary into its key primary",
		})
		return verdict, nil
	}
	if witnesses := f.evidence.answers(); len(witnesses) > 0 {
		verdict.Objections = append(verdict.Objections, runbook.Objection{
			Guard: GuardPrimaryAnswers, Why: fmt.Sprintf("primary %s is not gone: %s", f.old.Pod, strings.Join(witnesses, "; ")),
			Unblock: "if it must be replaced all the same, stop it, or override the guard",
		})
	}
	return verdict, nil
}

// gatherEvidence reads the estate and asks all witnesses.
func (f *databaseFailover) gatherEvidence(ctx workflow.Context) error {
	estate, err := f.readEstate(ctx)
	if err != nil {
		return err
	}
	f.estate, f.old, f.oldSet = estate, kubernetes.Instance{}, kubernetes.Set{}
	f.evidence = primaryEvidence{Impact: f.run.Request.ImpactStarted}
	old, found := instanceOf(estate, f.primaryName(estate))
	if !found {
		old.Pod = f.primaryName(estate)
	}
	f.old, f.evidence.Instance = old, old
	f.oldSet = setOf(estate, old.StatefulSet)
	f.standbys = len(f.replicas())
	if err := f.askWitnesses(ctx); err != nil {
		return err
	}
	f.evidence.Gathered = workflow.Now(ctx)
	f.run.Detected(f.evidence.Gathered)
	if len(f.evidence.answers()) == 0 {
		f.run.Impact(earlier(f.evidence.lastSign(), f.evidence.Gathered))
	}
	return nil
}

// primaryName is the pod that the role object names. A run that was cut off between fence and promotion leaves the role
// object empty; the lease then remembers whom it fenced.
func (f *databaseFailover) primaryName(estate kubernetes.Estate) string {
	if estate.RolePrimary == "" && f.last.Phase == phaseFenced {
		return f.last.OldPrimary
	}
	return estate.RolePrimary
}

func (f *databaseFailover) readEstate(ctx workflow.Context) (kubernetes.Estate, error) {
	params := kubernetes.ReadEstateParams{Namespace: f.run.Plan.Namespace, Database: f.database}
	return begin(f.act(ctx, "read pods, StatefulSets, role object and Service"), kube.ReadEstate, params).get(ctx)
}

// askWitnesses runs all probes at the same time. What the replicas hear is read before and after: an advance is a sign of life.
func (f *databaseFailover) askWitnesses(ctx workflow.Context) error {
	before := f.beginReadServers(ctx, f.replicas())
	fromHere := begin(f.act(ctx, "ask "+f.old.Pod+" from the worker"), servers.ProbeServer, postgres.ProbeServerParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: address(f.old), Timeout: probeTimeout,
	})
	fromPod := begin(f.act(ctx, "ask "+f.old.Pod+" from a pod in another zone"), kube.ProbeFromPod, kubernetes.ProbeFromPodParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, From: f.podsElsewhere(), Container: f.database.Container,
		Host: f.old.IP, Port: f.database.Port, Timeout: probeTimeout,
	})
	powered := begin(f.act(ctx, "ask the power switch about node "+f.old.Node), switches.ReadPower, power.ReadPowerParams{Region: f.database.Region, Node: f.old.Node})

	read, err := before.get(ctx)
	if err != nil {
		return err
	}
	f.evidence.Before = read.Servers
	if f.evidence.FromHere, err = fromHere.get(ctx); err != nil {
		return err
	}
	if f.evidence.FromPod, err = fromPod.get(ctx); err != nil {
		return err
	}
	if f.evidence.Power, err = powered.get(ctx); err != nil {
		return err
	}
	after, err := f.beginReadServers(ctx, f.replicas()).get(ctx)
	f.evidence.After = after.Servers
	return err
}

func (f *databaseFailover) beginReadServers(ctx workflow.Context, instances []kubernetes.Instance) call[postgres.ReadServersResult] {
	params := postgres.ReadServersParams{Database: f.database.Name, Catalog: f.database.Catalog, Timeout: probeTimeout}
	for _, instance := range instances {
		params.Instances = append(params.Instances, address(instance))
	}
	return begin(f.act(ctx, "read the replicas' positions"), servers.ReadServers, params)
}

// replicaIsFit chooses the replica that would be promoted and says what would be lost.
func (f *databaseFailover) replicaIsFit(workflow.Context) (runbook.Verdict, error) {
	f.choose(f.evidence.After)
	verdict := runbook.Verdict{Seen: f.choiceInWords(), Facts: f.choiceFacts()}
	verdict.Objections = f.choiceObjects()
	return verdict, nil
}

func (f *databaseFailover) choose(read []postgres.Server) {
	f.choice = chooseReplica(read, f.evidence.knowledge())
	f.chooseSynchronous(read)
	if f.choice.Found {
		f.target = promotionTarget{Pod: f.choice.Chosen.Pod, Timeline: f.choice.Chosen.Timeline, SystemID: f.choice.Chosen.SystemID}
	}
}

func (f *databaseFailover) choiceObjects() []runbook.Objection {
	if !f.choice.Found {
		return []runbook.Objection{{
			Why:     fmt.Sprintf("no replica of database %s can be promoted: %s", f.database.Name, orNone(strings.Join(f.choice.Refused, "; "))),
			Unblock: "bring a replica back, or recover from a backup",
		}}
	}
	return f.dataLossObjects()
}

func (f *databaseFailover) choiceInWords() string {
	if !f.choice.Found {
		return "no replica is fit"
	}
	chosen := f.choice.Chosen
	return fmt.Sprintf("%s at %s on timeline %d; lost would be %s", chosen.Pod, progress(chosen), chosen.Timeline, f.choice.Loss)
}

func (f *databaseFailover) choiceFacts() []report.Fact {
	if !f.choice.Found {
		return []report.Fact{{Name: "replicas", Value: strings.Join(f.choice.Refused, "; ")}}
	}
	facts := []report.Fact{
		{Name: "replica to promote", Value: fmt.Sprintf("%s at %s on timeline %d", f.choice.Chosen.Pod, progress(f.choice.Chosen), f.choice.Chosen.Timeline)},
		{Name: "acknowledged writes that would be lost", Value: f.choice.Loss.String() + " (" + f.choice.Loss.HowBounded + ")"},
	}
	if len(f.choice.Refused) > 0 {
		facts = append(facts, report.Fact{Name: "other replicas", Value: strings.Join(f.choice.Refused, "; ")})
	}
	return facts
}

// replicas are the instances other than the old primary.
func (f *databaseFailover) replicas() []kubernetes.Instance {
	var replicas []kubernetes.Instance
	for _, instance := range f.estate.Instances {
		if instance.Pod != f.old.Pod {
			replicas = append(replicas, instance)
		}
	}
	return replicas
}

// podsElsewhere are the pods that can ask for us, those in another zone than the old primary first.
func (f *databaseFailover) podsElsewhere() []string {
	var elsewhere, beside []string
	for _, instance := range f.replicas() {
		if instance.Zone != f.old.Zone {
			elsewhere = append(elsewhere, instance.Pod)
		} else {
			beside = append(beside, instance.Pod)
		}
	}
	return append(elsewhere, beside...)
}

func address(instance kubernetes.Instance) postgres.Instance {
	return postgres.Instance{Pod: instance.Pod, Host: instance.IP, Port: instance.Port}
}

func instanceOf(estate kubernetes.Estate, pod string) (kubernetes.Instance, bool) {
	for _, instance := range estate.Instances {
		if instance.Pod == pod {
			return instance, true
		}
	}
	return kubernetes.Instance{}, false
}

func setOf(estate kubernetes.Estate, name string) kubernetes.Set {
	for _, set := range estate.Sets {
		if set.Name == name {
			return set
		}
	}
	return kubernetes.Set{}
}
