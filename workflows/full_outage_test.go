package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// outage is an estate of which parts are sick. The runs that bring them back are stand-ins, which heal a part or do not.
type outage struct {
	*estate
	sick      map[string]string // by name of the part, what is wrong with it
	incurable map[string]bool
	healed    func(name string)
	asked     []runbook.Request // what the runs that were begun were asked with
	away      int               // how many diagnoses find no API server
	at, most  int               // how many service recoveries were under way, and how many at most
	mute      bool              // the kubelet of node-a does not answer
	lacks     map[string]bool   // services that answer, and miss a pod
	looks     int               // how often it was looked at
	looked    func()            // before each look
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{estate: newBareEstate(t), sick: map[string]string{}, lacks: map[string]bool{}, looked: func() {}, incurable: map[string]bool{}}
	o.RegisterWorkflowWithOptions(workflows.FullOutage, workflow.RegisterOptions{Name: workflows.FullOutageName})
	o.RegisterWorkflowWithOptions(func(ctx workflow.Context, request workflows.DatabaseFailoverRequest) (report.Report, error) {
		return o.heal(ctx, request.Request, request.Database)
	}, workflow.RegisterOptions{Name: workflows.DatabaseFailoverName})
	o.RegisterWorkflowWithOptions(func(ctx workflow.Context, request workflows.RedisRecoveryRequest) (report.Report, error) {
		return o.heal(ctx, request.Request, request.Redis)
	}, workflow.RegisterOptions{Name: workflows.RedisRecoveryName})
	o.RegisterWorkflowWithOptions(func(ctx workflow.Context, request workflows.ServiceRecoveryRequest) (report.Report, error) {
		o.at++
		o.most = max(o.most, o.at)
		defer func() { o.at-- }()
		return o.heal(ctx, request.Request, request.Service)
	}, workflow.RegisterOptions{Name: workflows.ServiceRecoveryName})
	handle(o.estate, "Diagnose", func(p diagnose.Params) (diagnosis.Diagnosis, error) {
		o.looks++
		o.looked()
		return o.diagnosis(p), nil
	})
	handle(o.estate, "CheckHealth", func(p application.CheckHealthParams) (application.CheckHealthResult, error) {
		var result application.CheckHealthResult
		for _, service := range p.Services {
			result.Checks = append(result.Checks, application.Check{Service: service.Name, Path: "/health", OK: o.sick[service.Name] == "", Said: o.sick[service.Name]})
		}
		return result, nil
	})
	handle(o.estate, "AwaitWorkload", func(kubernetes.AwaitWorkloadParams) (kubernetes.AwaitWorkloadResult, error) {
		return kubernetes.AwaitWorkloadResult{Done: true}, nil
	})
	return o
}

// heal is a run that takes a second.
func (o *outage) heal(ctx workflow.Context, asked runbook.Request, name string) (report.Report, error) {
	o.asked = append(o.asked, asked)
	if err := workflow.Sleep(ctx, time.Second); err != nil {
		o.journal = append(o.journal, "cancelled "+name)
		return report.Report{}, err
	}
	o.journal = append(o.journal, "recover "+name)
	if o.incurable[name] {
		return report.Report{Outcome: report.Incomplete, Summary: name + " has no earlier revision"}, nil
	}
	delete(o.sick, name)
	delete(o.lacks, name)
	if o.healed != nil {
		o.healed(name)
	}
	return report.Report{Outcome: report.Recovered, Summary: name + " is well"}, nil
}

// diagnosis is what is seen of the estate as it is now.
func (o *outage) diagnosis(p diagnose.Params) diagnosis.Diagnosis {
	d := diagnosis.Diagnosis{Plan: p.Plan.Name, Region: p.Region, Namespace: "shodo", At: o.Now(), Counted: diagnosis.Counted{Pods: 10, Workloads: 6}}
	if o.away--; o.away >= 0 {
		d.Counted, d.Unanswered = diagnosis.Counted{}, []diagnosis.Probe{{Asked: diagnosis.AskNodes, Said: "refused"}, {Asked: diagnosis.AskPods, Said: "refused"}}
		d.Conclusion = diagnosis.Judge(p.Plan, d)
		return d
	}
	for _, name := range []string{"a", "c", "d"} {
		d.Nodes = append(d.Nodes, diagnosis.Node{Name: "node-" + name, Zone: name, Ready: true, Mute: o.mute && name == "a"})
	}
	primary := diagnosis.Instance{Pod: "postgres-primary-0", Node: "node-a", NodeReady: true, PodReady: true, Answers: o.sick["shodo"] == "", Said: o.sick["shodo"], Timeline: 1}
	d.Databases = []diagnosis.Database{{Name: "shodo", Primary: "postgres-primary-0", Service: "postgres-primary-0", Instances: []diagnosis.Instance{primary}}}
	d.Redis = []diagnosis.Redis{{Name: "redis", Pod: "redis-master-0", Node: "node-d", Master: true, Answers: o.sick["redis"] == "", Said: o.sick["redis"], RDB: "ok", AOF: "ok"}}
	for _, service := range p.Plan.Services {
		_, name := service.Workload()
		workload := diagnosis.Workload{Kind: plan.Deployment, Name: name, Desired: 2, Updated: 2, Ready: 2}
		if o.lacks[service.Name] {
			workload.Ready = 1
		}
		d.Workloads = append(d.Workloads, workload)
		d.Endpoints = append(d.Endpoints, diagnosis.Endpoint{Service: service.Name, Path: "/health", OK: o.sick[service.Name] == "", Said: o.sick[service.Name]})
	}
	d.Conclusion, d.Findings = diagnosis.Judge(p.Plan, d), diagnosis.Find(p.Plan, d)
	return d
}

