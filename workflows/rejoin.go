package workflows

import (
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// RejoinRequest is the one JSON argument that starts a rejoin.
type RejoinRequest struct {
	runbook.Request
	Database string `json:"database"` // a database of the plan
}

// databaseRejoin brings the primary that the last recovery replaced back as a replica. It is a recovery of its own, under the same lease:
// its steps between the lease's are those that any other scenario may end with.
type databaseRejoin struct {
	databaseFailover
	back rejoin
}

// Rejoin is the workflow.
func Rejoin(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request RejoinRequest
	example := RejoinRequest{Request: runbook.Request{By: "yuki", Reason: "node-a1 is repaired"}, Database: "shodo"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: RejoinName, Planned: true}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	database, err := databaseOf(run, request.Database)
	if err != nil {
		return report.Report{}, err
	}
	r := &databaseRejoin{
		databaseFailover: *ofDatabase(run, database, Rejoining),
		back:             rejoin{run: run, database: database},
	}
	return run.Conduct(ctx, r.runbook())
}

func (r *databaseRejoin) runbook() runbook.Runbook {
	steps := []runbook.Step{
		{
			Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
			Guard: r.leaseIsFree, Do: r.takeLease, Undo: r.returnLease,
		},
		{
			Name: "Find the former primary and the new one", Budget: quickBudget,
			Guard: r.formerPrimaryIsKnown,
		},
	}
	steps = append(steps, r.back.steps()...)
	steps = append(steps, runbook.Step{
		Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
		Do: r.releaseUnchanged,
	})
	return runbook.Runbook{Steps: steps, Conclude: r.conclude, HandOver: r.handOver}
}

// formerPrimaryIsKnown takes from the lease whom the last recovery replaced, and from the estate by whom. The new primary must serve, and
// the former one's machine must be up.
func (r *databaseRejoin) formerPrimaryIsKnown(ctx workflow.Context) (runbook.Verdict, error) {
	estate, err := r.readEstate(ctx)
	if err != nil {
		return runbook.Verdict{}, err
	}
	r.estate = estate
	now, found := instanceOf(estate, estate.RolePrimary)
	var verdict runbook.Verdict
	refuse := func(why, unblock string) {
		verdict.Objections = append(verdict.Objections, runbook.Objection{Why: why, Unblock: unblock})
	}
	goOn := fmt.Sprintf("bring the database up first: fukkyu run database-failover --database %s", r.database.Name)
	switch {
	case r.last.OldPrimary == "":
		refuse(fmt.Sprintf("the lease of database %s remembers no primary that was replaced", r.database.Name), "there is nobody to bring back")
	case estate.RolePrimary == "" || !found || now.IP == "":
		refuse(fmt.Sprintf("database %s has no primary: ConfigMap %s names %s", r.database.Name, r.database.Role, orNone(estate.RolePrimary)), goOn)
	case estate.RolePrimary == r.last.OldPrimary:
		refuse(fmt.Sprintf("%s is the primary", r.last.OldPrimary), "there is nobody to bring back")
	case estate.ServicePod != estate.RolePrimary:
		refuse(fmt.Sprintf("Service %s sends applications to %s and not to primary %s", r.database.Service, orNone(estate.ServicePod), estate.RolePrimary), goOn)
	}
	if len(verdict.Objections) > 0 {
		return verdict, nil
	}
	r.back.former, r.back.primary, r.back.epoch = r.last.OldPrimary, address(now), r.epoch
	verdict.Seen = fmt.Sprintf("%s was the primary, %s is", r.back.former, now.Pod)
	return verdict, r.machineIsUp(ctx, &verdict)
}

// machineIsUp waits for the machine that the former primary ran on, as far as the lease remembers it.
func (r *databaseRejoin) machineIsUp(ctx workflow.Context, verdict *runbook.Verdict) error {
	if r.last.OldNode == "" {
		return nil
	}
	node, err := begin(r.act(ctx, "is node "+r.last.OldNode+" up?"), kube.ReadNode, kubernetes.ReadNodeParams{Region: r.database.Region, Node: r.last.OldNode}).get(ctx)
	if err != nil || node.Ready {
		return err
	}
	verdict.Objections = append(verdict.Objections, runbook.Objection{
		Why: fmt.Sprintf("the machine of %s is not up: %s", r.back.former, node.Said), Unblock: "switch it on and start again",
	})
	return nil
}

// releaseUnchanged gives the lease back with the memory of the recovery before: a rejoin replaces nobody, so the time between two
// recoveries runs from that one.
func (r *databaseRejoin) releaseUnchanged(ctx workflow.Context) (string, error) {
	return "", r.returnLease(ctx)
}

func (r *databaseRejoin) conclude(book *report.Report) {
	if book.RPO.How = "not measured"; r.back.former != "" {
		book.RPO.How = r.back.lossInWords()
	}
	switch book.Outcome {
	case report.Recovered, report.RecoveredLate:
		book.Summary = fmt.Sprintf("%s is a replica of %s; %s", r.back.former, r.back.primary.Pod, r.back.lossInWords())
		book.Holds = append(book.Holds, r.back.holds()...)
		book.Holds = append(book.Holds, "a replica that the failover added in its place stays; scale its StatefulSet in when it is not wanted any more")
	case report.Rehearsed:
		book.Summary = rehearsal(book)
	}
}

// handOver leaves what was kept on the volume, for the next rejoin to go on from.
func (r *databaseRejoin) handOver(ctx workflow.Context, book *report.Report) error {
	book.Missing = append(book.Missing, fmt.Sprintf("%s is not a replica yet", r.back.former))
	book.Holds = append(book.Holds, r.back.holds()...)
	book.Next = append(book.Next, fmt.Sprintf("fukkyu run rejoin --database %s --by NAME", r.database.Name))
	if err := r.back.close(ctx); err != nil {
		book.Missing = append(book.Missing, fmt.Sprintf("the maintenance pod of %s is still there", r.back.former))
	}
	return r.returnLease(ctx)
}
