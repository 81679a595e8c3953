package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

const (
	// firstPatience is how long a service may need for a good answer that has had all the time to become well.
	firstPatience = time.Second
	// answerPatience is how long a service may need for a good answer once all of its pods are available: balancers notice late.
	answerPatience = 10 * time.Second
	// lookPause is the time between two looks at a service that should be well by now.
	lookPause = 500 * time.Millisecond
	// podTimeout is how long one pod may take for an answer.
	podTimeout = 2 * time.Second
)

// serviceState is a service as it was seen: its workload, its answers to users, and those of its pods.
type serviceState struct {
	at       time.Time
	workload kubernetes.Workload
	outside  []application.Check
	inside   []kubernetes.PodCheck
}

// look reads all of it at the same time. What users are answered is only waited for while the workload and its pods seem well: sick pods
// answer at once, and their users may be given seconds.
func (s *serviceRecovery) look(ctx workflow.Context, patience time.Duration) error {
	outside := s.askOutside(ctx, patience)
	found, err := begin(s.act(ctx, "read "+s.name().String()), kube.ReadWorkload, kubernetes.ReadWorkloadParams{WorkloadName: s.name(), Ask: s.questions()}).get(ctx)
	if err != nil {
		return err
	}
	s.saw(ctx, found)
	if !s.now.isWell() {
		return nil
	}
	answered, err := outside.get(ctx)
	s.now.outside = answered.Checks
	return err
}

// saw is what is known of the service once its workload was seen, and its pods have answered.
func (s *serviceRecovery) saw(ctx workflow.Context, found kubernetes.Workload) {
	s.now = serviceState{at: workflow.Now(ctx), workload: found, inside: found.Answers}
}

func (s *serviceRecovery) askOutside(ctx workflow.Context, patience time.Duration) call[application.CheckHealthResult] {
	return begin(s.act(ctx, "ask "+s.service.Name+" from outside"), app.CheckHealth, application.CheckHealthParams{Services: []plan.Service{s.service}, Patience: patience})
}

// questions are what its pods are asked, where the plan says at which port.
func (s *serviceRecovery) questions() *kubernetes.PodQuestions {
	if s.service.Port == 0 {
		return nil
	}
	return &kubernetes.PodQuestions{Port: s.service.Port, Paths: s.service.Health, Healthy: s.service.Healthy, Timeout: podTimeout}
}

// lookUntilWell looks until the service is well or answerPatience is over: one answer of a busy pod that comes late is no sickness, and the next
// remedy, or the undo of the last, costs more than another look.
func (s *serviceRecovery) lookUntilWell(ctx workflow.Context) error {
	until := workflow.Now(ctx).Add(answerPatience)
	for {
		if err := s.look(ctx, answerPatience); err != nil || s.now.isWell() {
			return err
		}
		if !workflow.Now(ctx).Before(until) {
			return nil
		}
		if err := workflow.Sleep(ctx, lookPause); err != nil {
			return err
		}
	}
}

// await watches the workload for as long as its patience is, which may be longer than activities usually take.
func (s *serviceRecovery) await(ctx workflow.Context, params kubernetes.AwaitWorkloadParams) (kubernetes.AwaitWorkloadResult, error) {
	return begin(patiently(s.act(ctx, "watch "+s.name().String()), params.Patience), kube.AwaitWorkload, params).get(ctx)
}

// settle waits until a remedy has worked, or is seen not to, and looks at the service again.
func (s *serviceRecovery) settle(ctx workflow.Context, remedy string, gone ...string) (string, error) {
	params := kubernetes.AwaitWorkloadParams{WorkloadName: s.name(), Gone: gone, Patience: s.terms.Settle, Ask: s.questions()}
	watched, err := s.await(ctx, params)
	if err != nil {
		return "", err
	}
	if !watched.Done {
		s.now.workload = watched.Workload
		if watched.Hopeless != "" {
			return fmt.Sprintf("%s did not help, and was not waited for: %s", remedy, watched.Hopeless), nil
		}
		return fmt.Sprintf("%s did not help within %s: %s", remedy, s.terms.Settle, watched.Seen), nil
	}
	if err := s.concludeWatch(ctx, watched.Workload); err != nil {
		return "", err
	}
	if !s.now.isWell() {
		return fmt.Sprintf("%s did not help: %s", remedy, s.now), nil
	}
	s.helped = remedy + " helped"
	s.run.Recovered(workflow.Now(ctx))
	return s.helped + ": " + s.now.String(), nil
}

