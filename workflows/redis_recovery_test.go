package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// cache is a Redis in the test environment: a master and a replica, in Kubernetes and by their own words.
type cache struct {
	*estate
	kube     kubernetes.Estate
	says     map[string]redis.Server
	hopeless string
	waited   func() // what happens while the master is waited for
	silent   func() // what happens while its server says nothing
	replaced func() // what happens when a pod is deleted
}

// newCache is one whose master died with its machine.
func newCache(t *testing.T) *cache {
	t.Helper()
	c := &cache{estate: newBareEstate(t), waited: func() {}, silent: func() {}, replaced: func() {}}
	c.kube = kubernetes.Estate{
		Instances: []kubernetes.Instance{
			{Pod: "redis-master-0", UID: "uid-m", StatefulSet: "redis-master", Node: "node-a1", IP: "10.0.0.1", Port: 6379, Ready: true, NodeReady: true},
			{Pod: "redis-replica-0", UID: "uid-r", StatefulSet: "redis-replica", Node: "node-c1", IP: "10.0.0.2", Port: 6379, Ready: true, NodeReady: true},
		},
		Sets:        []kubernetes.Set{{Name: "redis-master", Replicas: 1}, {Name: "redis-replica", Replicas: 1}},
		RolePrimary: "redis-master-0", ServicePod: "redis-master-0",
	}
	c.says = map[string]redis.Server{
		"redis-master-0":  {Pod: "redis-master-0", Error: "no answer in time"},
		"redis-replica-0": {Pod: "redis-replica-0", Reached: true, RunID: "r1", Role: redis.Replica, Offset: 100, Keys: 5, Silent: 2 * time.Second},
	}
	workflows.Register(c)
	c.registerServers()
	c.registerObjects()
	return c
}

func (c *cache) registerObjects() {
	handle(c.estate, "ReadRedis", func(kubernetes.ReadRedisParams) (kubernetes.Estate, error) { return c.kube, nil })
	handle(c.estate, "AwaitWorkload", func(kubernetes.AwaitWorkloadParams) (kubernetes.AwaitWorkloadResult, error) {
		c.waited()
		return kubernetes.AwaitWorkloadResult{Done: c.hopeless == "", Hopeless: c.hopeless}, nil
	})
	handle(c.estate, "DeletePod", func(p kubernetes.DeletePodParams) (kubernetes.DeletePodResult, error) {
		c.replaced()
		return kubernetes.DeletePodResult{}, c.write("DeletePod", "delete %s", p.Pod)
	})
	handle(c.estate, "OpenRole", func(p kubernetes.OpenRoleParams) (kubernetes.OpenRoleResult, error) {
		c.kube.RolePrimary = p.Pod
		return kubernetes.OpenRoleResult{}, c.write("OpenRole", "open gate for %s", p.Pod)
	})
	handle(c.estate, "CloseRole", func(p kubernetes.CloseRoleParams) (kubernetes.CloseRoleResult, error) {
		c.kube.RolePrimary = ""
		return kubernetes.CloseRoleResult{}, c.write("CloseRole", "close gate from %s", p.From)
	})
	handle(c.estate, "PointService", func(p kubernetes.PointServiceParams) (kubernetes.PointServiceResult, error) {
		if err := c.write("PointService", "point service at %s", p.To); err != nil {
			return kubernetes.PointServiceResult{}, err
		}
		c.kube.ServicePod = p.To
		return kubernetes.PointServiceResult{}, nil
	})
	handle(c.estate, "FindRedis", func(kubernetes.FindRedisParams) (kubernetes.FindRedisResult, error) {
		return kubernetes.FindRedisResult{}, nil
	})
}

