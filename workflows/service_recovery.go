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

// GuardHealthy objects to a recovery of what is well. A person may override it.
const GuardHealthy = "healthy"

// ServiceRecoveryGuards lists the guards of a service recovery that a person may override.
func ServiceRecoveryGuards() []string { return []string{GuardHealthy} }

// ServiceRecoveryRequest is the one JSON argument that starts the recovery of a service.
type ServiceRecoveryRequest struct {
	runbook.Request
	Service string `json:"service"`       // a service of the plan
	Pod     string `json:"pod,omitempty"` // one pod of it that is to be replaced first, instead of a restart of all of them
}

// serviceRecovery brings one service back: section 3.4 of the Shodo plan. It tries one remedy after the other, the mildest first, until
// the service is well, and none that cannot help.
type serviceRecovery struct {
	recoveryLease
	service plan.Service
	policy  plan.ServiceRecovery
	pod     string
	target  kubernetes.WorkloadRef

	found  kubernetes.Workload // as it was before the run changed anything
	seen   kubernetes.Workload // as it was last seen
	cause  string              // why it was sick
	sick   string              // why it still is; empty: it is well
	remedy []string            // what was done, in order
}

// ServiceRecovery is the workflow.
func ServiceRecovery(ctx workflow.Context, input converter.RawValue) (report.Report, error) {
	var request ServiceRecoveryRequest
	example := ServiceRecoveryRequest{Request: runbook.Request{By: "yuki", Reason: "answers 503"}, Service: "shodo-backend"}
	if err := runbook.Decode(input, &request, example); err != nil {
		return report.Report{}, err
	}
	run, err := runbook.Begin(ctx, runbook.Scenario{Name: ServiceRecoveryName, Guards: ServiceRecoveryGuards()}, request.Request, ports())
	if err != nil {
		return report.Report{}, err
	}
	service, found := run.Plan.Service(request.Service)
	if !found {
		names := run.Plan.ServiceNames()
		return report.Report{}, runbook.Refuse("service %q is not in plan %s: %s; for example {\"service\": %q, \"by\": \"yuki\"}", request.Service, run.Plan.Name, strings.Join(names, ", "), names[0])
	}
	run.Target("service " + service.Name)
	kind, name := service.Workload()
	recovery := &serviceRecovery{
		recoveryLease: recoveryLease{run: run, place: lease.Place{Namespace: run.Plan.Namespace, Region: service.Region, Target: "service-" + service.Name}, what: "service " + service.Name},
		service:       service, policy: run.Plan.Runbooks.ServiceRecovery, pod: request.Pod,
		target: kubernetes.WorkloadRef{Namespace: run.Plan.Namespace, Region: service.Region, Kind: kind, Name: name},
	}
	return run.Conduct(ctx, recovery.runbook())
}

func (s *serviceRecovery) runbook() runbook.Runbook {
	return runbook.Runbook{
		Steps: []runbook.Step{
			{
				Name: "Take the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Guard: s.leaseIsFree, Do: s.takeLease, Undo: s.returnLease,
			},
			{
				Name: "Confirm that it is sick", Budget: quickBudget,
				Guard: s.isSick,
			},
			{
				Name: "Restart it", Budget: s.policy.Settle, Settled: s.restartIsUseless,
				Guard: s.mayRestart, Approval: &s.policy.Approval, Do: s.restart,
			},
			{
				Name: "Roll it back", Budget: s.policy.Settle, Settled: s.rollbackIsUseless,
				Guard: s.mayRollBack, Approval: &s.policy.Approval, Do: s.rollBack, Undo: s.rollForward,
			},
			{
				Name: "Scale it out", Budget: s.policy.Settle, Settled: s.scalingIsUseless,
				Guard: s.mayScale, Approval: &s.policy.Approval, Do: s.scaleOut, Undo: s.scaleBack,
			},
			{
				Name: "Verify the service", Budget: quickBudget,
				Verify: s.isWell,
			},
			{
				Name: "Release the recovery lease", Budget: quickBudget, Bookkeeping: true,
				Do: func(ctx workflow.Context) (string, error) { return "", s.returnLease(ctx) },
			},
		},
		Conclude: s.conclude,
	}
}

// glance is how long a service may take to answer when it is only looked at.
const glance = time.Second

// stuckAfter is how long a pod of a rollout may need until it is ready, before the rollout counts as stuck. A rollout that is younger is
// waited for: somebody may be at it.
const stuckAfter = 20 * time.Second

