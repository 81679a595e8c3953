package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

const (
	// promotionPatience is how long a replica may take to become a primary before somebody has to look.
	promotionPatience = 25 * time.Second
	// canaryPatience is how long one attempt waits for the application to write again.
	canaryPatience = 20 * time.Second
	// sickCanaryPatience is how long it does within a full outage: an application that is well writes within a second of the promotion.
	sickCanaryPatience = 5 * time.Second
)

// mayPromote chooses again: while the old primary was fenced, a replica may have received more, or died.
func (f *databaseFailover) mayPromote(ctx workflow.Context) (runbook.Verdict, error) {
	if f.scheduled || f.run.Request.Continue {
		return f.mayPromoteAgain(ctx)
	}
	if !f.run.Rehearsing() {
		read, err := f.beginReadServers(ctx, f.replicas()).get(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		f.choose(f.rememberHearing(read.Servers))
	}
	verdict := f.decision()
	verdict.Objections = f.choiceObjects()
	verdict.Changes = f.promotionChanges()
	return verdict, nil
}

func (f *databaseFailover) promotionChanges() []string {
	return []string{
		fmt.Sprintf("ConfigMap %s: names %s", f.database.Role, f.target.Pod),
		fmt.Sprintf("%s becomes the primary and leaves timeline %d", f.target.Pod, f.target.Timeline),
	}
}

// rememberHearing keeps what servers knew of the primary while they still received from it: a stopped receiver forgets.
func (f *databaseFailover) rememberHearing(read []postgres.Server) []postgres.Server {
	for i := range read {
		for _, earlier := range append(f.evidence.Before, f.evidence.After...) {
			if earlier.Pod == read[i].Pod && earlier.LastHeard.After(read[i].LastHeard) {
				read[i].LastHeard = earlier.LastHeard
			}
		}
	}
	return read
}

// mayPromoteAgain lets only the server be promoted whose promotion was scheduled before: that call may have succeeded, and
// a second primary would be worse than none.
func (f *databaseFailover) mayPromoteAgain(ctx workflow.Context) (runbook.Verdict, error) {
	estate, err := f.readEstate(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	f.estate = estate
	verdict := runbook.Verdict{Seen: f.target.Pod + " may have been promoted already", Binding: "again " + f.target.Pod,
		Question: fmt.Sprintf("Promote %s, whose promotion was called before?", f.target.Pod)}
	if instance, found := instanceOf(estate, f.target.Pod); !found || instance.IP == "" {
		verdict.Objections = []runbook.Objection{{
			Why:     fmt.Sprintf("the promotion of %s was called and nobody knows whether it happened, and its pod is not there", f.target.Pod),
			Unblock: "bring the pod back and retry; another replica must not be promoted beside it",
		}}
	}
	return verdict, nil
}

// promote opens the start gate for the replica, then promotes it: should it restart in between, it comes back as what it is to become.
func (f *databaseFailover) promote(ctx workflow.Context) (string, error) {
	f.scheduled, f.relaxed = true, f.database.Durability.Synchronous()
	if err := f.remember(ctx, phasePromoting); err != nil {
		return "", err
	}
	_, err := begin(f.act(ctx, "open the start gate for "+f.target.Pod), kube.OpenRole, kubernetes.OpenRoleParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Role: f.database.Role, Pod: f.target.Pod, Epoch: f.epoch,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	if err := f.relax(ctx); err != nil {
		return "", err
	}
	f.promoted, err = begin(f.act(ctx, "promote "+f.target.Pod), servers.Promote, postgres.PromoteParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: f.targetAddress(),
		FromTimeline: f.target.Timeline, SystemID: f.target.SystemID, Patience: promotionPatience,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is the primary on timeline %d, at %s", f.target.Pod, f.promoted.Timeline, f.promoted.LSN), nil
}

// promotionHappened compares the timeline that was read back with the one that was left.
func (f *databaseFailover) promotionHappened(workflow.Context) (string, error) {
	if f.promoted.Timeline <= f.target.Timeline {
		return "", fmt.Errorf("%s reports timeline %d after its promotion from timeline %d", f.target.Pod, f.promoted.Timeline, f.target.Timeline)
	}
	f.run.Fact("timeline", fmt.Sprintf("%d, was %d", f.promoted.Timeline, f.target.Timeline))
	return "", nil
}

func (f *databaseFailover) targetAddress() postgres.Instance {
	instance, _ := instanceOf(f.estate, f.target.Pod)
	return address(instance)
}

// mayRedirect says where the applications are sent today.
func (f *databaseFailover) mayRedirect(ctx workflow.Context) (runbook.Verdict, error) {
	if f.run.Request.Continue {
		estate, err := f.readEstate(ctx)
		if err != nil {
			return runbook.Verdict{}, err
		}
		f.estate = estate
	}
	verdict := runbook.Verdict{
		Seen:    fmt.Sprintf("Service %s sends applications to %s", f.database.Service, orNone(f.estate.ServicePod)),
		Changes: []string{fmt.Sprintf("Service %s: selects %s", f.database.Service, f.target.Pod)},
	}
	if secret, by := f.database.Redirect.BySecret(); by {
		verdict.Changes = append(verdict.Changes, fmt.Sprintf("Secret %s: host %s; Deployments %s: rolled out",
			secret.Name, secret.HostOf(f.target.Pod), strings.Join(secret.Deployments, ", ")))
	}
	if bouncer, by := f.database.Redirect.ByPgBouncer(); by {
		verdict.Changes = append(verdict.Changes, fmt.Sprintf("ConfigMap %s and every pod of PgBouncer %s: database %s has host %s",
			bouncer.ConfigMap, bouncer.Name, bouncer.Database, bouncer.HostOf(f.target.Pod)))
	}
	return verdict, nil
}

// pointApplications moves the Service that applications and replicas connect to, and the Secret or the PgBouncer where
// applications have their address from one.
func (f *databaseFailover) pointApplications(ctx workflow.Context) (string, error) {
	_, err := begin(f.act(ctx, "Service "+f.database.Service+" selects "+f.target.Pod), kube.PointService, kubernetes.PointServiceParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Service: f.database.Service, From: f.estate.ServicePod, To: f.target.Pod,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("Service %s selects %s", f.database.Service, f.target.Pod)
	if err := f.pointSecret(ctx); err != nil {
		return said, err
	}
	return said, f.pointBouncers(ctx)
}

// pointSecret writes the new primary's host into the Secret and has the applications start anew.
func (f *databaseFailover) pointSecret(ctx workflow.Context) error {
	secret, by := f.database.Redirect.BySecret()
	if !by {
		return nil
	}
	host := secret.HostOf(f.target.Pod)
	_, err := begin(f.act(ctx, "Secret "+secret.Name+" holds host "+host), kube.PointSecret, kubernetes.PointSecretParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Secret: secret.Name, Key: secret.Key, Host: host,
	}).get(ctx)
	if err != nil {
		return err
	}
	_, err = begin(f.act(ctx, "roll out "+strings.Join(secret.Deployments, ", ")), kube.RollOut, kubernetes.RollOutParams{
		Namespace: f.run.Plan.Namespace, Region: f.database.Region, Deployments: secret.Deployments, Mark: fmt.Sprintf("%s-%d", host, f.epoch),
	}).get(ctx)
	return err
}

// awaitRollOut waits until no application process is left that was started with the old address.
func (f *databaseFailover) awaitRollOut(ctx workflow.Context) error {
	secret, by := f.database.Redirect.BySecret()
	if !by {
		return nil
	}
	deadline := workflow.Now(ctx).Add(healthBudget)
	for {
		rolled, err := begin(f.act(ctx, "wait for the roll-out"), kube.AwaitRollOut, kubernetes.AwaitRollOutParams{
			Namespace: f.run.Plan.Namespace, Region: f.database.Region, Deployments: secret.Deployments, Patience: healthPatience,
		}).get(ctx)
		if err != nil || rolled.Done {
			return err
		}
		if workflow.Now(ctx).After(deadline) {
			return fmt.Errorf("not rolled out after %s: %s", healthBudget, rolled.Seen)
		}
	}
}

// applicationsWrite writes through the application and reads it back. The moment of that acknowledgement is when service was back.
func (f *databaseFailover) applicationsWrite(ctx workflow.Context) (string, error) {
	said, err := f.seeWrites(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Service %s selects %s; %s", f.database.Service, f.target.Pod, said), nil
}

// seeWrites sees that what was written through the application is in the database. Within a full outage the application may be sick of something
// else, and has its turn after the database: then a write to the database itself has to do.
func (f *databaseFailover) seeWrites(ctx workflow.Context) (string, error) {
	service := f.database.Canary.Service
	written, err := f.writeCanary(ctx)
	if err == nil {
		f.direct = ""
		f.run.Recovered(written.At)
		return fmt.Sprintf("the first write through %s was acknowledged at %s", service, written.At.UTC().Format(time.RFC3339Nano)), nil
	}
	if ctx.Err() != nil || f.run.Request.DecidedBy == "" {
		return "", err
	}
	direct, failed := begin(f.act(ctx, "write to "+f.target.Pod+" itself"), servers.AwaitWritable, postgres.AwaitWritableParams{
		Database: f.database.Name, Catalog: f.database.Catalog, Instance: f.targetAddress(), Patience: sickCanaryPatience,
	}).get(ctx)
	if failed != nil || !direct.Writable {
		return "", errors.Join(err, failed, errors.New(direct.Seen))
	}
	f.direct = fmt.Sprintf("%s, and %s has not written to it yet: %s", direct.Seen, service, inWords(err))
	return f.direct, nil
}

func (f *databaseFailover) writeCanary(ctx workflow.Context) (application.WriteCanaryResult, error) {
	act, patience := f.act(ctx, "write through "+f.database.Canary.Service+" and read it back"), canaryPatience
	if f.run.Request.DecidedBy != "" {
		patience = sickCanaryPatience
		act = runbook.Within(act, patience+time.Second)
	}
	return begin(act, app.WriteCanary, application.WriteCanaryParams{
		Canary: f.database.Canary, Number: workflow.Now(ctx).UnixMicro(), Patience: patience,
	}).get(ctx)
}

// describe lists what a person must know of things that did not go as planned.
func describe(failures []string) error {
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(failures, "; "))
}