// concludeWatch asks from outside, once the watch has asked from inside, and looks again for a while where one of the answers is not good.
func (s *serviceRecovery) concludeWatch(ctx workflow.Context, watched kubernetes.Workload) error {
	s.saw(ctx, watched)
	if !s.now.isWell() {
		return s.lookUntilWell(ctx)
	}
	answered, err := s.askOutside(ctx, answerPatience).get(ctx)
	s.now.outside = answered.Checks
	return err
}

func (s serviceState) isWell() bool { return len(s.sick()) == 0 }

// sick are the reasons why the service is not well, the causes before what follows from them.
func (s serviceState) sick() []string {
	var why []string
	if !s.workload.Out() {
		why = append(why, s.workload.Counts())
		if s.workload.GivenUp != "" {
			why = append(why, s.workload.GivenUp)
		}
	}
	for _, check := range s.inside {
		if !check.OK {
			why = append(why, fmt.Sprintf("pod %s%s: %s", check.Pod, check.Path, check.Said))
		}
	}
	for _, check := range s.outside {
		if !check.OK {
			why = append(why, fmt.Sprintf("from outside %s: %s", check.Path, check.Said))
		}
	}
	return why
}

// String is the state in a sentence.
func (s serviceState) String() string {
	if why := s.sick(); len(why) > 0 {
		return strings.Join(why, "; ")
	}
	return fmt.Sprintf("%d of %d pods available, good answers: %d from outside, %d from pods", s.workload.Available, s.workload.Desired, len(s.outside), len(s.inside))
}

// age is how long nothing new has come up. A workload whose controller has not begun is as young as can be.
func (s serviceState) age(now time.Time) time.Duration {
	if !s.workload.Observed {
		return 0
	}
	var youngest time.Time
	for _, member := range s.workload.Fresh() {
		if !member.Ready && member.Created.After(youngest) {
			youngest = member.Created
		}
	}
	return now.Sub(youngest)
}

// untouchable is why no remedy may be tried at all.
func untouchable(w kubernetes.Workload, name kubernetes.WorkloadName) (runbook.Objection, bool) {
	switch {
	case w.Paused:
		return runbook.Objection{
			Why:     fmt.Sprintf("%s is paused: it would not follow any change", name),
			Unblock: fmt.Sprintf("when whoever paused it agrees: kubectl -n %s rollout resume deployment/%s", name.Namespace, name.Name),
		}, true
	case w.Desired == 0:
		return runbook.Objection{
			Why:     fmt.Sprintf("%s is scaled to no pods at all: somebody has switched it off", name),
			Unblock: fmt.Sprintf("when whoever did agrees: kubectl -n %s scale %s/%s --replicas=NUMBER", name.Namespace, strings.ToLower(name.Kind), name.Name),
		}, true
	}
	return runbook.Objection{}, false
}

// restartIsHopeless is why new pods of the same revision would fare no better. Empty: they may.
func restartIsHopeless(w kubernetes.Workload) string {
	fresh := w.Fresh()
	none := len(fresh) > 0 && !slices.ContainsFunc(fresh, func(m kubernetes.Member) bool { return m.Ready })
	proven := slices.ContainsFunc(w.Earlier(), func(r kubernetes.Revision) bool { return r.Proven })
	starts := slices.ContainsFunc(fresh, func(m kubernetes.Member) bool { return !m.Hopeless || m.Crashes })
	switch hopeless := w.Hopeless(); {
	case hopeless != "" && (len(w.Earlier()) > 0 || len(fresh) > 0 && !starts):
		return hopeless
	case none && proven:
		return fmt.Sprintf("no pod of %s is ready, while pods of an earlier revision are", w.Wanted().Name)
	}
	return ""
}

// scalingHelps says why more pods may help: those that are there all run, and together cannot do their work.
func scalingHelps(w kubernetes.Workload) bool {
	starved := slices.ContainsFunc(w.Members, func(m kubernetes.Member) bool { return m.OutOfMemory })
	return w.Out() || starved
}
