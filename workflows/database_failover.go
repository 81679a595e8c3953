package workflows

import (
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/pgbouncer"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// The guards of a database failover that a person may override.
const (
	GuardPrimaryAnswers = "primary-answers" // the primary still answers somebody
	GuardDataLoss       = "data-loss"       // more would be lost than the RPO allows, or nobody can say how much
	GuardUnprovenFence  = "unproven-fence"  // nothing proves that the old primary is stopped
	GuardCoolingOff     = "cooling-off"     // the last recovery of this database was a short while ago
)

// DatabaseFailoverGuards lists them.
func DatabaseFailoverGuards() []string {
	return []string{GuardPrimaryAnswers, GuardDataLoss, GuardUnprovenFence, GuardCoolingOff}
}

// DatabaseFailoverRequest is the one JSON argument that starts a database failover.
type DatabaseFailoverRequest struct {
	runbook.Request
	Database string `json:"database"` // a database of the plan
}

// The budgets of the steps: what they take on an estate of ordinary size, with room. They add up to less than an RTO of
// 30 minutes, and exceeding one is only reported.
const (
	quickBudget     = 5 * time.Second  // reads, and writes of one object
	proofBudget     = 30 * time.Second // a container may use up its grace period before it is gone
	promotionBudget = 30 * time.Second
	cloneBudget     = 15 * time.Minute
	healthBudget    = 8 * time.Minute // Kubernetes' own defaults before it replaces the pods of a dead machine, and their start
)

// databaseFailover replaces a PostgreSQL primary that is gone by one of its replicas: section 3.2 of the Shodo plan.
// Its fields are what the steps learn from each other.
type databaseFailover struct {
	recoveryLease
	database plan.Database
	policy   plan.DatabaseFailover
	scenario Scenario

	estate     kubernetes.Estate
	evidence   primaryEvidence
	old        kubernetes.Instance // the primary that is gone
	oldSet     kubernetes.Set      // its StatefulSet as found
	choice     replicaChoice
	proof      string // why the old primary is known to be stopped, empty without proof
	poweredOff bool   // this run switched its machine off
	machineOff bool   // the proof is that its machine is off: nobody is left there to remove its pod
	target     promotionTarget
	scheduled  bool                   // the promotion of target was scheduled: it may have happened
	promoted   postgres.PromoteResult // its result
	grown      kubernetes.Set         // the StatefulSet that gets a new replica, as found before; empty when none is missing
	grownTo    int32                  // how many replicas it gets
	standbys   int                    // how many replicas there were, and should be again
	relaxed    bool                   // the primary's commits wait for no replica: the old one's by a person's word, the new one's until redundancy is restored
	direct     string                 // that the database takes writes, while its application does not write yet
	paused     bool                   // clients wait in PgBouncer for the new primary
}

// promotionTarget is the replica that becomes the primary, and the history it must have for that.
type promotionTarget struct {
	Pod      string
	Timeline uint32 // which it leaves by its promotion
	SystemID string
}

// Activities by the system that they touch. They are never called here, only named.
var (
	leasing  *lease.Activities
	kube     *kubernetes.Activities
	servers  *postgres.Activities
	bouncers *pgbouncer.Activities
	switches *power.Activities
	app      *application.Activities
)

// DatabaseFailover is the workflow.
func DatabaseFailover(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request DatabaseFailoverRequest
	example := DatabaseFailoverRequest{Request: runbook.Request{By: "yuki", Reason: "primary down"}, Database: "shodo"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	scenario := runbook.Scenario{Name: DatabaseFailoverName, Guards: DatabaseFailoverGuards()}
	run, err := runbook.Begin(ctx, scenario, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	database, err := databaseOf(run, request.Database)
	if err != nil {
		return report.Report{}, err
	}
	failover := ofDatabase(run, database, Failover)
	failover.policy = run.Plan.Runbooks.DatabaseFailover
	return run.Conduct(ctx, failover.runbook())
}

// ofDatabase is what every recovery of a database begins with.
func ofDatabase(run *runbook.Run, database plan.Database, scenario Scenario) *databaseFailover {
	place := lease.Place{Namespace: run.Plan.Namespace, Region: database.Region, Target: database.Name}
	return &databaseFailover{recoveryLease: recoveryLease{run: run, place: place, what: "database " + database.Name}, database: database, scenario: scenario}
}

// databaseOf looks up the database that a request names, and refuses one that the plan does not have.
func databaseOf(run *runbook.Run, name string) (plan.Database, error) {
	database, found := run.Plan.Database(name)
	if !found {
		return database, runbook.Refuse("database %q is not in plan %s: %s; for example {\"database\": %q, \"by\": \"yuki\"}",
			name, run.Plan.Name, strings.Join(run.Plan.DatabaseNames(), ", "), run.Plan.DatabaseNames()[0])
	}
	run.Target("database " + database.Name)
	return database, nil
}

func (f *databaseFailover) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Guard: f.leaseIsFree, Do: f.takeLease, Undo: f.returnLease,
			},
			{
				Name: "Confirm that the primary is gone", Budget: quickBudget, Settled: f.fencedBefore,
				Guard: f.primaryIsGone,
			},
			{
				Name: "Choose the replica", Budget: quickBudget, Settled: f.fencedBefore,
				Guard: f.replicaIsFit,
			},
			{
				Name: "Fence the old primary", Budget: quickBudget, Settled: f.fencedBefore,
				Guard: f.mayFence, Approval: &f.policy.Approval, Do: f.fence, Undo: f.unfence,
			},
			{
				Name: "Switch its machine off when nothing else stops it", Budget: proofBudget, Settled: f.stopsByItself,
				Guard: f.mayPowerOff, Do: f.powerOff, Undo: f.powerOn,
			},
			{
				Name: "Prove that the old primary is stopped", Budget: proofBudget, Settled: f.fencedBefore,
				Guard: f.fenceIsProven,
			},
			{
				Name: "Stop the replicas from receiving", Budget: quickBudget, Settled: f.fencedBefore,
				Do: f.stopReceiving,
			},
			{
				Name: "Promote the replica", Budget: promotionBudget, Settled: f.promotedBefore, PointOfNoReturn: true,
				Guard: f.mayPromote, Approval: &f.policy.Approval, Do: f.promote, Verify: f.promotionHappened,
			},
			{
				Name: "Point the applications at the new primary", Budget: quickBudget,
				Guard: f.mayRedirect, Do: f.pointApplications, Verify: f.applicationsWrite,
			},
			{
				Name: "Restore redundancy", Budget: cloneBudget,
				Guard: f.mayGrow, Do: f.addReplica, Verify: f.replicasStream,
			},
			{
				Name: "Free the old primary's pod", Budget: quickBudget,
				Guard: f.podHangs, Do: f.freePod,
			},
			{
				Name: "Verify the whole service", Budget: healthBudget,
				Verify: f.serviceIsWhole,
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Do: f.releaseLease,
			},
		},
		Conclude: f.conclude,
		HandOver: f.handOver,
	}
}