func (c *cache) registerServers() {
	handle(c.estate, "ReadRedisServers", func(p redis.ReadServersParams) (redis.ReadServersResult, error) {
		var read redis.ReadServersResult
		for _, instance := range p.Instances {
			read.Servers = append(read.Servers, c.says[instance.Pod])
		}
		return read, nil
	})
	handle(c.estate, "AwaitRedisLoaded", func(p redis.AwaitLoadedParams) (redis.AwaitLoadedResult, error) {
		c.silent()
		return redis.AwaitLoadedResult{Server: c.says[p.Instance.Pod]}, nil
	})
	handle(c.estate, "PromoteRedis", func(p redis.PromoteParams) (redis.PromoteResult, error) {
		require.NotEmpty(c.t, p.Proof)
		c.serves(p.Instance.Pod)
		return redis.PromoteResult{}, c.write("PromoteRedis", "promote %s", p.Instance.Pod)
	})
	handle(c.estate, "WriteRedisCanary", func(p redis.WriteCanaryParams) (redis.WriteCanaryResult, error) {
		return redis.WriteCanaryResult{At: c.Now()}, c.write("WriteRedisCanary", "write to %s", p.Instance.Pod)
	})
	handle(c.estate, "AwaitRedisReplicas", func(redis.AwaitReplicasParams) (redis.AwaitReplicasResult, error) {
		return redis.AwaitReplicasResult{}, nil
	})
}

// serves lets a server be a master that answers.
func (c *cache) serves(pod string) {
	c.says[pod] = redis.Server{Pod: pod, Reached: true, RunID: c.says[pod].RunID, Role: redis.Master, Keys: 5}
}

// alive lets the machine of the master run, so that only its server is to blame.
func (c *cache) alive() { c.powerState = power.On }

func (c *cache) recover(request workflows.RedisRecoveryRequest) (report.Report, error) {
	c.t.Helper()
	request.By, request.Redis = "yuki", "redis"
	c.ExecuteWorkflow(workflows.RedisRecoveryName, request)
	require.True(c.t, c.IsWorkflowCompleted())
	var got report.Report
	if err := c.GetWorkflowError(); err != nil {
		return got, err
	}
	require.NoError(c.t, c.GetWorkflowResult(&got))
	return got, nil
}

func TestRedisRecovery_TheMachineOfTheMasterIsOff_FencesBeforeItPromotesAndWaitsForNothing(t *testing.T) {
	c := newCache(t)
	c.waited = func() { t.Error("nothing comes back on a machine that is off") }
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{
		"take lease", "close gate from redis-master-0", "delete redis-master-0", "open gate for redis-replica-0", "promote redis-replica-0",
		"point service at redis-replica-0", "write to redis-replica-0", "free redis-master-0", "release lease ",
	}, c.journal)
	require.Equal(t, 2*time.Second, *got.RPO.Measured)
	require.Contains(t, strings.Join(got.Next, "; "), "0 of 1 replicas follow redis-replica-0")
}

func TestRedisRecovery_NothingProvesThatTheMasterIsStopped_NothingIsPromotedAndItMayStartAgain(t *testing.T) {
	c := newCache(t)
	c.alive()
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{
		"take lease", "delete redis-master-0", "close gate from redis-master-0", "delete redis-master-0", "open gate for redis-master-0", "release lease ",
	}, c.journal)
	require.Contains(t, got.Summary, workflows.GuardUnprovenFence)
	require.Contains(t, strings.Join(got.Missing, "; "), "still sick")
}

func TestRedisRecovery_TheProofIsOverridden_PromotesAndSaysThatNothingIsProven(t *testing.T) {
	c := newCache(t)
	c.alive()
	got, err := c.recover(workflows.RedisRecoveryRequest{Request: runbook.Request{Reason: "I pulled the plug", Overrides: []runbook.Override{{Guard: workflows.GuardUnprovenFence, Reason: "I pulled the plug"}}}})
	require.NoError(t, err)
	require.Equal(t, report.RecoveredUnproven, got.Outcome, got.Summary)
}

func TestRedisRecovery_TheMasterComesBackByItself_IsLeftAlone(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.waited = func() { c.serves("redis-master-0") }
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "release lease "}, c.journal)
}

