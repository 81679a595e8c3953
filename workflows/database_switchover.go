package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// DatabaseSwitchoverRequest is the one JSON argument that starts a switchover.
type DatabaseSwitchoverRequest struct {
	runbook.Request
	Database string `json:"database"`     // a database of the plan
	To       string `json:"to,omitempty"` // pod of the replica that takes over; empty: the one that is furthest
}

// databaseSwitchover lets a replica take over from a healthy primary. It is a failover with another beginning: the primary is
// shut down in order instead of found dead, and the replica is proven to have everything. Nothing is lost, and until the
// promotion the old primary can be started again.
type databaseSwitchover struct {
	databaseFailover
	terms plan.DatabaseSwitchover
	to    string

	primary   postgres.Server // as it was read
	waitUntil time.Time       // the replica must have caught up by then
	ready     postgres.PrepareShutdownResult
	stopped   time.Time // when the primary was told to shut down
}

// DatabaseSwitchover is the workflow.
func DatabaseSwitchover(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request DatabaseSwitchoverRequest
	example := DatabaseSwitchoverRequest{Request: runbook.Request{By: "yuki", Reason: "node-a1 gets a new disk"}, Database: "shodo"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: DatabaseSwitchoverName, Planned: true}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	database, err := databaseOf(run, request.Database)
	if err != nil {
		return report.Report{}, err
	}
	terms := run.Plan.Runbooks.DatabaseSwitchover
	switchover := &databaseSwitchover{
		databaseFailover: *ofDatabase(run, database, Switchover),
		terms:            terms, to: request.To,
	}
	return run.Conduct(ctx, switchover.runbook())
}

func (s *databaseSwitchover) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Guard: s.leaseIsFree, Do: s.takeLease, Undo: s.returnLease,
			},
			{
				Name: "Confirm that the primary is healthy", Budget: quickBudget, Settled: s.fencedBefore,
				Guard: s.primaryIsHealthy,
			},
			{
				Name: "Choose the replica", Budget: s.terms.CatchUp, Settled: s.fencedBefore,
				Guard: s.replicaKeepsUp,
			},
			{
				Name: "Shut the primary down", Budget: quickBudget, Settled: s.fencedBefore, UndoOnFailure: true,
				Guard: s.mayShutDown, Approval: &s.terms.Approval, Do: s.shutDown, Undo: s.startAgain,
			},
			{
				Name: "Prove that the replica has everything", Budget: s.terms.WriteGap, Settled: s.fencedBefore, UndoOnFailure: true,
				Guard: s.replicaHasEverything,
			},
			{
				Name: "Promote the replica", Budget: promotionBudget, Settled: s.promotedBefore, PointOfNoReturn: true,
				Guard: s.mayHandOver, Do: s.promote, Verify: s.promotionHappened,
			},
			{
				Name: "Point the applications at the new primary", Budget: quickBudget,
				Guard: s.mayRedirect, Do: s.pointApplications, Verify: s.applicationsWrite,
			},
			{
				Name: "See the old primary come back as a replica", Budget: cloneBudget,
				Do: s.expectReplicas, Verify: s.formerPrimaryFollows,
			},
			{
				Name: "Verify the whole service", Budget: healthBudget,
				Verify: s.serviceIsWhole,
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Do: s.releaseLease,
			},
		},
		Conclude: s.conclude,
		HandOver: s.handOver,
	}
}

// mostLag is how much WAL, in bytes, a replica may still lack when the primary is told to shut down. It is sent during the
// shutdown, while nobody can write.
const mostLag = 16 << 20

