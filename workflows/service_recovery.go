package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// GuardHealthy is the guard of a service recovery that a person may override: the service is well.
const GuardHealthy = "healthy"

// ServiceRecoveryRequest is the one JSON argument that starts a service recovery.
type ServiceRecoveryRequest struct {
	runbook.Request
	Service string `json:"service"`       // a service of the plan
	Pod     string `json:"pod,omitempty"` // replaces this pod alone
	// Unattended ends the run instead of asking people how to go on, when no remedy helps: what was changed is undone.
	Unattended bool `json:"unattended,omitempty"`
}

// serviceRecovery brings one service back: section 3.4 of the Shodo plan. It tries what costs least first, and nothing that cannot help.
type serviceRecovery struct {
	recoveryLease
	service    plan.Service
	terms      plan.ServiceRecovery
	pod        string
	unattended bool

	before kubernetes.Workload // as it was found
	now    serviceState        // as it was seen last
	forced bool                // a person wants it restarted although it is well
	helped string              // the remedy after which it was well
	scaled bool
}

// ServiceRecovery is the workflow.
func ServiceRecovery(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request ServiceRecoveryRequest
	example := ServiceRecoveryRequest{Request: runbook.Request{By: "yuki", Reason: "customers see errors"}, Service: "shodo-backend"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: ServiceRecoveryName, Guards: []string{GuardHealthy}}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	service, found := run.Plan.Service(request.Service)
	if !found {
		return report.Report{}, runbook.Refuse("service %q is not in plan %s: %s", request.Service, run.Plan.Name, strings.Join(run.Plan.ServiceNames(), ", "))
	}
	run.Target("service " + service.Name)
	s := &serviceRecovery{
		recoveryLease: recoveryLease{
			run: run, what: "service " + service.Name,
			place: lease.Place{Namespace: run.Plan.Namespace, Region: service.Region, Target: "service-" + service.Name},
		},
		service: service, terms: run.Plan.Runbooks.ServiceRecovery, pod: request.Pod, unattended: request.Unattended,
	}
	return run.Conduct(ctx, s.runbook())
}

func (s *serviceRecovery) runbook() runbook.Runbook {
	steps := []runbook.Step{{
		Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
		Guard: s.leaseIsFree, Do: s.takeLease, Undo: s.returnLease,
	}}
	if s.pod != "" {
		steps = append(steps, s.podSteps()...)
	} else {
		steps = append(steps, s.remedies()...)
	}
	steps = append(steps,
		runbook.Step{
			Name: "Verify the service", Budget: quickBudget, UndoOnFailure: s.unattended,
			Verify: s.isWell,
		},
		runbook.Step{
			Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
			Do: func(ctx workflow.Context) (string, error) { return "", s.returnLease(ctx) },
		})
	return runbook.Runbook{Steps: steps, Conclude: s.conclude}
}

func (s *serviceRecovery) remedies() []runbook.Step {
	return []runbook.Step{
		{
			Name: "Find out whether the service is sick", Budget: quickBudget,
			Guard: s.isSick,
		},
		{
			Name: "Restart the service", Budget: s.terms.Settle, Settled: s.restartIsNoUse, UndoOnFailure: s.unattended,
			Guard: s.mayRestart, Approval: &s.terms.Approval, Do: s.restart, Undo: s.restoreRevision,
		},
		{
			Name: "Roll the service back", Budget: s.terms.Settle, Settled: s.rollbackIsNoUse, UndoOnFailure: s.unattended,
			Guard: s.mayRollBack, Approval: &s.terms.Approval, Do: s.rollBack, Undo: s.restoreRevision,
		},
		{
			Name: "Scale the service out", Budget: s.terms.Settle, Settled: s.scalingIsNoUse, UndoOnFailure: s.unattended,
			Guard: s.mayScale, Approval: &s.terms.Approval, Do: s.scaleOut, Undo: s.restoreReplicas,
		},
	}
}

func (s *serviceRecovery) podSteps() []runbook.Step {
	return []runbook.Step{
		{
			Name: "Find out whether the pod is sick", Budget: quickBudget,
			Guard: s.podIsSick,
		},
		{
			Name: "Replace the pod", Budget: s.terms.Settle, UndoOnFailure: s.unattended,
			Guard: s.mayReplace, Approval: &s.terms.Approval, Do: s.replacePod,
		},
	}
}

// name is the workload of the service.
func (s *serviceRecovery) name() kubernetes.WorkloadName {
	kind, name := s.service.Workload()
	return kubernetes.WorkloadName{Namespace: s.run.Plan.Namespace, Region: s.service.Region, Kind: kind, Name: name}
}

