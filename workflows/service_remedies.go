package workflows

import (
	"fmt"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// mostRollbacks is how many revisions a rollback goes back through while those that it comes to cannot start either.
const mostRollbacks = 3

func (s *serviceRecovery) restartIsNoUse() string {
	switch {
	case s.forced:
		return ""
	case s.now.isWell():
		return "the service is well"
	}
	if why := restartIsHopeless(s.now.workload); why != "" {
		return "a restart would not help: " + why
	}
	return ""
}

func (s *serviceRecovery) mayRestart(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{
		Question: fmt.Sprintf("Restart service %s?", s.service.Name), Binding: "restart",
		Facts:   []report.Fact{{Name: "what users notice", Value: "pods are replaced one after the other, as the workload's strategy says; requests under way may fail"}},
		Changes: []string{fmt.Sprintf("%s: %d pods are replaced", s.name(), s.now.workload.Desired)},
	}, nil
}

func (s *serviceRecovery) restart(ctx workflow.Context) (string, error) {
	_, err := begin(s.act(ctx, "restart "+s.name().String()), kube.Restart, kubernetes.RestartParams{WorkloadName: s.name(), Mark: s.run.Holder()}).get(ctx)
	if err != nil {
		return "", err
	}
	s.forced = false
	return s.settle(ctx, "a restart")
}

func (s *serviceRecovery) rollbackIsNoUse() string {
	switch {
	case s.now.isWell():
		return "the service is well"
	case len(s.before.Earlier()) == 0:
		return fmt.Sprintf("%s keeps no earlier revision that it could be rolled back to", s.name())
	}
	return ""
}

func (s *serviceRecovery) mayRollBack(workflow.Context) (runbook.Verdict, error) {
	target := s.before.Earlier()[0]
	return runbook.Verdict{
		Question: fmt.Sprintf("Roll service %s back to %s?", s.service.Name, describeRevision(target)), Binding: "roll back to " + target.Name,
		Facts: []report.Fact{{Name: "the revision", Value: describeRevision(target)}},
		Changes: []string{fmt.Sprintf("%s: revision %s instead of %s, with %s instead of %s", s.name(), target.Name, s.before.Wanted().Name,
			strings.Join(target.Images, ", "), orNone(strings.Join(s.before.Wanted().Images, ", ")))},
	}, nil
}

func describeRevision(r kubernetes.Revision) string {
	text := fmt.Sprintf("revision %d, %s, with %s", r.Number, r.Name, strings.Join(r.Images, ", "))
	if r.Proven {
		return text + ", which is seen to be healthy"
	}
	return text + ", which the workload ran before"
}

// rollBack goes back to the last healthy revision, and further while the one that it came to cannot start either.
func (s *serviceRecovery) rollBack(ctx workflow.Context) (string, error) {
	var said []string
	for i, target := range s.before.Earlier() {
		if i == mostRollbacks {
			break
		}
		_, err := begin(s.act(ctx, "roll back to "+target.Name), kube.RollBack, kubernetes.RollBackParams{WorkloadName: s.name(), Revision: target.Name}).get(ctx)
		if err != nil {
			return "", err
		}
		if err := s.freeOrdinals(ctx); err != nil {
			return "", err
		}
		result, err := s.settle(ctx, "a rollback to "+describeRevision(target))
		if err != nil {
			return "", err
		}
		said = append(said, result)
		if s.now.isWell() || s.now.workload.Hopeless() == "" {
			break
		}
	}
	return strings.Join(said, "; "), nil
}

// freeOrdinals deletes the pods of a StatefulSet that were not well before it was rolled back: its controller waits for them, and they
// never become ready.
func (s *serviceRecovery) freeOrdinals(ctx workflow.Context) error {
	if kind, _ := s.service.Workload(); kind != plan.StatefulSet {
		return nil
	}
	for _, member := range s.now.workload.Members {
		if member.Ready || member.Deleting {
			continue
		}
		if err := s.deletePod(ctx, member); err != nil {
			return err
		}
	}
	return nil
}

func (s *serviceRecovery) deletePod(ctx workflow.Context, member kubernetes.Member) error {
	_, err := begin(s.act(ctx, "delete pod "+member.Pod), kube.DeletePod, kubernetes.DeletePodParams{
		Namespace: s.run.Plan.Namespace, Region: s.service.Region, Pod: member.Pod, UID: member.UID,
	}).get(ctx)
	return err
}

func (s *serviceRecovery) scalingIsNoUse() string {
	switch wanted := int(s.now.workload.Desired); {
	case s.now.isWell():
		return "the service is well"
	case s.service.ScaleTo == 0:
		return "the plan says no number of pods to scale it out to"
	case wanted >= s.service.ScaleTo:
		return fmt.Sprintf("it has %d pods already, and the plan says %d", wanted, s.service.ScaleTo)
	case !scalingHelps(s.now.workload):
		return "more pods would fare no better: " + s.now.workload.Counts()
	}
	return ""
}

func (s *serviceRecovery) mayScale(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{
		Question: fmt.Sprintf("Scale service %s out to %d pods?", s.service.Name, s.service.ScaleTo), Binding: "scale out",
		Changes: []string{fmt.Sprintf("%s: %d pods instead of %d", s.name(), s.service.ScaleTo, s.before.Desired)},
	}, nil
}

func (s *serviceRecovery) scaleOut(ctx workflow.Context) (string, error) {
	s.scaled = true
	_, err := begin(s.act(ctx, fmt.Sprintf("scale %s to %d pods", s.name(), s.service.ScaleTo)), kube.Scale, kubernetes.ScaleParams{
		WorkloadName: s.name(), From: s.before.Desired, To: int32(s.service.ScaleTo), //nolint:gosec // validated by the plan
	}).get(ctx)
	if err != nil {
		return "", err
	}
	return s.settle(ctx, fmt.Sprintf("scaling out to %d pods", s.service.ScaleTo))
}

// podIsSick finds the pod, and refuses to replace one that is well.
func (s *serviceRecovery) podIsSick(ctx workflow.Context) (runbook.Verdict, error) {
	if err := s.look(ctx, firstPatience); err != nil {
		return runbook.Verdict{}, err
	}
	s.before = s.now.workload
	member, found := s.member()
	if !found {
		return runbook.Verdict{Objections: []runbook.Objection{{
			Why: fmt.Sprintf("%s has no pod %s: %s", s.name(), s.pod, orNone(strings.Join(s.podNames(), ", "))), Unblock: "name one of them",
		}}}, nil
	}
	verdict := runbook.Verdict{Seen: member.Why}
	var wrong []string
	for _, check := range s.now.inside {
		if check.Pod == s.pod && !check.OK {
			wrong = append(wrong, check.Path+": "+check.Said)
		}
	}
	if member.Ready && len(wrong) == 0 {
		verdict.Objections = []runbook.Objection{{Guard: GuardHealthy, Why: fmt.Sprintf("pod %s is ready and answers well", s.pod)}}
		return verdict, nil
	}
	if len(wrong) > 0 {
		verdict.Seen = strings.Join(wrong, "; ")
	}
	s.run.Detected(workflow.Now(ctx))
	verdict.Facts = []report.Fact{{Name: "cause", Value: verdict.Seen}}
	return verdict, nil
}

func (s *serviceRecovery) member() (kubernetes.Member, bool) {
	for _, member := range s.before.Members {
		if member.Pod == s.pod {
			return member, true
		}
	}
	return kubernetes.Member{}, false
}

func (s *serviceRecovery) podNames() []string {
	var names []string
	for _, member := range s.before.Members {
		names = append(names, member.Pod)
	}
	return names
}

func (s *serviceRecovery) mayReplace(workflow.Context) (runbook.Verdict, error) {
	return runbook.Verdict{
		Question: fmt.Sprintf("Delete pod %s, so that %s makes another?", s.pod, s.name()), Binding: "replace " + s.pod,
		Changes: []string{fmt.Sprintf("pod %s is deleted", s.pod)},
	}, nil
}

// replacePod deletes the pod that was seen, and watches until its workload is whole without it.
func (s *serviceRecovery) replacePod(ctx workflow.Context) (string, error) {
	member, _ := s.member()
	if err := s.deletePod(ctx, member); err != nil {
		return "", err
	}
	return s.settle(ctx, "replacing "+s.pod, member.UID)
}
