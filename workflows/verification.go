package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// What a verification may take of everybody's time.
const (
	verifyPatience = 20 * time.Second // of one activity, with all its tries
	verifyHealth   = 3 * time.Second  // until a service is well: nothing is being recovered
	verifyRedis    = 3 * time.Second  // of one server
	verifySample   = 100              // keys
)

// VerificationRequest is the one JSON argument that starts a verification.
type VerificationRequest struct {
	Databases []string `json:"databases,omitempty"` // of the plan; all of them, all Redis servers and all services otherwise
}

// Verification is what was found. It is a pass when every check is one.
type Verification struct {
	Plan    string    `json:"plan"`
	Hash    string    `json:"hash"` // of the plan
	At      time.Time `json:"at"`
	Checks  []Finding `json:"checks"`
	Verdict string    `json:"verdict"`
}

// Finding is a check, and of what.
type Finding struct {
	Target string `json:"target"`
	integrity.Check
}

var caches *redis.Activities

// Verify is the workflow. It takes no lease and changes nothing.
func Verify(ctx workflow.Context, input converter.RawValue) (Verification, error) {
	var request VerificationRequest
	if err := runbook.Decode(input, &request, VerificationRequest{Databases: []string{"shodo"}}); err != nil {
		return Verification{}, err
	}
	pinned, err := pinPlan(ctx)
	if err != nil {
		return Verification{}, err
	}
	for _, name := range request.Databases {
		if !slices.Contains(pinned.Plan.DatabaseNames(), name) {
			return Verification{}, runbook.Refuse("database %q is not in the plan, which has %s", name, strings.Join(pinned.Plan.DatabaseNames(), ", "))
		}
	}
	found := Verification{Plan: pinned.Plan.Name, Hash: pinned.Hash, At: workflow.Now(ctx), Verdict: integrity.Pass}
	found.Checks = verifyAll(ctx, pinned.Plan, request.Databases)
	for _, check := range found.Checks {
		if check.Verdict != integrity.Pass {
			found.Verdict = integrity.Fail
		}
	}
	return found, nil
}

// verifyAll checks everything at the same time, and returns the checks in the plan's order. Databases limit it to themselves.
func verifyAll(ctx workflow.Context, whole plan.Plan, databases []string) []Finding {
	var looks []func(workflow.Context) []Finding
	for _, database := range whole.Databases {
		if len(databases) == 0 || slices.Contains(databases, database.Name) {
			looks = append(looks, func(ctx workflow.Context) []Finding { return verifyDatabase(ctx, whole.Namespace, database) })
		}
	}
	if len(databases) == 0 {
		for _, server := range whole.Redis {
			looks = append(looks, func(ctx workflow.Context) []Finding { return verifyRedisServer(ctx, whole.Namespace, server) })
		}
		looks = append(looks, func(ctx workflow.Context) []Finding { return verifyServices(ctx, whole) })
	}
	found := make([][]Finding, len(looks))
	done := workflow.NewWaitGroup(ctx)
	for i, look := range looks {
		done.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer done.Done()
			found[i] = look(ctx)
		})
	}
	done.Wait(ctx)
	return slices.Concat(found...)
}

// looking prepares for an activity that only reads: one that is cancelled need not be waited for.
func looking(ctx workflow.Context, region, summary string) workflow.Context {
	act := runbook.Within(runbook.Act(ctx, runbook.RegionQueue(region), summary), verifyPatience)
	return workflow.WithWaitForCancellation(act, false)
}

// verifyDatabase asks the pod that may be primary.
func verifyDatabase(ctx workflow.Context, namespace string, database plan.Database) []Finding {
	estate, primary, unknown := primaryOf(ctx, namespace, database)
	if unknown != nil {
		return unknown
	}
	inspection := beginInspection(ctx, database, estate, primary, estate.Wanted()-1)
	asked := begin(looking(ctx, database.Region, "run the plan's integrity queries"), servers.CheckIntegrity, postgres.CheckIntegrityParams{
		Database: database.Name, Catalog: database.Catalog, Instance: address(primary), Queries: database.Integrity,
	})
	checks := inspection()
	answers, err := asked.get(ctx)
	return append(checks, orNotRun(targetOf(database), "the plan's queries", answers.Checks, err)...)
}