// primaryIsHealthy reads the primary and its replicas. A primary that does not answer is the business of a failover.
func (s *databaseSwitchover) primaryIsHealthy(ctx workflow.Context) (runbook.Verdict, error) {
	if err := s.readAll(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	verdict := runbook.Verdict{Seen: fmt.Sprintf("%s is the primary, at %s on timeline %d, with %d replicas", s.old.Pod, s.primary.ReceiveLSN, s.primary.Timeline, s.standbys)}
	refuse := func(why string) {
		verdict.Objections = append(verdict.Objections, runbook.Objection{
			Why:     why,
			Unblock: fmt.Sprintf("if the primary is gone: fukkyu run database-failover --database %s", s.database.Name),
		})
	}
	switch {
	case s.old.Pod == "":
		refuse(fmt.Sprintf("ConfigMap %s names nobody as the primary of database %s", s.database.Role, s.database.Name))
	case !s.primary.Reached:
		refuse(fmt.Sprintf("primary %s does not answer: %s", s.old.Pod, s.primary.Error))
	case s.primary.InRecovery:
		refuse(fmt.Sprintf("%s, which ConfigMap %s names as the primary, is a replica", s.old.Pod, s.database.Role))
	case s.estate.ServicePod != s.old.Pod:
		refuse(fmt.Sprintf("Service %s sends applications to %s and not to primary %s", s.database.Service, orNone(s.estate.ServicePod), s.old.Pod))
	}
	if !s.database.StartGate {
		verdict.Objections = append(verdict.Objections, runbook.Objection{
			Why:     fmt.Sprintf("database %s has no start gate: Kubernetes would start %s as a primary again as soon as it has shut down", s.database.Name, s.old.Pod),
			Unblock: "give the estate a start gate (startGate in the plan)",
		})
	}
	return verdict, nil
}

// readAll reads the estate and all of its servers.
func (s *databaseSwitchover) readAll(ctx workflow.Context) error {
	estate, err := s.readEstate(ctx)
	if err != nil {
		return err
	}
	s.estate, s.primary = estate, postgres.Server{Error: "its pod is not there"}
	s.old, _ = instanceOf(estate, estate.RolePrimary)
	s.standbys = len(s.replicas())
	read, err := s.beginReadServers(ctx, estate.Instances).get(ctx)
	if err != nil {
		return err
	}
	s.evidence.After = nil
	for _, server := range read.Servers {
		if server.Pod == s.old.Pod {
			s.primary = server
		} else {
			s.evidence.After = append(s.evidence.After, server)
		}
	}
	s.evidence.Gathered = workflow.Now(ctx)
	return nil
}

// replicaKeepsUp chooses the replica, and waits until it lacks little of what the primary has.
func (s *databaseSwitchover) replicaKeepsUp(ctx workflow.Context) (runbook.Verdict, error) {
	if s.waitUntil.IsZero() {
		s.waitUntil = workflow.Now(ctx).Add(s.terms.CatchUp)
	} else if err := s.readAll(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	s.choice = chooseSuccessor(s.evidence.After, s.primary, s.to)
	verdict := runbook.Verdict{}
	if len(s.choice.Refused) > 0 {
		verdict.Facts = []report.Fact{{Name: "other replicas", Value: strings.Join(s.choice.Refused, "; ")}}
	}
	if !s.choice.Found {
		verdict.Objections = s.choiceObjects()
		return verdict, nil
	}
	chosen := s.choice.Chosen
	s.target = promotionTarget{Pod: chosen.Pod, Timeline: chosen.Timeline, SystemID: chosen.SystemID}
	verdict.Seen = fmt.Sprintf("%s, %d bytes behind", chosen.Pod, s.choice.Loss.Bytes)
	switch lags := s.choice.Loss.Bytes > mostLag; {
	case lags && workflow.Now(ctx).After(s.waitUntil):
		verdict.Objections = []runbook.Objection{{
			Why:     fmt.Sprintf("%s is still %d bytes of WAL behind after %s", chosen.Pod, s.choice.Loss.Bytes, s.terms.CatchUp),
			Unblock: "find out why it does not catch up, or name another with --to",
		}}
	case lags:
		verdict.Waiting = fmt.Sprintf("%s to catch up, %d bytes behind", chosen.Pod, s.choice.Loss.Bytes)
	}
	return verdict, nil
}

// mayShutDown asks for the decision. If a person took time to agree, everything is looked at again.
func (s *databaseSwitchover) mayShutDown(ctx workflow.Context) (runbook.Verdict, error) {
	verdict := runbook.Verdict{}
	if workflow.Now(ctx).Sub(s.evidence.Gathered) > evidenceFreshness {
		healthy, err := s.primaryIsHealthy(ctx)
		if err != nil {
			return healthy, err
		}
		s.choice = chooseSuccessor(s.evidence.After, s.primary, s.target.Pod) // the one that was agreed to
		verdict.Objections = healthy.Objections
		if !s.choice.Found {
			verdict.Objections = append(verdict.Objections, s.choiceObjects()...)
		}
	}
	verdict.Question = fmt.Sprintf("Hand database %s over from %s to %s?", s.database.Name, s.old.Pod, s.target.Pod)
	verdict.Binding = fmt.Sprintf("%s to %s", s.old.Pod, s.target.Pod)
	verdict.Facts = []report.Fact{
		{Name: "what users notice", Value: fmt.Sprintf("their sessions end; nobody can write for about a second, %s at most", s.terms.WriteGap)},
		{Name: "what is lost", Value: "nothing: without proof that the replica has everything, the old primary is started again"},
		{Name: "the replica", Value: fmt.Sprintf("%s, %d bytes behind", s.target.Pod, s.choice.Loss.Bytes)},
	}
	verdict.Changes = []string{
		fmt.Sprintf("ConfigMap %s: names nobody instead of %s, epoch %d", s.database.Role, s.old.Pod, s.epoch),
		fmt.Sprintf("%s: sessions end, fast shutdown", s.old.Pod),
	}
	if bouncer, by := s.database.Redirect.ByPgBouncer(); by {
		verdict.Facts[0].Value = fmt.Sprintf("their queries wait in PgBouncer %s for about a second, %s at most", bouncer.Name, s.terms.WriteGap)
		verdict.Changes = append([]string{fmt.Sprintf("PgBouncer %s: holds the clients of %s until the new primary serves", bouncer.Name, bouncer.Database)}, verdict.Changes...)
	}
	return verdict, nil
}

// checkpointPatience is how long the checkpoints ahead of the shutdown may take. Everybody can write in the meantime.
const checkpointPatience = 25 * time.Second

// shutDown closes the start gate, because Kubernetes restarts the container at once, and tells the primary to shut down fast.
func (s *databaseSwitchover) shutDown(ctx workflow.Context) (string, error) {
	if err := s.remember(ctx, phaseFenced); err != nil {
		return "", err
	}
	var err error
	s.ready, err = begin(runbook.Within(s.act(ctx, "write checkpoints ahead of the shutdown"), checkpointPatience), servers.PrepareShutdown, postgres.PrepareShutdownParams{
		Database: s.database.Name, Catalog: s.database.Catalog, Primary: address(s.old), Replica: s.targetAddress(),
	}).get(ctx)
	if err != nil {
		return "", err
	}
	if err := s.holdClients(ctx, s.terms.WriteGap); err != nil {
		return "", err
	}
	_, err = begin(runbook.Within(s.act(ctx, "close the start gate: "+s.database.Role+" names nobody"), s.terms.WriteGap), kube.CloseRole, kubernetes.CloseRoleParams{
		Namespace: s.run.Plan.Namespace, Region: s.database.Region, Role: s.database.Role, From: s.old.Pod, Epoch: s.epoch,
	}).get(ctx)
	if err != nil {
		return "", err
	}
	s.stopped = workflow.Now(ctx)
	s.run.Impact(s.stopped)
	told, err := s.stopServer(ctx, kubernetes.StopFast)
	return told.Said, err
}

func (s *databaseSwitchover) stopServer(ctx workflow.Context, mode string) (kubernetes.StopServerResult, error) {
	return begin(runbook.Within(s.act(ctx, mode+" shutdown of "+s.old.Pod), s.terms.WriteGap), kube.StopServer, kubernetes.StopServerParams{
		Namespace: s.run.Plan.Namespace, Region: s.database.Region, Pod: s.old.Pod, Container: s.database.Container,
		Programs: s.ready.Programs, DataDirectory: s.ready.DataDirectory, Mode: mode,
	}).get(ctx)
}

// comeBackPatience is how long the old primary may take to accept writes again before it is made to restart.
const comeBackPatience = 2 * time.Second

// startAgain opens the gate for the old primary, whose container waits there or never stopped. One that hangs in its shutdown
// is ended hard: it then starts anew and replays its WAL.
func (s *databaseSwitchover) startAgain(ctx workflow.Context) error {
	_, err := begin(s.act(ctx, "open the start gate for "+s.old.Pod), kube.OpenRole, kubernetes.OpenRoleParams{
		Namespace: s.run.Plan.Namespace, Region: s.database.Region, Role: s.database.Role, Pod: s.old.Pod, Epoch: s.epoch,
	}).get(ctx)
	if err != nil || s.ready.DataDirectory == "" {
		return err
	}
	var seen string
	for range 10 {
		back, err := begin(s.act(ctx, "wait for "+s.old.Pod+" to accept writes"), servers.AwaitWritable, postgres.AwaitWritableParams{
			Database: s.database.Name, Catalog: s.database.Catalog, Instance: address(s.old), Patience: comeBackPatience,
		}).get(ctx)
		if err != nil {
			return err
		}
		if seen = back.Seen; back.Writable {
			s.run.Recovered(workflow.Now(ctx))
			s.run.Fact("writes came back", fmt.Sprintf("%s after %s", s.old.Pod, workflow.Now(ctx).Sub(s.stopped).Round(time.Millisecond)))
			return s.releaseClients(ctx)
		}
		if _, err := s.stopServer(ctx, kubernetes.StopImmediate); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s; look at its pod", seen)
}

// replicaHasEverything looks for the shutdown checkpoint at the end of the replica's WAL: nothing can come after it.
func (s *databaseSwitchover) replicaHasEverything(ctx workflow.Context) (runbook.Verdict, error) {
	if s.run.Rehearsing() {
		return runbook.Verdict{Seen: "cannot be known before the shutdown"}, nil
	}
	patience := max(s.terms.WriteGap-workflow.Now(ctx).Sub(s.stopped), probeTimeout)
	found, err := begin(s.act(ctx, "wait for the shutdown checkpoint on "+s.target.Pod), servers.AwaitShutdown, postgres.AwaitShutdownParams{
		Database: s.database.Name, Catalog: s.database.Catalog, Replica: s.targetAddress(), After: s.ready.LSN, Patience: patience,
	}).get(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	s.proof = found.Proof
	if found.Proof == "" {
		return runbook.Verdict{Objections: []runbook.Objection{{
			Why: fmt.Sprintf("nothing proves within %s that %s shut down and that %s has everything: %s", s.terms.WriteGap, s.old.Pod, s.target.Pod, found.Seen),
		}}}, nil
	}
	return runbook.Verdict{Seen: found.Proof, Facts: []report.Fact{{Name: "proof that the old primary is stopped", Value: found.Proof}}}, nil
}

// mayHandOver lets only the replica be promoted that was proven to have everything.
func (s *databaseSwitchover) mayHandOver(ctx workflow.Context) (runbook.Verdict, error) {
	if s.scheduled || s.run.Request.Continue {
		return s.mayPromoteAgain(ctx)
	}
	return runbook.Verdict{Changes: s.promotionChanges()}, nil
}

// expectReplicas remembers that the applications were moved. The old primary comes back by its start gate, which lets it in
// as a replica now that the role object names another.
func (s *databaseSwitchover) expectReplicas(ctx workflow.Context) (string, error) {
	if err := s.remember(ctx, phaseRedirected); err != nil {
		return "", err
	}
	return "", s.recreateSlots(ctx)
}

// formerPrimaryFollows waits until everybody streams, the old primary among them, which then keeps no WAL for replicas that left it.
func (s *databaseSwitchover) formerPrimaryFollows(ctx workflow.Context) (string, error) {
	said, err := s.replicasStream(ctx)
	if err != nil {
		return "", err
	}
	return said, s.dropStaleSlots(ctx, address(s.old))
}

func (s *databaseSwitchover) conclude(r *report.Report) {
	switch r.Outcome {
	case report.Recovered, report.RecoveredLate:
		r.Summary = fmt.Sprintf("%s took over database %s from %s, which is a replica now", s.target.Pod, s.database.Name, s.old.Pod)
	case report.Rehearsed:
		r.Summary = rehearsal(r)
	}
	if s.proof == "" {
		r.RPO.How = "not measured: nothing was promoted"
		return
	}
	nothing := time.Duration(0)
	r.RPO.Measured, r.RPO.How = &nothing, s.proof
}
