package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// sickService is the backend of the plan, whose two pods hang: both run, and neither answers well.
type sickService struct {
	*estate
	workload kubernetes.Workload
	well     bool   // it answers well
	hopeless string // what AwaitWorkload says as soon as it is asked
	cure     string // the write after which everything is well
	waited   int    // how often it was watched until the patience ended
	slow     int    // how many answers of its pods come too late although it is well
}

func newSickService(t *testing.T) *sickService {
	t.Helper()
	s := &sickService{estate: newEstate(t)}
	s.workload = kubernetes.Workload{UID: "uid", Desired: 2, Pods: 2, Updated: 2, Ready: 2, Available: 2, Observed: true,
		Revisions: []kubernetes.Revision{{Name: "backend-2", Number: 2, Images: []string{"shodo:2"}, Same: true, Proven: true}, {Name: "backend-1", Number: 1, Images: []string{"shodo:1"}}},
		Members:   []kubernetes.Member{s.member("a", "backend-2", true), s.member("b", "backend-2", true)},
	}
	s.register()
	return s
}

func (s *sickService) member(name, revision string, ready bool) kubernetes.Member {
	return kubernetes.Member{Pod: "backend-" + name, UID: "uid-" + name, Revision: revision, Ready: ready, Created: s.began.Add(-time.Hour)}
}

// badRollOut is a new revision of which no pod can start.
func (s *sickService) badRollOut(why string, crashes bool) {
	s.workload.Available, s.workload.Updated, s.workload.Pods = 1, 1, 2
	bad := s.member("b", "backend-2", false)
	bad.Why, bad.Hopeless, bad.Crashes = why, true, crashes
	s.workload.Members = []kubernetes.Member{s.member("a", "backend-1", true), bad}
	s.workload.Revisions[0].Proven, s.workload.Revisions[1].Proven = false, true
}

// does is a write that cures the service when it is the one that helps.
func (s *sickService) does(name, format string, args ...any) error {
	done := fmt.Sprintf(format, args...)
	if err := s.write(name, "%s", done); err != nil {
		return err
	}
	if s.cure != "" && done == s.cure {
		s.well, s.hopeless = true, ""
		s.workload.Members, s.workload.GivenUp = nil, ""
		s.workload.Pods, s.workload.Updated, s.workload.Ready, s.workload.Available = s.workload.Desired, s.workload.Desired, s.workload.Desired, s.workload.Desired
	}
	return nil
}

func (s *sickService) register() {
	handle(s.estate, "ReadWorkload", func(p kubernetes.ReadWorkloadParams) (kubernetes.Workload, error) {
		found := s.workload
		found.Answers = s.answers(p.Ask)
		return found, s.read("ReadWorkload")
	})
	handle(s.estate, "CheckHealth", func(p application.CheckHealthParams) (application.CheckHealthResult, error) {
		return application.CheckHealthResult{Checks: []application.Check{{Service: p.Services[0].Name, Path: "/health", OK: s.well, Said: "timeout"}}}, nil
	})
	handle(s.estate, "AwaitWorkload", func(p kubernetes.AwaitWorkloadParams) (kubernetes.AwaitWorkloadResult, error) {
		result := kubernetes.AwaitWorkloadResult{Done: s.workload.Out(), Seen: s.workload.Counts(), Hopeless: s.hopeless, Workload: s.workload}
		if result.Done {
			result.Workload.Answers = s.answers(p.Ask)
		}
		if !result.Done && s.hopeless == "" {
			s.waited++
		}
		return result, nil
	})
	handle(s.estate, "Restart", func(kubernetes.RestartParams) (kubernetes.RestartResult, error) {
		return kubernetes.RestartResult{}, s.does("Restart", "restart")
	})
	handle(s.estate, "RollBack", func(p kubernetes.RollBackParams) (kubernetes.RollBackResult, error) {
		return kubernetes.RollBackResult{}, s.does("RollBack", "roll back to %s", p.Revision)
	})
	handle(s.estate, "Scale", func(p kubernetes.ScaleParams) (kubernetes.ScaleResult, error) {
		s.workload.Desired = p.To
		return kubernetes.ScaleResult{}, s.does("Scale", "scale from %d to %d", p.From, p.To)
	})
	handle(s.estate, "DeletePod", func(p kubernetes.DeletePodParams) (kubernetes.DeletePodResult, error) {
		return kubernetes.DeletePodResult{}, s.does("DeletePod", "delete %s %s", p.Pod, p.UID)
	})
}

// answers are those of its pods.
func (s *sickService) answers(asked *kubernetes.PodQuestions) []kubernetes.PodCheck {
	if asked == nil {
		return nil
	}
	late := s.well && s.slow > 0
	if late {
		s.slow--
	}
	return []kubernetes.PodCheck{{Pod: "backend-a", Path: "/health", OK: s.well && !late, Said: "timeout"}}
}

// read lets a test have a reading refused.
func (s *sickService) read(name string) error {
	if before := s.before[name]; before != nil {
		return before()
	}
	return nil
}