// inspectDatabase is verifyDatabase without the plan's queries, for a run that knows how many replicas there should be by now.
func inspectDatabase(ctx workflow.Context, namespace string, database plan.Database, replicas int) []Finding {
	estate, primary, unknown := primaryOf(ctx, namespace, database)
	if unknown != nil {
		return unknown
	}
	return beginInspection(ctx, database, estate, primary, replicas)()
}

func targetOf(database plan.Database) string { return "database " + database.Name }

// primaryOf finds the pod that may be primary. Without one, unknown says why nothing can be checked.
func primaryOf(ctx workflow.Context, namespace string, database plan.Database) (estate kubernetes.Estate, primary kubernetes.Instance, unknown []Finding) {
	estate, err := begin(looking(ctx, database.Region, "find the primary of "+database.Name), kube.ReadEstate,
		kubernetes.ReadEstateParams{Namespace: namespace, Database: database}).get(ctx)
	if err != nil {
		return estate, primary, couldNotRun(targetOf(database), "find the primary", err)
	}
	primary, found := instanceOf(estate, estate.RolePrimary)
	if !found {
		return estate, primary, couldNotRun(targetOf(database), "find the primary", fmt.Errorf("ConfigMap %s names %s, of which there is no pod", database.Role, orNone(estate.RolePrimary)))
	}
	return estate, primary, nil
}

// beginInspection looks at the server of the primary. What it returns waits for the findings.
func beginInspection(ctx workflow.Context, database plan.Database, estate kubernetes.Estate, primary kubernetes.Instance, replicas int) func() []Finding {
	inspected := begin(looking(ctx, database.Region, "inspect "+primary.Pod), servers.InspectServer, postgres.InspectServerParams{
		Database: database.Name, Catalog: database.Catalog, Instance: address(primary), Replicas: max(replicas, 0),
	})
	return func() []Finding {
		inspection, err := inspected.get(ctx)
		checks := []Finding{{targetOf(database), integrity.Compare("applications are sent to the primary", orNone(estate.ServicePod), primary.Pod)}}
		return append(checks, orNotRun(targetOf(database), "inspect "+primary.Pod, inspection.Checks, err)...)
	}
}

// verifyServices asks every endpoint, from the region of the plan.
func verifyServices(ctx workflow.Context, whole plan.Plan) []Finding {
	if len(whole.Regions) == 0 {
		return nil
	}
	health, err := begin(looking(ctx, whole.Regions[0], "ask every service for its health"), app.CheckHealth, application.CheckHealthParams{
		Services: whole.Services, Patience: verifyHealth,
	}).get(ctx)
	if err != nil {
		return couldNotRun("services", "health", err)
	}
	return answersOf(health.Checks)
}

// answersOf are the answers of services, each judged.
func answersOf(answers []application.Check) []Finding {
	var checks []Finding
	for _, answer := range answers {
		measured, verdict := fmt.Sprintf("well in %s", answer.Took.Round(time.Millisecond)), integrity.Pass
		if !answer.OK {
			measured, verdict = answer.Said, integrity.Fail
		}
		checks = append(checks, Finding{"service " + answer.Service, integrity.Check{Name: answer.Path, Measured: measured, Expected: "well", Verdict: verdict}})
	}
	return checks
}

func orNotRun(target, name string, checks []integrity.Check, err error) []Finding {
	if err != nil {
		return couldNotRun(target, name, err)
	}
	var found []Finding
	for _, check := range checks {
		found = append(found, Finding{target, check})
	}
	return found
}

func couldNotRun(target, name string, err error) []Finding {
	return []Finding{{target, integrity.CouldNotRun(name, saidBy(err))}}
}

// saidBy is what an activity said, without what Temporal puts around it.
func saidBy(err error) string {
	var said *temporal.ApplicationError
	if errors.As(err, &said) {
		return said.Message()
	}
	var late *temporal.TimeoutError
	if errors.As(err, &late) || temporal.IsCanceledError(err) {
		return "no answer in time"
	}
	return err.Error()
}