func (o *outage) recover(request workflows.FullOutageRequest) (report.Report, error) {
	o.t.Helper()
	request.By = "yuki"
	o.ExecuteWorkflow(workflows.FullOutageName, request)
	require.True(o.t, o.IsWorkflowCompleted())
	var got report.Report
	if err := o.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(o.t, o.GetWorkflowResult(&got))
	return got, nil
}

func stepNamed(t *testing.T, of report.Report, name string) report.Step {
	t.Helper()
	at := slices.IndexFunc(of.Steps, func(s report.Step) bool { return s.Name == name })
	require.GreaterOrEqual(t, at, 0, name)
	return of.Steps[at]
}

func TestFullOutage_DataAndServicesAreDown_DataComesFirstAndTiersInTheirOrder(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "redis": "hangs", "shodo-ai-server": "crashes", "shodo-frontend": "crashes"}
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "take lease", o.journal[0])
	require.ElementsMatch(t, []string{"recover shodo", "recover redis"}, o.journal[1:3])
	require.ElementsMatch(t, []string{"recover shodo-ai-server", "recover shodo-frontend"}, o.journal[3:5])
	for _, name := range []string{"shodo", "redis", "shodo-ai-server", "shodo-frontend"} {
		require.Contains(t, got.Summary, name)
	}
	for _, asked := range o.asked {
		require.Equal(t, got.WorkflowID+"/"+got.RunID, asked.DecidedBy, "what was decided here is not asked again")
	}
}

func TestFullOutage_OneServiceIsIncurable_StopsNothingAndIsNamed(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo-backend": "503", "shodo-ai-server": "crashes"}
	o.incurable["shodo-backend"] = true
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.True(t, strings.HasPrefix(got.Summary, "shodo-backend not recovered: "), got.Summary)
	require.Contains(t, got.Summary, "has no earlier revision")
	require.Contains(t, o.journal, "recover shodo-ai-server")
	require.Empty(t, got.Clocks.Recovered, "not everything is back")
	require.NotEmpty(t, o.told, "people are told")
}

// A container that crashes runs for a moment each time, and its service answers by its other pods.
func TestFullOutage_AServiceThatCrashedRunsWhenItsTurnComes_IsRecoveredAllTheSame(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-frontend": "crashes"}
	o.healed = func(name string) {
		if name == "shodo" {
			delete(o.sick, "shodo-frontend")
			o.lacks["shodo-frontend"] = true
		}
	}
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, "1 of 1 recovered", stepNamed(t, got, "Recover tier 2").Result)
}

func TestFullOutage_AServiceShowsThatItIsSickAtTheVeryEnd_HasItsTurn(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo-backend": "503"}
	o.looked = func() {
		if o.looks == 5 {
			o.sick["shodo-frontend"] = "crashes"
		}
	}
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, o.journal, "recover shodo-frontend")
}

func TestFullOutage_WhatItNeedsIsNotRecovered_IsNotRestartedInVain(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-backend": "503"}
	o.incurable["shodo"] = true
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.NotContains(t, o.journal, "recover shodo-backend")
	require.Contains(t, got.Summary, "it needs shodo, which is not well")
}

func TestFullOutage_NothingIsDown_IsRefused(t *testing.T) {
	o := newOutage(t)
	_, err := o.recover(workflows.FullOutageRequest{})
	require.True(t, runbook.RefusedBy(err, workflows.GuardHealthy), "%v", err)
	require.Equal(t, []string{"take lease", "release lease "}, o.journal)
}

