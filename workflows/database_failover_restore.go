package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// streamingPatience is how long one look for streaming replicas lasts. A clone may take many of them.
const streamingPatience = 20 * time.Second

// healthPatience is how long one look for well services lasts. They are not all well before Kubernetes has replaced their pods on
// the dead machine, which by its defaults takes six minutes.
const healthPatience = 20 * time.Second

// mayGrow counts what the StatefulSets want against what there was before, and chooses the one that gets a new replica.
func (f *databaseFailover) mayGrow(ctx workflow.Context) (runbook.Verdict, error) {
	estate, err := f.readEstate(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	f.estate = estate
	missing := f.missingPods()
	f.grown, f.grownTo = kubernetes.Set{}, 0
	verdict := runbook.Verdict{Seen: fmt.Sprintf("%d replicas are wanted, as before", f.standbys)}
	if missing > 0 {
		f.grown = f.setToGrow()
		f.grownTo = f.grown.Replicas + int32(missing)
		verdict.Changes = []string{fmt.Sprintf("StatefulSet %s: replicas %d, was %d; the new pod clones the primary", f.grown.Name, f.grownTo, f.grown.Replicas)}
	}
	return verdict, nil
}

// missingPods is how many pods the StatefulSets want too few: the primary and its replicas, and the old primary's pod where a
// StatefulSet still wants that one, too.
func (f *databaseFailover) missingPods() int {
	wanted := f.standbys + 1
	if f.estate.Wants(f.old.Pod) && !f.run.Rehearsing() {
		wanted++
	}
	missing := wanted - f.estate.Wanted()
	if f.run.Rehearsing() {
		missing++ // the old primary's pod, which would be held down by then
	}
	return missing
}

// setToGrow is the StatefulSet of the promoted replica when the plan lists it among those that hold replicas, else the first that
// does; another one where that would only bring back the old primary's pod, whose machine and volume are gone.
func (f *databaseFailover) setToGrow() kubernetes.Set {
	names := slices.Clone(f.database.Replicas)
	promoted, _ := instanceOf(f.estate, f.target.Pod)
	if at := slices.Index(names, promoted.StatefulSet); at > 0 {
		names = slices.Insert(slices.Delete(names, at, at+1), 0, promoted.StatefulSet)
	}
	for _, name := range append(names, f.database.Primary) {
		if set := setOf(f.estate, name); set.Replicas > 0 && !f.bringsBack(set) {
			return set
		}
	}
	return setOf(f.estate, names[0])
}

// bringsBack says that the next pod of a StatefulSet is the old primary's.
func (f *databaseFailover) bringsBack(set kubernetes.Set) bool {
	return fmt.Sprintf("%s-%d", set.Name, set.Start+set.Replicas) == f.old.Pod
}

// addReplica lets the StatefulSet create a new replica. It clones the new primary by itself.
func (f *databaseFailover) addReplica(ctx workflow.Context) (string, error) {
	if err := f.remember(ctx, phaseRedirected); err != nil {
		return "", err
	}
	if err := f.recreateSlots(ctx); err != nil {
		return "", err
	}
	if f.grown.Name == "" {
		return "as many pods are wanted as before", nil
	}
	if f.bringsBack(f.grown) { // it has the name of the new one
		if _, err := f.freePod(ctx); err != nil {
			return "", err
		}
	}
	_, err := begin(f.act(ctx, fmt.Sprintf("StatefulSet %s: %d replicas", f.grown.Name, f.grownTo)), kube.AddReplica, kubernetes.AddReplicaParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Set: f.grown, Replicas: f.grownTo,
	}).get(ctx)
	return fmt.Sprintf("StatefulSet %s has %d replicas", f.grown.Name, f.grownTo), err
}

// replicasStream waits until as many replicas stream from the new primary as streamed from the old one.
func (f *databaseFailover) replicasStream(ctx workflow.Context) (string, error) {
	began := workflow.Now(ctx)
	for {
		streaming, err := f.awaitStreaming(ctx)
		if err != nil {
			return "", err
		}
		if streaming.Enough {
			return fmt.Sprintf("streaming from %s: %s", f.target.Pod, strings.Join(streaming.Streaming, ", ")), f.restoreSynchronous(ctx)
		}
		took := workflow.Now(ctx).Sub(began)
		switch {
		case streaming.Total > 0: // it may take hours, as long as it goes on
			f.run.Fact("clone", progressInWords(streaming.Copied, streaming.Total, took))
		case took > cloneBudget:
			return "", fmt.Errorf("%d replicas are wanted after %s; seen: %s; see the pods of the StatefulSets", f.standbys, cloneBudget, streaming.Seen)
		}
	}
}