func (s *sickService) recover(change func(*workflows.ServiceRecoveryRequest)) (report.Report, error) {
	s.t.Helper()
	request := workflows.ServiceRecoveryRequest{Request: runbook.Request{By: "yuki", Reason: "customers see errors"}, Service: "shodo-backend"}
	if change != nil {
		change(&request)
	}
	s.ExecuteWorkflow(workflows.ServiceRecoveryName, request)
	require.True(s.t, s.IsWorkflowCompleted())
	var got report.Report
	if err := s.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(s.t, s.GetWorkflowResult(&got))
	return got, nil
}

func unattended(request *workflows.ServiceRecoveryRequest) { request.Unattended = true }

func TestServiceRecovery_EachRemedy_IsTheLastOneWhenItHelps(t *testing.T) {
	for cure, journal := range map[string][]string{
		"restart":                {"take lease", "restart", "release lease "},
		"roll back to backend-1": {"take lease", "restart", "roll back to backend-1", "release lease "},
		"scale from 2 to 8":      {"take lease", "restart", "roll back to backend-1", "scale from 2 to 8", "release lease "},
	} {
		s := newSickService(t)
		s.cure = cure
		got, err := s.recover(nil)
		require.NoError(t, err)
		require.Equal(t, report.Recovered, got.Outcome, got.Summary)
		require.Equal(t, journal, s.journal)
		require.NotNil(t, got.RTO.Measured)
	}
}

// What a busy machine makes of answers must not roll a good revision back, nor undo what has helped.
func TestServiceRecovery_AnAnswerComesTooLateAfterARestart_IsAskedForAgain(t *testing.T) {
	s := newSickService(t)
	s.cure, s.slow = "restart", 3
	got, err := s.recover(unattended)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "restart", "release lease "}, s.journal)
}

func TestServiceRecovery_NoPodOfTheNewRevisionStarts_RollsBackWithoutARestart(t *testing.T) {
	for _, crashes := range []bool{false, true} {
		s := newSickService(t)
		s.badRollOut("container shodo: ErrImagePull", crashes)
		s.cure = "roll back to backend-1"
		got, err := s.recover(nil)
		require.NoError(t, err)
		require.Equal(t, report.Recovered, got.Outcome, got.Summary)
		require.Equal(t, []string{"take lease", "roll back to backend-1", "release lease "}, s.journal)
		require.Contains(t, got.Steps[2].Result, "a restart would not help")
		require.Zero(t, s.waited)
	}
}

func TestServiceRecovery_TheRevisionBeforeCannotStartEither_GoesFurtherBack(t *testing.T) {
	s := newSickService(t)
	s.badRollOut("container shodo: CrashLoopBackOff", true)
	s.workload.Revisions = []kubernetes.Revision{{Name: "backend-2", Number: 3, Same: true}, {Name: "backend-1", Number: 2}, {Name: "backend-0", Number: 1}}
	s.hopeless, s.cure = "no pod can start", "roll back to backend-0"
	got, err := s.recover(nil)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "roll back to backend-1", "roll back to backend-0", "release lease "}, s.journal)
}

func TestServiceRecovery_Unattended_NothingHelps_PutsEverythingBackAndEndsIncomplete(t *testing.T) {
	s := newSickService(t)
	got, err := s.recover(unattended)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "restart", "roll back to backend-1", "scale from 2 to 8",
		"scale from 8 to 2", "roll back to backend-2", "roll back to backend-2", "release lease "}, s.journal)
	require.Contains(t, got.Missing[0], "service shodo-backend is still sick: ")
}

func TestServiceRecovery_NoEarlierRevisionAndAnImageThatIsMissing_TriesNothing(t *testing.T) {
	s := newSickService(t)
	s.badRollOut("container shodo: ErrImagePull", false)
	s.workload.Revisions = s.workload.Revisions[:1]
	got, err := s.recover(unattended)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "release lease "}, s.journal)
	require.Contains(t, got.Steps[3].Result, "keeps no earlier revision")
	require.Contains(t, got.Steps[4].Result, "more pods would fare no better")
}

func TestServiceRecovery_NothingHelps_StandsUntilAPersonSaysWhatNext(t *testing.T) {
	s := newSickService(t)
	s.RegisterDelayedCallback(func() {
		require.Equal(t, runbook.PhaseStanding, s.status().Phase)
		require.Contains(t, s.status().Question.Text, "service shodo-backend is still sick")
		s.well = true // the person has mended what it needs
		s.workload.Pods, s.workload.Updated, s.workload.Available = 8, 8, 8
	}, 14*time.Minute)
	s.decide(15*time.Minute, runbook.Retry, 1)
	got, err := s.recover(nil)
	require.NoError(t, err)
	require.True(t, got.Outcome.ServiceIsBack(), got.Summary)
}

