package workflows

import (
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"go.temporal.io/sdk/workflow"
)

// lookApart is how runs look that began before one activity could read a workload and ask its pods.
func (s *serviceRecovery) lookApart(ctx workflow.Context, patience time.Duration) error {
	reading := begin(s.act(ctx, "read "+s.name().String()), kube.ReadWorkload, kubernetes.ReadWorkloadParams{WorkloadName: s.name()})
	outside := s.askOutside(ctx, patience)
	inside := kubernetes.CheckPodsResult{}
	var err error
	if questions := s.questions(); questions != nil {
		params := kubernetes.CheckPodsParams{WorkloadName: s.name(), PodQuestions: *questions}
		if inside, err = begin(s.act(ctx, "ask the pods of "+s.service.Name), kube.CheckPods, params).get(ctx); err != nil {
			return err
		}
	}
	found, err := reading.get(ctx)
	if err != nil {
		return err
	}
	found.Answers = inside.Checks
	s.saw(ctx, found)
	if !s.now.isWell() {
		return nil
	}
	answered, err := outside.get(ctx)
	s.now.outside = answered.Checks
	return err
}
