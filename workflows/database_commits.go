package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// What becomes of commits that wait for replicas.
const (
	RelaxCommits   = "relax"   // they wait for nobody
	RestoreCommits = "restore" // they wait for what the plan says
)

// DatabaseCommitsRequest is the one JSON argument that starts a change of what commits wait for.
type DatabaseCommitsRequest struct {
	runbook.Request
	Database string `json:"database"` // a database of the plan
	Commits  string `json:"commits"`  // relax or restore
}

// databaseCommits changes what the commits of a primary wait for that serves: where the synchronous replicas are gone, every commit
// hangs, and only a person can say whether to go on without them. It ends at once instead of waiting for replicas, because it must never
// stand in the way of a failover; what it leaves is in the lease.
type databaseCommits struct {
	databaseFailover
	commits  string
	found    postgres.ReadCommitsResult
	approval plan.Approval
}

// DatabaseCommits is the workflow.
func DatabaseCommits(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request DatabaseCommitsRequest
	example := DatabaseCommitsRequest{Request: runbook.Request{By: "yuki", Reason: "both replicas are gone, nobody can write"}, Database: "shodo", Commits: RelaxCommits}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: DatabaseCommitsName}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	database, err := databaseOf(run, request.Database)
	if err != nil {
		return report.Report{}, err
	}
	c := &databaseCommits{databaseFailover: *ofDatabase(run, database, Commits), commits: request.Commits}
	switch {
	case request.Commits != RelaxCommits && request.Commits != RestoreCommits:
		return report.Report{}, runbook.Refuse("commits %q is unknown: %s or %s", request.Commits, RelaxCommits, RestoreCommits)
	case !database.Durability.Synchronous():
		return report.Report{}, runbook.Refuse("commits of database %s wait for nobody: the plan's durability is %s", database.Name, plan.Asynchronous)
	}
	return run.Conduct(ctx, c.runbook())
}

func (c *databaseCommits) runbook() runbook.Runbook {
	steps := []runbook.Step{{
		Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
		Guard: c.leaseIsFree, Do: c.takeLease, Undo: c.returnLease,
	}}
	if c.commits == RelaxCommits {
		steps = append(steps, c.relaxStep())
	} else {
		steps = append(steps, c.restoreSteps()...)
	}
	steps = append(steps, runbook.Step{
		Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
		Do: func(ctx workflow.Context) (string, error) { return "", c.returnLease(ctx) },
	})
	return runbook.Runbook{Steps: steps, Conclude: c.conclude}
}

func (c *databaseCommits) relaxStep() runbook.Step {
	c.approval = c.run.Plan.Runbooks.DatabaseFailover.Approval
	c.approval.Needed = max(1, c.approval.Needed) // a plan that asks nobody for a failover does not give durability away
	return runbook.Step{
		Name: "Let commits go on without a replica", Budget: quickBudget,
		Guard: c.mayRelax, Approval: &c.approval, Do: c.relaxCommits, Verify: c.nobodyWaits, Undo: c.wait,
	}
}

func (c *databaseCommits) restoreSteps() []runbook.Step {
	return []runbook.Step{
		{
			Name: "See the replicas have what is written", Budget: flushPatience, Bookkeeping: true, UndoOnFailure: true,
			Guard: c.enoughStream, Do: c.enoughFlush,
		},
		{
			Name: "Let commits wait for replicas again", Budget: quickBudget,
			Guard: c.mayRestore, Do: c.restore,
		},
	}
}