func TestServiceRecovery_CancelledAfterEachRemedy_RestoresRevisionAndReplicas(t *testing.T) {
	for after, undone := range map[string][]string{
		"AcquireLease": {"release lease "},
		"Restart":      {"roll back to backend-2", "release lease "},
		"RollBack":     {"roll back to backend-2", "roll back to backend-2", "release lease "},
		"Scale":        {"scale from 8 to 2", "roll back to backend-2", "roll back to backend-2", "release lease "},
	} {
		s := newSickService(t)
		cancelled := false
		s.after[after] = func() {
			if !cancelled {
				cancelled = true
				s.CancelWorkflow()
			}
		}
		got, err := s.recover(nil)
		require.NoError(t, err, after)
		require.Equal(t, report.RolledBack, got.Outcome, "%s: %s", after, got.Summary)
		require.Equal(t, undone, s.journal[len(s.journal)-len(undone):], after)
	}
}

func TestServiceRecovery_WhatMustNotBeTouched_IsRefused(t *testing.T) {
	for says, change := range map[string]func(*sickService){
		"service shodo-backend is well: 2 of 2 pods available": func(s *sickService) { s.well = true },
		"rollout resume deployment/shodo-backend":              func(s *sickService) { s.workload.Paused = true },
		"is scaled to no pods at all":                          func(s *sickService) { s.workload.Desired = 0 },
		"a recovery of service shodo-backend is running": func(s *sickService) {
			s.held.Held, s.held.Holder = true, "service-recovery/shodo-backend/1"
		},
	} {
		s := newSickService(t)
		change(s)
		_, err := s.recover(nil)
		require.ErrorContains(t, err, says)
		require.True(t, runbook.IsRefused(err))
		require.NotContains(t, s.journal, "restart")
	}
	s := newSickService(t)
	_, err := s.recover(func(request *workflows.ServiceRecoveryRequest) { request.Service = "ghost" })
	require.ErrorContains(t, err, `service "ghost" is not in plan shodo: shodo-backend, shodo-frontend, shodo-ai-server`)
}

func TestServiceRecovery_HealthyAndOverridden_IsRestarted(t *testing.T) {
	s := newSickService(t)
	s.well = true
	got, err := s.recover(func(request *workflows.ServiceRecoveryRequest) {
		request.Overrides = []runbook.Override{{Guard: workflows.GuardHealthy, Reason: "a leak"}}
	})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "restart", "release lease "}, s.journal)
	require.Len(t, got.Overrides, 1)
}

func TestServiceRecovery_SomebodyElsesRollOut_IsWatchedBeforeItIsJudged(t *testing.T) {
	s := newSickService(t)
	s.workload.Available, s.workload.Updated = 1, 1
	s.workload.Members[1].Ready, s.workload.Members[1].Created = false, s.began.Add(-time.Second)
	handle(s.estate, "AwaitWorkload", func(kubernetes.AwaitWorkloadParams) (kubernetes.AwaitWorkloadResult, error) {
		s.workload.Available, s.workload.Updated, s.well = 2, 2, true
		return kubernetes.AwaitWorkloadResult{Done: true, Workload: s.workload}, nil
	})
	_, err := s.recover(nil)
	require.ErrorContains(t, err, "service shodo-backend is well")
	require.Equal(t, []string{"take lease", "release lease "}, s.journal)
}

func TestServiceRecovery_APermissionIsMissing_SaysWhich(t *testing.T) {
	s := newSickService(t)
	s.before["Restart"] = func() error {
		return failure.Permanent(failure.Forbidden, `restart Deployment shodo/shodo-backend: cannot update resource "deployments"`)
	}
	got, err := s.recover(unattended)
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, got.Summary, `cannot update resource "deployments"`)
}

func TestServiceRecovery_OnePod_IsDeletedByItsUIDAndNothingElseIsTouched(t *testing.T) {
	s := newSickService(t)
	s.cure = "delete backend-a uid-a"
	got, err := s.recover(func(request *workflows.ServiceRecoveryRequest) { request.Pod = "backend-a" })
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "delete backend-a uid-a", "release lease "}, s.journal)

	s = newSickService(t)
	_, err = s.recover(func(request *workflows.ServiceRecoveryRequest) { request.Pod = "ghost" })
	require.ErrorContains(t, err, "has no pod ghost: backend-a, backend-b")
}

func TestServiceRecovery_AStatefulSet_HasThePodsDeletedThatItsControllerWaitsFor(t *testing.T) {
	s := newSickService(t)
	s.plan.Services[0].Deployment, s.plan.Services[0].StatefulSet = "", "shodo-backend"
	s.badRollOut("container shodo: ErrImagePull", false)
	s.cure = "delete backend-b uid-b"
	got, err := s.recover(nil)
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "roll back to backend-1", "delete backend-b uid-b", "release lease "}, s.journal)
}

func TestServiceRecovery_ThePlanAsks_NothingIsChangedBeforeAPersonAgrees(t *testing.T) {
	s := newSickService(t)
	s.plan.Runbooks.ServiceRecovery.Approval = plan.Approval{Needed: 1, From: []string{"on-call"}, Unanswered: plan.Unanswered{After: time.Hour, Then: plan.Hold}}
	s.decide(time.Minute, runbook.Reject, 1)
	got, err := s.recover(nil)
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"take lease", "release lease "}, s.journal)
}