func (f *databaseFailover) awaitStreaming(ctx workflow.Context) (postgres.AwaitStreamingResult, error) {
	return begin(f.act(ctx, fmt.Sprintf("wait for %d streaming replicas", f.standbys)), servers.AwaitStreaming, postgres.AwaitStreamingParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Primary: f.targetAddress(), AtLeast: f.standbys, Patience: streamingPatience,
	}).get(ctx)
}

// podHangs looks for the old primary's pod. It hangs when its machine is off: nobody is left there to confirm its end.
func (f *databaseFailover) podHangs(ctx workflow.Context) (runbook.Verdict, error) {
	if !f.machineOff {
		return runbook.Verdict{Seen: "its machine is not proven off, so it is left to its kubelet"}, nil
	}
	if !f.run.Rehearsing() {
		estate, err := f.readEstate(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		f.estate = estate
	}
	hanging, found := instanceOf(f.estate, f.old.Pod)
	if !found || hanging.UID != f.old.UID {
		return runbook.Verdict{Seen: f.old.Pod + " is gone"}, nil
	}
	return runbook.Verdict{
		Seen:    f.old.Pod + " hangs on its dead machine",
		Changes: []string{fmt.Sprintf("pod %s: removed from the API; its volume claim and data directory stay", f.old.Pod)},
	}, nil
}

// freePod removes the pod that hangs. It comes after the new replica, because until then the dead pod keeps the new one off
// the dead machine, which Kubernetes takes to be alive for a while. The data directory is left alone: rows that only the old
// primary has are in there.
func (f *databaseFailover) freePod(ctx workflow.Context) (string, error) {
	hanging, found := instanceOf(f.estate, f.old.Pod)
	if !f.machineOff || !found || hanging.UID != f.old.UID {
		return "nothing hangs", nil
	}
	_, err := begin(f.act(ctx, "remove "+f.old.Pod+", which hangs on its dead machine"), kube.FreePod, kubernetes.FreePodParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Pod: hanging.Pod, UID: hanging.UID, Proof: f.proof,
	}).get(ctx)
	return fmt.Sprintf("%s is removed; data directory set aside on its volume claim", f.old.Pod), err
}

// serviceIsWhole checks at the same time everything that users and the next disaster rely on.
func (f *databaseFailover) serviceIsWhole(ctx workflow.Context) (string, error) {
	integrity := begin(f.act(ctx, "run the integrity queries"), servers.CheckIntegrity, postgres.CheckIntegrityParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: f.targetAddress(), Queries: f.database.Integrity,
	})
	if err := f.awaitRollOut(ctx); err != nil {
		return "", err
	}
	if _, err := f.seeWrites(ctx); err != nil {
		return "", err
	}
	inspecting := checkIntegrity(ctx, f.run, func(ctx workflow.Context) []Finding {
		return inspectDatabase(ctx, f.run.Plan.Namespace, f.database, f.standbys)
	})
	sound, err := integrity.get(ctx)
	queries := orNotRun(targetOf(f.database), "the plan's queries", sound.Checks, err)
	if err != nil {
		return "", errors.Join(err, inspecting.record(ctx, queries...))
	}
	asked, failures, err := f.awaitHealth(ctx)
	if err := errors.Join(err, inspecting.record(ctx, queries...)); err != nil {
		return "", err
	}
	for _, check := range sound.Checks {
		f.run.Fact("integrity: "+check.Name, check.Measured)
		if check.Verdict != postgres.Pass {
			failures = append(failures, fmt.Sprintf("integrity query %s: measured %q, expected %q", check.Name, check.Measured, check.Expected))
		}
	}
	said := fmt.Sprintf("%s, %d health endpoints, %d integrity queries", cmp.Or(f.direct, "a write and its reading back"), asked, len(sound.Checks))
	return said, describe(failures)
}