// read looks at the primary that the role object names.
func (c *databaseCommits) read(ctx workflow.Context) (*runbook.Objection, error) {
	estate, err := c.readEstate(ctx)
	if err != nil {
		return nil, err
	}
	c.estate, c.target = estate, promotionTarget{Pod: estate.RolePrimary}
	if instance, found := instanceOf(estate, estate.RolePrimary); !found || instance.IP == "" {
		return &runbook.Objection{Why: fmt.Sprintf("database %s has no primary: ConfigMap %s names %s", c.database.Name, c.database.Role, orNone(estate.RolePrimary)),
			Unblock: "bring the database up: fukkyu run database-failover --database " + c.database.Name}, nil
	}
	c.found, err = begin(c.act(ctx, "what do commits of "+c.target.Pod+" wait for?"), servers.ReadCommits, postgres.ReadCommitsParams{
		Database: c.database.Name, Catalog: c.database.Catalog, Instance: c.targetAddress(),
	}).get(ctx)
	if err == nil && c.found.InRecovery {
		return &runbook.Objection{Why: fmt.Sprintf("%s, which ConfigMap %s names as the primary, is a replica", c.target.Pod, c.database.Role)}, nil
	}
	return nil, err
}

// hangs is how long a commit may wait before the replicas that seem to stream are taken to be silent.
const hangs = 5 * time.Second