func TestRedisRecovery_TheMasterHangs_GetsANewPodAndKeepsItsData(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.replaced = func() { c.serves("redis-master-0") }
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "delete redis-master-0", "release lease "}, c.journal)
	require.Nil(t, got.RPO.Measured)
}

func TestRedisRecovery_TheMasterCannotReadItsData_IsNotReplacedInVain(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.hopeless, c.stopped = "container redis crashes: Bad file format", true
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, report.Skipped, got.Steps[3].State)
	require.Contains(t, got.Steps[3].Result, "Bad file format")
	require.Contains(t, c.journal, "promote redis-replica-0")
}

func TestRedisRecovery_ThePodOfAServerThatHasDiedIsStillCalledReady_IsWatchedAgain(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.silent = func() { c.hopeless, c.stopped = "container redis crashes: Bad file format", true }
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, report.Skipped, got.Steps[3].State)
	require.Contains(t, got.Steps[3].Result, "Bad file format")
}

func TestRedisRecovery_TheServerIsBackBeforeItsPodIsReadyAgain_GetsNoNewPod(t *testing.T) {
	c := newCache(t)
	c.alive()
	ready := func(is bool) { c.kube.Instances[0].Ready = is }
	c.silent = func() { c.serves("redis-master-0"); ready(false); c.waited = func() { ready(true) } }
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "release lease "}, c.journal)
}

func TestRedisRecovery_AWellRedis_IsRefused(t *testing.T) {
	c := newCache(t)
	c.serves("redis-master-0")
	_, err := c.recover(workflows.RedisRecoveryRequest{})
	require.True(t, runbook.RefusedBy(err, workflows.GuardHealthy), "%v", err)
}

func TestRedisRecovery_AWellRedisAndOverridden_GetsANewPodAndNothingElse(t *testing.T) {
	c := newCache(t)
	c.serves("redis-master-0")
	got, err := c.recover(workflows.RedisRecoveryRequest{Request: runbook.Request{Reason: "a leak", Overrides: []runbook.Override{{Guard: workflows.GuardHealthy, Reason: "a leak"}}}})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "delete redis-master-0", "release lease "}, c.journal)
}

func TestRedisRecovery_ASecondMaster_IsMadeToStartAnew(t *testing.T) {
	c := newCache(t)
	c.serves("redis-master-0")
	c.serves("redis-replica-0")
	c.replaced = func() {
		c.says["redis-replica-0"] = redis.Server{Pod: "redis-replica-0", Reached: true, Role: redis.Replica}
	}
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "delete redis-replica-0", "release lease "}, c.journal)
}

func TestRedisRecovery_NoReplicaCanBePromoted_SaysWhyOfEach(t *testing.T) {
	for name, shown := range map[string]struct {
		says redis.Server
		why  string
	}{
		"it is gone":             {redis.Server{Pod: "redis-replica-0", Error: "connection refused"}, "redis-replica-0: connection refused"},
		"it loads":               {redis.Server{Pod: "redis-replica-0", Reached: true, Role: redis.Replica, Loading: true}, "it is loading its data"},
		"it never had the data":  {redis.Server{Pod: "redis-replica-0", Reached: true, Role: redis.Replica}, workflows.GuardDataLoss},
		"it is a stray master":   {redis.Server{Pod: "redis-replica-0", Reached: true, Role: redis.Master, Keys: 1}, "by nobody's order"},
		"its keys are not there": {redis.Server{Pod: "redis-replica-0", Reached: true, Role: redis.Replica, Keys: 1, KeysUnreadable: "MASTERDOWN"}, "MASTERDOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t)
			c.says["redis-replica-0"] = shown.says
			_, err := c.recover(workflows.RedisRecoveryRequest{})
			require.ErrorContains(t, err, shown.why)
			require.Equal(t, []string{"take lease", "release lease "}, c.journal)
		})
	}
}

