package workflows

import (
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

// healthPatience is how long services may need until they are well again: their pods on the dead machine are replaced meanwhile.
const healthPatience = 25 * time.Second

// mayGrow chooses the StatefulSet that gets the new replica.
func (f *databaseFailover) mayGrow(ctx workflow.Context) (runbook.Verdict, error) {
	if !f.run.Rehearsing() && f.grown.Name == "" {
		estate, err := f.readEstate(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		f.estate = estate
		f.standbys = max(f.standbys, 1)
		f.grown = f.setToGrow()
	}
	set := f.grown
	if set.Name == "" {
		set = f.setToGrow()
	}
	changes := []string{fmt.Sprintf("StatefulSet %s: replicas %d, was %d; the new pod clones the primary", set.Name, set.Replicas+1, set.Replicas)}
	if f.machineOff && f.old.UID != "" {
		changes = append(changes, fmt.Sprintf("pod %s: removed from the API if it hangs on its dead machine; its volume claim and data directory stay", f.old.Pod))
	}
	return runbook.Verdict{Seen: fmt.Sprintf("%d replicas are wanted, as before", f.standbys), Changes: changes}, nil
}

// setToGrow is the StatefulSet of the promoted replica when the plan lists it among those that hold replicas, else the first that does.
func (f *databaseFailover) setToGrow() kubernetes.Set {
	promoted, _ := instanceOf(f.estate, f.target.Pod)
	if slices.Contains(f.database.Replicas, promoted.StatefulSet) {
		return setOf(f.estate, promoted.StatefulSet)
	}
	return setOf(f.estate, f.database.Replicas[0])
}

// addReplica makes room for a new replica and lets the StatefulSet create it. It clones the new primary by itself.
func (f *databaseFailover) addReplica(ctx workflow.Context) (string, error) {
	if err := f.remember(ctx, phaseRedirected); err != nil {
		return "", err
	}
	if err := f.freeHangingPod(ctx); err != nil {
		return "", err
	}
	_, err := begin(f.act(ctx, fmt.Sprintf("StatefulSet %s: one more replica", f.grown.Name)), kube.AddReplica, kubernetes.AddReplicaParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Set: f.grown, Replicas: f.grown.Replicas + 1,
	}).get(ctx)
	return fmt.Sprintf("StatefulSet %s has %d replicas", f.grown.Name, f.grown.Replicas+1), err
}

// freeHangingPod removes the old primary's pod from the API when it hangs on a machine that is proven off. Its volume claim
// and so its data directory are left alone: rows that only the old primary has are in there.
func (f *databaseFailover) freeHangingPod(ctx workflow.Context) error {
	hanging, found := instanceOf(f.estate, f.old.Pod)
	if !found || !f.machineOff || hanging.UID != f.old.UID {
		return nil
	}
	_, err := begin(f.act(ctx, "remove "+f.old.Pod+", which hangs on its dead machine"), kube.FreePod, kubernetes.FreePodParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Pod: hanging.Pod, UID: hanging.UID, Proof: f.proof,
	}).get(ctx)
	return err
}

// replicasStream waits until as many replicas stream from the new primary as streamed from the old one.
func (f *databaseFailover) replicasStream(ctx workflow.Context) (string, error) {
	deadline := workflow.Now(ctx).Add(cloneBudget)
	for {
		streaming, err := f.awaitStreaming(ctx)
		if err != nil {
			return "", err
		}
		if streaming.Enough {
			return fmt.Sprintf("streaming from %s: %s", f.target.Pod, strings.Join(streaming.Streaming, ", ")), nil
		}
		if workflow.Now(ctx).After(deadline) {
			return "", fmt.Errorf("%d replicas are wanted after %s; seen: %s; see the pods of StatefulSet %s", f.standbys, cloneBudget, streaming.Seen, f.grown.Name)
		}
	}
}

func (f *databaseFailover) awaitStreaming(ctx workflow.Context) (postgres.AwaitStreamingResult, error) {
	return begin(f.act(ctx, fmt.Sprintf("wait for %d streaming replicas", f.standbys)), servers.AwaitStreaming, postgres.AwaitStreamingParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Primary: f.targetAddress(), AtLeast: f.standbys, Patience: streamingPatience,
	}).get(ctx)
}

// serviceIsWhole checks at the same time everything that users and the next disaster rely on.
func (f *databaseFailover) serviceIsWhole(ctx workflow.Context) (string, error) {
	health := begin(f.act(ctx, "ask every service for its health"), app.CheckHealth, application.CheckHealthParams{Services: f.run.Plan.Services, Patience: healthPatience})
	integrity := begin(f.act(ctx, "run the integrity queries"), servers.CheckIntegrity, postgres.CheckIntegrityParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: f.targetAddress(), Queries: f.database.Integrity,
	})
	written, err := f.writeCanary(ctx)
	if err != nil {
		return "", err
	}
	f.run.Recovered(written.At)
	healthy, err := health.get(ctx)
	if err != nil {
		return "", err
	}
	sound, err := integrity.get(ctx)
	if err != nil {
		return "", err
	}
	var failures []string
	for _, check := range healthy.Checks {
		if !check.OK {
			failures = append(failures, fmt.Sprintf("%s%s is not well: %s", check.Service, check.Path, check.Said))
		}
	}
	for _, check := range sound.Checks {
		f.run.Fact("integrity: "+check.Name, check.Measured)
		if check.Verdict != postgres.Pass {
			failures = append(failures, fmt.Sprintf("integrity query %s: measured %q, expected %q", check.Name, check.Measured, check.Expected))
		}
	}
	said := fmt.Sprintf("a write and its reading back, %d health endpoints, %d integrity queries", len(healthy.Checks), len(sound.Checks))
	return said, describe(failures)
}

// conclude measures what was lost and says in a sentence how it ended.
func (f *databaseFailover) conclude(r *report.Report) {
	f.measureRPO(r)
	switch r.Outcome {
	case report.Recovered, report.RecoveredLate, report.RecoveredUnproven:
		r.Summary = fmt.Sprintf("%s replaced %s as the primary of database %s; proof that the old one is stopped: %s",
			f.target.Pod, f.old.Pod, f.database.Name, orNone(f.proof))
		r.Holds = append(r.Holds, fmt.Sprintf("the data directory of %s is set aside untouched on its volume claim until a person lets it go", f.old.Pod))
	case report.Rehearsed:
		r.Summary = fmt.Sprintf("nothing was changed; %d of %d steps would be refused", blocked(r), len(r.Steps))
	}
}

func blocked(r *report.Report) int {
	count := 0
	for _, step := range r.Steps {
		if step.State == report.Blocked {
			count++
		}
	}
	return count
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
	r.Missing = append(r.Missing, "redundancy is not restored")
	r.Next = append(r.Next, fmt.Sprintf("fukkyu run database-failover --database %s --by NAME --continue", f.database.Name))
	record := f.record(phase)
	record.FinishedAt, record.Outcome = workflow.Now(ctx), string(report.Incomplete)
	return f.letGo(ctx, record)
}