// mayRelax refuses while commits come to their end, and says what is given away when they do not.
func (c *databaseCommits) mayRelax(ctx workflow.Context) (runbook.Verdict, error) {
	objection, err := c.read(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	needed := c.database.Durability.Standbys
	seen := fmt.Sprintf("%d replicas stream (%s), commits wait for %d; %d sessions wait, the longest for %s",
		len(c.found.Streaming), orNone(strings.Join(c.found.Streaming, ", ")), needed, c.found.Waiting, c.found.Longest.Round(time.Second))
	verdict := runbook.Verdict{Seen: seen}
	switch {
	case objection != nil:
	case c.found.Names == "":
		objection = &runbook.Objection{Why: fmt.Sprintf("commits of %s wait for nobody already", c.target.Pod), Unblock: c.restoreCommand() + " when there are replicas again"}
	case len(c.found.Streaming) >= needed && c.found.Longest < hangs:
		objection = &runbook.Objection{Why: "commits do not hang: " + seen, Unblock: "start again when they do"}
	}
	if objection != nil {
		verdict.Objections = []runbook.Objection{*objection}
		return verdict, nil
	}
	verdict.Question = fmt.Sprintf("Let commits of %s go on without a replica?", c.target.Pod)
	verdict.Binding = "relax " + c.target.Pod
	verdict.Undefaultable = true
	verdict.Facts = []report.Fact{
		{Name: "what hangs", Value: seen},
		{Name: "what is given away", Value: fmt.Sprintf("from then on an acknowledged commit is on %s alone: if it is lost, so are they, until commits wait again", c.target.Pod)},
		{Name: "what else helps", Value: "bringing a replica back: commits then go on by themselves"},
	}
	verdict.Changes = []string{fmt.Sprintf("%s: synchronous_standby_names is empty, was %s", c.target.Pod, c.found.Names)}
	return verdict, nil
}

// relaxCommits remembers in the lease what it is about to do: whoever fails over next must know that commits did not wait.
func (c *databaseCommits) relaxCommits(ctx workflow.Context) (string, error) {
	if err := c.rememberRelaxed(ctx, true); err != nil {
		return "", err
	}
	return fmt.Sprintf("commits of %s wait for nobody", c.target.Pod), c.setSynchronous(ctx, "")
}

func (c *databaseCommits) rememberRelaxed(ctx workflow.Context, relaxed bool) error {
	c.last.Relaxed = relaxed
	return c.keep(ctx, fmt.Sprintf("remember in the lease whether commits wait: %t", !relaxed), c.last)
}

// nobodyWaits reads back that the commits that hung have come to their end.
func (c *databaseCommits) nobodyWaits(ctx workflow.Context) (string, error) {
	objection, err := c.read(ctx)
	switch {
	case err != nil:
		return "", err
	case objection != nil:
		return "", fmt.Errorf("%s", objection)
	case c.found.Longest >= hangs:
		return "", fmt.Errorf("%d sessions still wait, the longest for %s", c.found.Waiting, c.found.Longest.Round(time.Second))
	}
	c.run.Recovered(workflow.Now(ctx))
	return fmt.Sprintf("commits of %s wait for nobody, and none hangs", c.target.Pod), nil
}

// wait lets commits wait again, as before.
func (c *databaseCommits) wait(ctx workflow.Context) error {
	if err := c.setSynchronous(ctx, c.database.Durability.StandbyNames()); err != nil {
		return err
	}
	return c.rememberRelaxed(ctx, false)
}

// enoughStream refuses to let commits wait for replicas that are not there.
func (c *databaseCommits) enoughStream(ctx workflow.Context) (runbook.Verdict, error) {
	objection, err := c.read(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	needed := c.database.Durability.Standbys
	if objection == nil && len(c.found.Streaming) < needed {
		objection = &runbook.Objection{Why: fmt.Sprintf("every commit would hang: %d replicas stream, and the plan lets commits wait for %d", len(c.found.Streaming), needed),
			Unblock: "bring replicas back first"}
	}
	if objection != nil {
		return runbook.Verdict{Objections: []runbook.Objection{*objection}}, nil
	}
	return runbook.Verdict{Seen: fmt.Sprintf("streaming from %s: %s", c.target.Pod, strings.Join(c.found.Streaming, ", "))}, nil
}

// flushPatience is how long replicas may take to have on their disks what is written now: a live one takes less than a second.
const flushPatience = 10 * time.Second

// enoughFlush has the replicas prove that they are alive: for a minute PostgreSQL takes one that has fallen silent to be streaming.
func (c *databaseCommits) enoughFlush(ctx workflow.Context) (string, error) {
	needed := c.database.Durability.Standbys
	seen, err := begin(c.act(ctx, fmt.Sprintf("wait until %d replicas have what is written", needed)), servers.AwaitFlushed, postgres.AwaitFlushedParams{
		Database: c.database.Name, Catalog: c.database.Catalog, Primary: c.targetAddress(), AtLeast: needed, Patience: flushPatience,
	}).get(ctx)
	switch {
	case err != nil:
		return "", err
	case !seen.Enough:
		return "", fmt.Errorf("every commit would hang: %s, and the plan lets commits wait for %d; bring replicas back first", seen.Seen, needed)
	}
	return fmt.Sprintf("on the disks of %s", strings.Join(seen.Flushed, ", ")), nil
}

func (c *databaseCommits) mayRestore(ctx workflow.Context) (runbook.Verdict, error) {
	verdict, err := c.enoughStream(ctx)
	if err == nil && len(verdict.Objections) == 0 {
		verdict.Changes = []string{fmt.Sprintf("%s: synchronous_standby_names is %s, was %s", c.target.Pod, c.database.Durability.StandbyNames(), orNone(c.found.Names))}
	}
	return verdict, err
}

func (c *databaseCommits) restore(ctx workflow.Context) (string, error) {
	if err := c.wait(ctx); err != nil {
		return "", err
	}
	c.run.Recovered(workflow.Now(ctx))
	return fmt.Sprintf("commits of %s wait for %s", c.target.Pod, c.database.Durability.StandbyNames()), nil
}

func (c *databaseCommits) restoreCommand() string {
	return fmt.Sprintf("fukkyu run %s --restore --database %s --by NAME", Commits.Name, c.database.Name)
}

func (c *databaseCommits) conclude(r *report.Report) {
	r.RPO.How = "not measured: nothing was promoted"
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
	case !r.Outcome.ServiceIsBack():
	case c.commits == RelaxCommits:
		r.Summary = fmt.Sprintf("commits of %s wait for no replica", c.target.Pod)
		r.Missing = append(r.Missing, fmt.Sprintf("the plan asks for %s: until then an acknowledged commit is on %s alone", c.database.Durability.StandbyNames(), c.target.Pod))
		r.Next = append(r.Next, c.restoreCommand())
	default:
		r.Summary = fmt.Sprintf("commits of %s wait for %s again", c.target.Pod, c.database.Durability.StandbyNames())
	}
}