// isSick refuses to recover what is well, and waits for a rollout that may still succeed.
func (s *serviceRecovery) isSick(ctx workflow.Context) (runbook.Verdict, error) {
	if err := s.look(ctx, glance); err != nil {
		return runbook.Verdict{}, err
	}
	s.found, s.cause = s.seen, s.sick
	verdict := runbook.Verdict{Seen: orWell(s.sick), Facts: []report.Fact{{Name: "found", Value: orWell(s.sick)}}}
	switch {
	case s.seen.Paused:
		verdict.Objections = []runbook.Objection{{Why: fmt.Sprintf("%s is paused: somebody holds its rollout", s.target), Unblock: "resume it first: kubectl rollout resume"}}
	case s.sick == "":
		verdict.Objections = []runbook.Objection{{Guard: GuardHealthy, Why: fmt.Sprintf("service %s is well", s.service.Name), Unblock: "look closer: fukkyu diagnose"}}
	case s.rolloutMaySucceed(workflow.Now(ctx)):
		verdict.Waiting = fmt.Sprintf("the rollout of %s, which is under way", s.target)
	}
	return verdict, nil
}

// rolloutMaySucceed says that a rollout of somebody else is on its way, and that none of its pods has shown that it cannot succeed.
func (s *serviceRecovery) rolloutMaySucceed(now time.Time) bool {
	if s.seen.Whole || s.seen.Stalled != "" || s.seen.Ready == 0 {
		return false
	}
	young := false
	for _, pod := range s.seen.Pods {
		switch {
		case !pod.Current || pod.Ready:
		case pod.Trouble != "", now.Sub(pod.Created) > stuckAfter:
			return false
		default:
			young = true
		}
	}
	return young
}

// restartIsUseless says that a restart would start what cannot run.
func (s *serviceRecovery) restartIsUseless() string {
	if s.pod != "" || len(s.seen.Earlier) == 0 || s.run.Overridden(GuardHealthy) {
		return ""
	}
	if why := badRollout(s.seen); why != "" {
		return "it would start the same: " + why
	}
	return ""
}

// badRollout is why pods of the current revision do not run while it is being rolled out; empty: it was rolled out, or may be.
func badRollout(seen kubernetes.Workload) string {
	if seen.Whole {
		return ""
	}
	for _, pod := range seen.Pods {
		if pod.Current && !pod.Ready {
			if pod.Trouble != "" {
				return fmt.Sprintf("%s: %s", pod.Name, pod.Trouble)
			}
			if seen.Ready > 0 {
				return fmt.Sprintf("%s of the new revision does not get ready, while pods of the old one are", pod.Name)
			}
		}
	}
	return seen.Stalled
}

func (s *serviceRecovery) mayRestart(workflow.Context) (runbook.Verdict, error) {
	change := fmt.Sprintf("%s: every pod is replaced", s.target)
	if s.pod != "" {
		change = fmt.Sprintf("pod %s is replaced", s.pod)
		if _, found := s.podNamed(s.pod); !found {
			return runbook.Verdict{Objections: []runbook.Objection{{Why: fmt.Sprintf("%s has no pod %s", s.target, s.pod), Unblock: "name one of " + strings.Join(s.podNames(), ", ")}}}, nil
		}
	}
	return runbook.Verdict{Seen: s.sick, Changes: []string{change}, Question: fmt.Sprintf("Restart service %s?", s.service.Name), Binding: "restart"}, nil
}

func (s *serviceRecovery) restart(ctx workflow.Context) (string, error) {
	if pod, one := s.podNamed(s.pod); one {
		_, err := begin(s.act(ctx, "replace pod "+pod.Name), kube.DeletePod, kubernetes.DeletePodParams{Workload: s.target, Pod: pod.Name, UID: pod.UID}).get(ctx)
		if err != nil {
			return "", err
		}
		return s.after(ctx, "replaced pod "+pod.Name)
	}
	_, err := begin(s.act(ctx, "restart "+s.target.String()), kube.Restart, kubernetes.RestartParams{Workload: s.target, Mark: s.run.Holder()}).get(ctx)
	if err != nil {
		return "", err
	}
	return s.after(ctx, "restarted it")
}

func (s *serviceRecovery) rollbackIsUseless() string {
	switch {
	case s.sick == "":
		return "it is well"
	case len(s.seen.Earlier) == 0:
		return fmt.Sprintf("%s has no earlier revision that starts anything else", s.target)
	default:
		return ""
	}
}

