package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// answerPatience is how long a service whose pods are all ready may take until it answers outside: balancers look every few seconds.
const answerPatience = 10 * time.Second

// longestWait is how long one activity waits at most: below the time that one attempt may take.
const longestWait = 20 * time.Second

// look sees how the service is: its workload, its endpoints from outside, and each of its pods from inside.
func (s *serviceRecovery) look(ctx workflow.Context, patience time.Duration) error {
	workload := begin(s.act(ctx, "how is "+s.target.String()+"?"), kube.ReadWorkload, s.target)
	outside := begin(s.act(ctx, "ask "+s.service.Name+" from outside"), app.CheckHealth, application.CheckHealthParams{Services: []plan.Service{s.service}, Patience: patience})
	seen, err := workload.get(ctx)
	if err != nil {
		return err
	}
	health, err := outside.get(ctx)
	if err != nil {
		return err
	}
	inside, err := s.askPods(ctx)
	if err != nil {
		return err
	}
	s.seen, s.sick = seen, strings.Join(append(append(workloadTrouble(seen), unanswered(health)...), inside...), "; ")
	return nil
}

// askPods asks each ready pod itself, where the plan says how.
func (s *serviceRecovery) askPods(ctx workflow.Context) ([]string, error) {
	if s.service.Port == 0 {
		return nil, nil
	}
	params := kubernetes.CheckPodsParams{Workload: s.target, Port: s.service.Port, Paths: s.service.Health, Healthy: s.service.Healthy, Timeout: glance}
	found, err := begin(s.act(ctx, "ask each pod of "+s.service.Name), kube.CheckPods, params).get(ctx)
	var wrong []string
	for _, check := range found.Checks {
		if !check.OK {
			wrong = append(wrong, fmt.Sprintf("pod %s%s: %s", check.Pod, check.Path, check.Said))
		}
	}
	return wrong, err
}

// workloadTrouble is what is wrong with a workload's pods, one reason for all that have the same.
func workloadTrouble(seen kubernetes.Workload) []string {
	if seen.Whole {
		return nil
	}
	said := []string{fmt.Sprintf("%d of %d pods are ready, %d of them of the current revision", seen.Ready, seen.Desired, seen.Updated)}
	if seen.Desired == 0 {
		said = []string{"it is scaled to no pods at all"}
	}
	known := map[string]bool{}
	for _, pod := range seen.Pods {
		if pod.Trouble != "" && !known[pod.Trouble] {
			known[pod.Trouble] = true
			said = append(said, fmt.Sprintf("%s: %s", pod.Name, pod.Trouble))
		}
	}
	if seen.Stalled != "" {
		said = append(said, seen.Stalled)
	}
	return said
}

func unanswered(health application.CheckHealthResult) []string {
	var wrong []string
	for _, check := range health.Checks {
		if !check.OK {
			wrong = append(wrong, fmt.Sprintf("%s%s: %s", check.Service, check.Path, check.Said))
		}
	}
	return wrong
}

// after watches what a remedy brings: until the service is well, as long as the plan gives it, and no longer than there is hope.
func (s *serviceRecovery) after(ctx workflow.Context, did string) (string, error) {
	s.remedy = append(s.remedy, did)
	deadline := workflow.Now(ctx).Add(s.policy.Settle)
	for {
		wait := min(longestWait, deadline.Sub(workflow.Now(ctx)))
		act := runbook.Act(ctx, runbook.RegionQueue(s.service.Region), "watch "+s.target.String())
		found, err := begin(act, kube.AwaitWorkload, kubernetes.AwaitWorkloadParams{Workload: s.target, Patience: max(wait, time.Second)}).get(ctx)
		switch {
		case err != nil:
			return "", err
		case found.Workload.Whole:
			if err := s.look(ctx, answerPatience); err != nil {
				return "", err
			}
			return s.outcome(ctx, did), nil
		case found.Hopeless != "" || !workflow.Now(ctx).Before(deadline):
			s.seen, s.sick = found.Workload, strings.Join(workloadTrouble(found.Workload), "; ")
			return s.outcome(ctx, did), nil
		}
	}
}

func (s *serviceRecovery) outcome(ctx workflow.Context, did string) string {
	if s.sick == "" {
		s.run.Recovered(workflow.Now(ctx))
		return did + ", and it is well"
	}
	return fmt.Sprintf("%s, and it is still sick: %s", did, s.sick)
}

// isWell looks at the service once more. One that is not well after every remedy is told to people, and ends the run as incomplete.
func (s *serviceRecovery) isWell(ctx workflow.Context) (string, error) {
	if err := s.look(ctx, answerPatience); err != nil {
		return "", err
	}
	if s.sick != "" {
		s.run.Broken(ctx, fmt.Sprintf("service %s: %s", s.service.Name, s.sick))
		return "not well: " + s.sick, nil
	}
	s.run.Recovered(workflow.Now(ctx))
	return fmt.Sprintf("%d pods are ready, and every health endpoint answers", s.seen.Ready), nil
}

func (s *serviceRecovery) podNamed(name string) (kubernetes.Pod, bool) {
	for _, pod := range s.seen.Pods {
		if pod.Name == name {
			return pod, true
		}
	}
	return kubernetes.Pod{}, false
}

func (s *serviceRecovery) podNames() []string {
	var names []string
	for _, pod := range s.seen.Pods {
		names = append(names, pod.Name)
	}
	return names
}