// awaitHealth asks every service until all are well, or the budget is used up. It returns how many endpoints it asked and which
// of them are not well. A run that another one began leaves that to it: services may be sick of something else, which comes next.
func (f *databaseFailover) awaitHealth(ctx workflow.Context) (asked int, unwell []string, err error) {
	if f.run.Request.DecidedBy != "" {
		return 0, nil, nil
	}
	deadline := workflow.Now(ctx).Add(healthBudget)
	for {
		health, err := begin(f.act(ctx, "ask every service for its health"), app.CheckHealth, application.CheckHealthParams{
			Services: f.run.Plan.Services, Patience: healthPatience,
		}).get(ctx)
		if err != nil {
			return 0, nil, err
		}
		unwell = nil
		for _, check := range health.Checks {
			if !check.OK {
				unwell = append(unwell, fmt.Sprintf("%s%s is not well: %s", check.Service, check.Path, check.Said))
			}
		}
		if len(unwell) == 0 || workflow.Now(ctx).After(deadline) {
			return len(health.Checks), unwell, nil
		}
	}
}

// conclude measures what was lost and says in a sentence how it ended.
func (f *databaseFailover) conclude(r *report.Report) {
	f.measureRPO(r)
	switch r.Outcome {
	case report.Recovered, report.RecoveredLate, report.RecoveredUnproven:
		r.Summary = fmt.Sprintf("%s replaced %s as the primary of database %s; proof that the old one is stopped: %s",
			f.target.Pod, f.old.Pod, f.database.Name, orNone(f.proof))
		if f.direct != "" {
			r.Summary += "; " + f.direct
		}
		r.Holds = append(r.Holds, fmt.Sprintf("the data directory of %s is set aside untouched on its volume claim until a person lets it go", f.old.Pod))
	case report.Rehearsed:
		r.Summary = rehearsal(r)
	}
}

// rehearsal says in a sentence how a rehearsal ended.
func rehearsal(r *report.Report) string {
	count := 0
	for _, step := range r.Steps {
		if step.State == report.Blocked {
			count++
		}
	}
	return fmt.Sprintf("nothing was changed; %d of %d steps would be refused", count, len(r.Steps))
}

// measureRPO states the loss. Rows are not counted before the old primary's data directory can be read.
func (f *databaseFailover) measureRPO(r *report.Report) {
	if !f.scheduled && r.Outcome != report.Rehearsed {
		r.RPO.How = "not measured: nothing was promoted"
		return
	}
	if !f.choice.Loss.Bounded {
		r.RPO.How = "not measured: nobody can say when the chosen replica last agreed with the primary"
		return
	}
	within := f.choice.Loss.Within
	r.RPO.Measured = &within
	r.RPO.How = "an upper bound, " + f.choice.Loss.HowBounded + "; rows are counted when the old data directory can be read"
	f.run.Fact("acknowledged writes lost", f.choice.Loss.String())
}

// handOver gives the lease back with what it remembers, and says what stands.
func (f *databaseFailover) handOver(ctx workflow.Context, r *report.Report) error {
	r.Holds = append(r.Holds, fmt.Sprintf("the start gate keeps everybody but %s from starting as a primary", f.target.Pod))
	phase := phasePromoting
	if f.promoted.Timeline > 0 || f.last.Phase == phasePromoted || f.last.Phase == phaseRedirected {
		phase = phasePromoted
		r.Holds = append(r.Holds, fmt.Sprintf("%s is the primary of database %s", f.target.Pod, f.database.Name))
	} else {
		r.Missing = append(r.Missing, fmt.Sprintf("nobody knows whether %s was promoted", f.target.Pod))
	}
	if r.Clocks.Recovered.IsZero() {
		r.Missing = append(r.Missing, fmt.Sprintf("applications have not been seen to write to %s", f.target.Pod))
	} else {
		phase = phaseRedirected
		r.Holds = append(r.Holds, "applications write to it")
	}
	if err := f.releaseClients(ctx); err != nil {
		r.Missing = append(r.Missing, "clients wait in PgBouncer: "+err.Error())
	}
	r.Missing = append(r.Missing, "redundancy is not restored")
	if f.relaxed {
		r.Missing = append(r.Missing, fmt.Sprintf("commits of %s wait for no replica, and the plan asks for %s", f.target.Pod, f.database.Durability.StandbyNames()))
	}
	r.Next = append(r.Next, fmt.Sprintf("fukkyu run %s --database %s --by NAME --continue", f.scenario.Name, f.database.Name))
	record := f.record(phase)
	record.FinishedAt, record.Outcome = workflow.Now(ctx), string(report.Incomplete)
	return f.letGo(ctx, record)
}