func (s *serviceRecovery) mayRollBack(workflow.Context) (runbook.Verdict, error) {
	to := s.seen.Earlier[0]
	change := fmt.Sprintf("%s: back to revision %d (%s)", s.target, to.Number, strings.Join(to.Images, ", "))
	return runbook.Verdict{Seen: s.sick, Changes: []string{change}, Question: fmt.Sprintf("Roll service %s back to revision %d?", s.service.Name, to.Number), Binding: "roll back to " + to.Name}, nil
}

func (s *serviceRecovery) rollBack(ctx workflow.Context) (string, error) {
	to := s.seen.Earlier[0]
	if err := s.goTo(ctx, to, s.seen.Current); err != nil {
		return "", err
	}
	return s.after(ctx, fmt.Sprintf("rolled it back to revision %d", to.Number))
}

func (s *serviceRecovery) goTo(ctx workflow.Context, to, leave kubernetes.Revision) error {
	params := kubernetes.RollBackParams{Workload: s.target, Revision: to.Name, Leave: leave.Name, Run: s.run.Holder()}
	_, err := begin(s.act(ctx, fmt.Sprintf("roll %s to %s", s.target, to.Name)), kube.RollBack, params).get(ctx)
	return err
}

// rollForward goes back to the revision that the run found.
func (s *serviceRecovery) rollForward(ctx workflow.Context) error {
	return s.goTo(ctx, s.found.Current, kubernetes.Revision{})
}

func (s *serviceRecovery) scalingIsUseless() string {
	switch {
	case s.sick == "":
		return "it is well"
	case s.service.ScaleTo == 0:
		return "the plan does not scale it out"
	case int32(s.service.ScaleTo) <= s.seen.Desired:
		return fmt.Sprintf("it has %d pods already, and the plan scales it to %d", s.seen.Desired, s.service.ScaleTo)
	case s.seen.Ready == 0:
		return "none of its pods gets ready: more of them would not either"
	default:
		return ""
	}
}

func (s *serviceRecovery) mayScale(workflow.Context) (runbook.Verdict, error) {
	change := fmt.Sprintf("%s: %d pods, now %d", s.target, s.service.ScaleTo, s.seen.Desired)
	return runbook.Verdict{Seen: s.sick, Changes: []string{change}, Question: fmt.Sprintf("Scale service %s out to %d pods?", s.service.Name, s.service.ScaleTo), Binding: "scale out"}, nil
}

func (s *serviceRecovery) scaleOut(ctx workflow.Context) (string, error) {
	if err := s.scale(ctx, int32(s.service.ScaleTo)); err != nil {
		return "", err
	}
	return s.after(ctx, fmt.Sprintf("scaled it out to %d pods", s.service.ScaleTo))
}

func (s *serviceRecovery) scaleBack(ctx workflow.Context) error { return s.scale(ctx, s.found.Desired) }

func (s *serviceRecovery) scale(ctx workflow.Context, replicas int32) error {
	_, err := begin(s.act(ctx, fmt.Sprintf("scale %s to %d", s.target, replicas)), kube.Scale, kubernetes.ScaleParams{Workload: s.target, Replicas: replicas}).get(ctx)
	return err
}

func (s *serviceRecovery) conclude(r *report.Report) {
	r.RPO.How = "not measured: no data was touched"
	if r.RTO.Measured != nil {
		r.RTO.How = "until every pod was ready and every health endpoint answered"
	}
	switch {
	case r.Outcome == report.Rehearsed:
		r.Summary = rehearsal(r)
	case r.Outcome.ServiceIsBack():
		r.Summary = fmt.Sprintf("service %s is well: it was sick (%s), and Fukkyu %s", s.service.Name, s.cause, orNothing(s.remedy))
	case r.Outcome == report.Incomplete && s.sick != "":
		r.Summary = fmt.Sprintf("service %s is not well: %s; Fukkyu %s", s.service.Name, s.sick, orNothing(s.remedy))
		r.Next = append(r.Next, "fukkyu diagnose")
	}
}

func orNothing(done []string) string {
	if len(done) == 0 {
		return "changed nothing"
	}
	return strings.Join(done, ", then ")
}

func orWell(sick string) string {
	if sick == "" {
		return "it is well"
	}
	return sick
}