func TestRedisRecovery_APromotionThatAnEarlierRunBegan_IsFinishedAndNoOtherIsBegun(t *testing.T) {
	c := newCache(t)
	c.kube.Instances = append(c.kube.Instances, kubernetes.Instance{Pod: "redis-replica-1", UID: "uid-1", StatefulSet: "redis-replica", Ordinal: 1, IP: "10.0.0.3", Ready: true, NodeReady: true})
	c.says["redis-replica-1"] = redis.Server{Pod: "redis-replica-1", Reached: true, RunID: "r2", Role: redis.Replica, Offset: 900, Keys: 9}
	c.kube.RolePrimary, c.kube.RoleEpoch = "redis-replica-0", 6
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Contains(t, c.journal, "promote redis-replica-0")
	require.NotContains(t, c.journal, "promote redis-replica-1")
}

func TestRedisRecovery_ThePlanHasNoReplica_ReplacesThePodAndAsksWhenThatDoesNotHelp(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.plan.Redis[0].Replicas = nil
	c.RegisterDelayedCallback(func() {
		require.Contains(t, c.status().Question.Text, "still sick")
		c.SignalWorkflow(runbook.Abort, runbook.Decision{By: "yuki", Comment: "later"})
	}, 3*time.Minute)
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.NotEqual(t, report.Recovered, got.Outcome)
	require.Equal(t, []string{"take lease", "delete redis-master-0", "release lease "}, c.journal)
}

func TestRedisRecovery_AsPartOfAnotherRun_EndsInsteadOfAskingPeople(t *testing.T) {
	c := newCache(t)
	c.alive()
	c.plan.Redis[0].Replicas = nil
	c.RegisterWorkflowWithOptions(func(ctx workflow.Context) (got report.Report, err error) {
		asked := workflows.RedisRecoveryRequest{Request: runbook.Request{By: "yuki", DecidedBy: "full-outage/1"}, Redis: "redis"}
		err = workflow.ExecuteChildWorkflow(runbook.Child(ctx, "redis-recovery/redis", "a test"), workflows.RedisRecoveryName, asked).Get(ctx, &got)
		return got, err
	}, workflow.RegisterOptions{Name: "Parent"})
	c.ExecuteWorkflow("Parent")
	require.NoError(t, c.GetWorkflowError())
	var got report.Report
	require.NoError(t, c.GetWorkflowResult(&got))
	require.False(t, got.Outcome.ServiceIsBack())
	require.Contains(t, got.Summary, "still sick")
}

func TestRedisRecovery_StoppedAfterThePromotion_SaysWhatStandsAndHowToGoOn(t *testing.T) {
	c := newCache(t)
	c.before["PointService"] = func() error { return failure.Permanent(failure.Conflict, "somebody else moved it") }
	c.RegisterDelayedCallback(func() { c.SignalWorkflow(runbook.Abort, runbook.Decision{By: "yuki", Comment: "I look first"}) }, time.Minute)
	got, err := c.recover(workflows.RedisRecoveryRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Incomplete, got.Outcome)
	require.Contains(t, strings.Join(got.Holds, "; "), "redis-replica-0 is the master of redis redis")
	require.Contains(t, strings.Join(got.Next, "; "), "fukkyu run redis-recovery --redis redis")
	require.Equal(t, "release lease ", c.journal[len(c.journal)-1])
}

func TestRedisRecovery_Rehearsed_ChangesNothingAndSaysWhatItWould(t *testing.T) {
	c := newCache(t)
	got, err := c.recover(workflows.RedisRecoveryRequest{Request: runbook.Request{Mode: runbook.Rehearse}})
	require.NoError(t, err)
	require.Equal(t, report.Rehearsed, got.Outcome)
	require.Empty(t, c.journal)
	require.Contains(t, got.Steps[7].Changes, "redis-replica-0 becomes the master")
}