func TestFullOutage_TheAPIServerIsAwayAtFirst_IsWaitedForBeforeAnythingIsJudged(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-backend": "503"}
	o.away = 2
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "recover shodo"}, o.journal[:2])
}

func TestFullOutage_TheAPIServerGoesAwayOnTheWay_NothingIsTakenToBeWellUnseen(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-frontend": "crashes"}
	o.healed = func(name string) { o.away = 5 }
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, o.journal, "recover shodo-frontend")
	require.Negative(t, o.away, "it waited until it could see again")
}

func TestFullOutage_APartThatThePlanDoesNotHave_CannotBeSkipped(t *testing.T) {
	o := newOutage(t)
	_, err := o.recover(workflows.FullOutageRequest{Skip: []string{"moon"}})
	require.ErrorContains(t, err, "shodo, redis, shodo-backend, shodo-frontend, shodo-ai-server")
}

func TestFullOutage_TheDatabaseIsSkipped_IsSaidAndWhatNeedsItIsWarnedOf(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-backend": "503"}
	got, err := o.recover(workflows.FullOutageRequest{Skip: []string{"shodo", "redis"}})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.NotContains(t, o.journal, "recover shodo")
	require.Equal(t, report.Skipped, stepNamed(t, got, "Recover databases and Redis").State)
	require.Contains(t, fmt.Sprint(got.Facts), "it needs shodo, which is not well")
}

func TestFullOutage_Guided_AsksForEachTierAndLetsAPersonSkipWhatFails(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"redis": "hangs", "shodo-backend": "crashes"}
	o.incurable["shodo-backend"] = true
	o.approve(time.Minute, 1)
	o.approve(2*time.Minute, 2)
	o.RegisterDelayedCallback(func() {
		require.Equal(t, []string{runbook.Retry, runbook.Skip, runbook.Abort}, o.status().Question.Answers)
		o.SignalWorkflow(runbook.Skip, runbook.Decision{Question: 3, By: "yuki", Comment: "known"})
	}, 3*time.Minute)
	got, err := o.recover(workflows.FullOutageRequest{Guided: true})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, strings.Join(got.Missing, "; "), "shodo-backend")
}

func TestFullOutage_Cancelled_HasTheRunsUnderWayUndoTheirsAndGivesTheLeaseBack(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo-ai-server": "crashes", "shodo-frontend": "crashes"}
	o.RegisterDelayedCallback(o.CancelWorkflow, 500*time.Millisecond)
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.ElementsMatch(t, []string{"take lease", "cancelled shodo-ai-server", "cancelled shodo-frontend", "release lease "}, o.journal)
}

func TestFullOutage_ManyServicesOfATier_AreRecoveredAtOnceButNotMoreThanThePlanAllows(t *testing.T) {
	o := newOutage(t)
	o.plan.Runbooks.FullOutage.AtOnce = 3
	for i := range 10 {
		name := fmt.Sprintf("service-%d", i)
		o.plan.Services = append(o.plan.Services, plan.Service{Name: name, Tier: 3, Region: o.plan.Regions[0], Deployment: name, Health: []string{"/health"}})
		o.sick[name] = "crashes"
	}
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, 3, o.most)
}

func TestFullOutage_ARunThatFailsWithoutAReport_IsNotRecovered(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo-frontend": "crashes"}
	o.OnWorkflow(workflows.ServiceRecoveryName, mock.Anything, mock.Anything).Return(report.Report{}, temporal.NewNonRetryableApplicationError("refused, nothing was changed: paused", runbook.RefusedType, nil, []string{""}))
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, got.Summary, "paused")
}

func TestFullOutage_Rehearsed_ChangesNothingAndSaysWhatItWould(t *testing.T) {
	o := newOutage(t)
	o.sick = map[string]string{"shodo": "no answer", "shodo-frontend": "crashes"}
	got, err := o.recover(workflows.FullOutageRequest{Request: runbook.Request{Mode: runbook.Rehearse}})
	require.NoError(t, err)
	require.Equal(t, report.Rehearsed, got.Outcome)
	require.Empty(t, o.journal)
	require.Equal(t, []string{"shodo: fukkyu run database-failover --database shodo"}, stepNamed(t, got, "Recover databases and Redis").Changes)
}

func TestFullOutage_AnotherOneIsRunning_IsRefused(t *testing.T) {
	o := newOutage(t)
	o.held = lease.ReadLeaseResult{Held: true, Holder: "full-outage/other"}
	_, err := o.recover(workflows.FullOutageRequest{})
	require.ErrorContains(t, err, "a recovery of everything is running: full-outage/other")
}