// isSick refuses to touch a service that is well. One that is just coming up is watched first: nothing may be wrong with it.
func (s *serviceRecovery) isSick(ctx workflow.Context) (runbook.Verdict, error) {
	if err := s.lookUntilItStands(ctx); err != nil {
		return runbook.Verdict{}, err
	}
	s.before = s.now.workload
	verdict := runbook.Verdict{Seen: s.now.String()}
	if objection, stands := untouchable(s.now.workload, s.name()); stands {
		verdict.Objections = []runbook.Objection{objection}
		return verdict, nil
	}
	if s.now.isWell() {
		s.forced = s.run.Overridden(GuardHealthy)
		verdict.Objections = []runbook.Objection{{Guard: GuardHealthy, Why: fmt.Sprintf("service %s is well: %s", s.service.Name, s.now), Unblock: "look at what it needs, or at what is in front of it"}}
		return verdict, nil
	}
	s.run.Detected(workflow.Now(ctx))
	verdict.Facts = []report.Fact{{Name: "cause", Value: s.now.String()}}
	return verdict, nil
}

// standsAfter is how old the pods of a roll-out must be before it is judged: somebody else may just have begun it.
const standsAfter = 30 * time.Second

// lookUntilItStands looks, and watches a workload whose pods are only just coming up.
func (s *serviceRecovery) lookUntilItStands(ctx workflow.Context) error {
	until := workflow.Now(ctx).Add(s.terms.Settle)
	for {
		if err := s.look(ctx, firstPatience); err != nil {
			return err
		}
		now := workflow.Now(ctx)
		young := standsAfter - s.now.age(now)
		if s.now.workload.Paused || s.now.workload.Out() || s.now.workload.Hopeless() != "" || young <= 0 || !now.Before(until) {
			return nil
		}
		watched, err := s.await(ctx, kubernetes.AwaitWorkloadParams{WorkloadName: s.name(), Patience: min(young, until.Sub(now))})
		if err != nil || watched.Hopeless != "" {
			s.now.workload = watched.Workload
			return err
		}
	}
}

// restoreRevision lets the workload run the revision that it was found with.
func (s *serviceRecovery) restoreRevision(ctx workflow.Context) error {
	revision := s.before.Wanted().Name
	if revision == "" {
		return nil
	}
	_, err := begin(s.act(ctx, "put revision "+revision+" back"), kube.RollBack, kubernetes.RollBackParams{WorkloadName: s.name(), Revision: revision}).get(ctx)
	return err
}

// restoreReplicas lets the workload have as many pods as it was found with.
func (s *serviceRecovery) restoreReplicas(ctx workflow.Context) error {
	_, err := begin(s.act(ctx, "put the number of pods back"), kube.Scale, kubernetes.ScaleParams{
		WorkloadName: s.name(), From: int32(s.service.ScaleTo), To: s.before.Desired, //nolint:gosec // validated by the plan
	}).get(ctx)
	return err
}

// isWell looks from outside and from inside, unless that was just done. What it returns as an error brings a person, or ends an unattended run.
func (s *serviceRecovery) isWell(ctx workflow.Context) (string, error) {
	if !s.now.isWell() || workflow.Now(ctx).Sub(s.now.at) > stillTrue {
		if err := s.lookUntilWell(ctx); err != nil {
			return "", err
		}
	}
	if !s.now.isWell() {
		return "", fmt.Errorf("service %s is still sick: %s", s.service.Name, s.now)
	}
	s.run.Recovered(workflow.Now(ctx))
	s.run.Checked(ctx, reported(answersOf(s.now.outside)))
	return s.now.String(), nil
}

func (s *serviceRecovery) conclude(r *report.Report) {
	r.RPO.How = "not measured: no data is touched"
	if r.RTO.Measured != nil {
		r.RTO.How = "until the service was seen to be well from outside and from inside"
	}
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
	case r.Outcome.ServiceIsBack():
		r.Summary = fmt.Sprintf("service %s is well: %s", s.service.Name, orDone(s.helped))
		if s.scaled {
			r.Next = append(r.Next, fmt.Sprintf("it has %d pods instead of %d: scale it in when the load allows it", s.service.ScaleTo, s.before.Desired))
		}
	case r.Outcome == report.RolledBack && s.unattended && len(s.now.sick()) > 0:
		r.Outcome = report.Incomplete // nobody was there to decide: the service is as sick as it was found
		r.Missing = append(r.Missing, fmt.Sprintf("service %s is still sick: %s", s.service.Name, s.now))
		r.Next = append(r.Next, fmt.Sprintf("fukkyu run %s --service %s --by NAME", Recovering.Name, s.service.Name))
	}
}

func orDone(helped string) string {
	if helped == "" {
		return "it came back by itself"
	}
	return helped
}
