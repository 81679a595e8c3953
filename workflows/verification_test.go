package workflows_test

import (
	"context"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
)

// verify runs a verification of an estate whose Redis answers as given.
func verify(t *testing.T, request any, pods []kubernetes.RedisPod, servers []redis.Server, inspection error) (workflows.Verification, error) {
	e := newEstate(t)
	act := func(name string, what any) { e.RegisterActivityWithOptions(what, activity.RegisterOptions{Name: name}) }
	act("InspectServer", func(context.Context, postgres.InspectServerParams) (postgres.InspectServerResult, error) {
		return postgres.InspectServerResult{Checks: []integrity.Check{integrity.Compare("recovery state", "primary", "primary")}}, inspection
	})
	act("FindRedis", func(context.Context, kubernetes.FindRedisParams) (kubernetes.FindRedisResult, error) {
		return kubernetes.FindRedisResult{Pods: pods}, nil
	})
	act("ReadRedisServers", func(context.Context, redis.ReadServersParams) (redis.ReadServersResult, error) {
		return redis.ReadServersResult{Servers: servers}, nil
	})
	act("SampleRedisKeys", func(context.Context, redis.SampleKeysParams) (redis.SampleKeysResult, error) {
		return redis.SampleKeysResult{Keys: 3, Complete: true}, nil
	})
	e.ExecuteWorkflow(workflows.VerificationName, request)
	require.True(t, e.IsWorkflowCompleted())
	if err := e.GetWorkflowError(); err != nil {
		return workflows.Verification{}, err
	}
	var found workflows.Verification
	require.NoError(t, e.GetWorkflowResult(&found))
	require.Empty(t, e.journal, "a verification changes nothing")
	return found, nil
}

var (
	masterPod    = kubernetes.RedisPod{Pod: "redis-master-0", StatefulSet: "redis-master", IP: "10.0.0.9"}
	healthyRedis = redis.Server{Pod: "redis-master-0", Reached: true, Role: redis.Master, LastSave: "ok", AOF: true, AOFLastWrite: "ok", Keys: 3}
)

func checkOf(t *testing.T, found workflows.Verification, target, name string) integrity.Check {
	t.Helper()
	for _, check := range found.Checks {
		if check.Target == target && check.Name == name {
			return check.Check
		}
	}
	require.Failf(t, "no such check", "%s %s in %+v", target, name, found.Checks)
	return integrity.Check{}
}

func TestVerify_OfAHealthyEstate_Passes(t *testing.T) {
	found, err := verify(t, workflows.VerificationRequest{}, []kubernetes.RedisPod{masterPod}, []redis.Server{healthyRedis}, nil)
	require.NoError(t, err)
	require.Equal(t, integrity.Pass, found.Verdict, found.Checks)
	checkOf(t, found, "redis redis", "sample of lpr:*")
}

func TestVerify_OfARedisWithADamagedFile_FailsAndNamesIt(t *testing.T) {
	damaged := healthyRedis
	damaged.AOFLastWrite = "err"
	found, err := verify(t, workflows.VerificationRequest{}, []kubernetes.RedisPod{masterPod}, []redis.Server{damaged}, nil)
	require.NoError(t, err)
	require.Equal(t, integrity.Fail, found.Verdict)
	require.Equal(t, integrity.Fail, checkOf(t, found, "redis redis", "redis-master-0 last write to the append-only file").Verdict)
}

func TestVerify_ChecksThatCouldNotRun_AreNoPassAndTheOthersStand(t *testing.T) {
	found, err := verify(t, workflows.VerificationRequest{}, nil, nil, failure.Permanent(failure.Forbidden, "no credentials"))
	require.NoError(t, err)
	require.Equal(t, integrity.Fail, found.Verdict)
	require.Equal(t, integrity.NotRun, checkOf(t, found, "redis redis", "find its pods").Verdict)
	require.Equal(t, "no credentials", checkOf(t, found, "database shodo", "inspect postgres-primary-0").Measured)
	require.Equal(t, integrity.Pass, checkOf(t, found, "database shodo", "applications are sent to the primary").Verdict)
}

func TestVerify_OfADatabaseThatIsNotInThePlan_IsRefused(t *testing.T) {
	_, err := verify(t, workflows.VerificationRequest{Databases: []string{"ledger"}}, nil, nil, nil)
	require.ErrorContains(t, err, `database "ledger" is not in the plan`)
}
