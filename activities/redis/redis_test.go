//go:build integration

package redis_test

import (
	"fmt"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/internal/redistest"
)

const patience = 10 * time.Second

func at(pod string, server *redistest.Server) redis.Instance {
	return redis.Instance{Pod: pod, Host: redistest.Host, Port: server.Port}
}

// started returns a server that has loaded its data.
func started(t *testing.T, pod string, settings ...string) (redis.Instance, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t, settings...)
	awaited, err := redis.New().AwaitRedisLoaded(t.Context(), redis.AwaitLoadedParams{Instance: at(pod, server), Patience: patience})
	require.NoError(t, err)
	require.True(t, awaited.Loaded, awaited.Seen)
	return at(pod, server), server
}

func read(t *testing.T, instances ...redis.Instance) []redis.Server {
	t.Helper()
	result, err := redis.New().ReadRedisServers(t.Context(), redis.ReadServersParams{Instances: instances, Timeout: 2 * time.Second})
	require.NoError(t, err)
	return result.Servers
}

func raw(t *testing.T, instance redis.Instance) *client.Client {
	t.Helper()
	connection := client.NewClient(&client.Options{Addr: fmt.Sprintf("%s:%d", instance.Host, instance.Port), Protocol: 2})
	t.Cleanup(func() { require.NoError(t, connection.Close()) })
	return connection
}

func requireFailure(t *testing.T, err error, kind string, permanent bool, says string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
	require.Equal(t, permanent, failed.NonRetryable(), failed.Error())
	require.Contains(t, failed.Error(), says)
}

func TestReadServers_MasterReplicaAndOneThatIsGone_AreAllSaid(t *testing.T) {
	master, server := started(t, "redis-master-0", "--appendonly", "yes")
	require.NoError(t, raw(t, master).Set(t.Context(), "a", "b", 0).Err())
	replica, _ := started(t, "redis-replica-0", server.Of()...)
	gone := redis.Instance{Pod: "gone", Host: redistest.Host, Port: 1}
	require.Eventually(t, func() bool { return read(t, replica)[0].MasterLink == "up" }, patience, 50*time.Millisecond)

	found := read(t, master, replica, gone, redis.Instance{Pod: "nowhere"})

	require.Equal(t, redis.Master, found[0].Role)
	require.True(t, found[0].AOF)
	require.Equal(t, "ok", found[0].AOFLastWrite)
	require.Equal(t, "ok", found[0].LastSave)
	require.Equal(t, 1, found[0].Replicas)
	require.EqualValues(t, 1, found[0].Keys)
	require.Equal(t, redis.Replica, found[1].Role)
	require.EqualValues(t, 1, found[1].Keys)
	require.Equal(t, redis.Server{Pod: "gone", Error: found[2].Error}, found[2])
	require.Contains(t, found[2].Error, "connection refused")
	require.Equal(t, "the pod has no address", found[3].Error)
}

func TestAwaitLoaded_OfAServerThatDoesNotAnswer_SaysSo(t *testing.T) {
	awaited, err := redis.New().AwaitRedisLoaded(t.Context(), redis.AwaitLoadedParams{
		Instance: redis.Instance{Pod: "gone", Host: redistest.Host, Port: 1}, Patience: time.Second,
	})
	require.NoError(t, err)
	require.False(t, awaited.Loaded)
	require.Contains(t, awaited.Seen, "connection refused")
}

func TestAwaitLoaded_OfAServerThatSaysNothing_LeavesItsPatience(t *testing.T) {
	began := time.Now()
	awaited, err := redis.New().AwaitRedisLoaded(t.Context(), redis.AwaitLoadedParams{
		Instance: redis.Instance{Pod: "gone", Host: redistest.Host, Port: 1}, Patience: time.Hour, Silence: 200 * time.Millisecond,
	})
	require.NoError(t, err)
	require.False(t, awaited.Loaded)
	require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)
}

func TestAwaitReplicas_OneFollows_IsEnoughForOneAndNotForTwo(t *testing.T) {
	master, server := started(t, "redis-master-0")
	started(t, "redis-replica-0", server.Of()...)
	one, err := redis.New().AwaitRedisReplicas(t.Context(), redis.AwaitReplicasParams{Master: master, AtLeast: 1, Patience: patience})
	require.NoError(t, err)
	require.True(t, one.Enough)
	two, err := redis.New().AwaitRedisReplicas(t.Context(), redis.AwaitReplicasParams{Master: master, AtLeast: 2, Patience: 200 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, redis.AwaitReplicasResult{Replicas: 1}, two)
}

func TestWriteCanary_OnAMaster_WorksAndLeavesNothing(t *testing.T) {
	master, _ := started(t, "redis-master-0")
	for range 2 {
		written, err := redis.New().WriteRedisCanary(t.Context(), redis.WriteCanaryParams{Instance: master, ID: "run-1", Patience: patience})
		require.NoError(t, err)
		require.Equal(t, 1, written.Attempts)
	}
	require.Zero(t, read(t, master)[0].Keys)
}

func TestWriteCanary_OnAReplica_IsNotReady(t *testing.T) {
	_, server := started(t, "redis-master-0")
	replica, _ := started(t, "redis-replica-0", server.Of()...)
	_, err := redis.New().WriteRedisCanary(t.Context(), redis.WriteCanaryParams{Instance: replica, ID: "run-1", Patience: time.Second})
	requireFailure(t, err, failure.NotReady, false, "READONLY")
}

func TestSampleKeys_OfAPattern_CountsTypesAndLivesUpToTheLimit(t *testing.T) {
	master, _ := started(t, "redis-master-0")
	connection := raw(t, master)
	for i := range 250 {
		require.NoError(t, connection.Set(t.Context(), fmt.Sprintf("lpr:%d", i), "x", time.Hour).Err())
	}
	require.NoError(t, connection.LPush(t.Context(), "lpr:list", "x").Err())
	require.NoError(t, connection.Set(t.Context(), "other", "x", 0).Err())
	params := redis.SampleKeysParams{Instance: master, Pattern: "lpr:*", Limit: 1000, Timeout: patience}

	all, err := redis.New().SampleRedisKeys(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"string": 250, "list": 1}, all.Types)
	require.Equal(t, 251, all.Keys)
	require.Equal(t, 1, all.Staying)
	require.True(t, all.Complete)
	require.InDelta(t, time.Hour, all.LongTTL, float64(time.Minute))

	params.Limit = 10
	some, err := redis.New().SampleRedisKeys(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, 10, some.Keys)
	require.False(t, some.Complete)
}

func TestPromote_OfAReplica_MakesItMasterOnce(t *testing.T) {
	_, server := started(t, "redis-master-0")
	replica, _ := started(t, "redis-replica-0", server.Of()...)
	params := redis.PromoteParams{Instance: replica, RunID: read(t, replica)[0].RunID, Patience: patience}

	_, err := redis.New().PromoteRedis(t.Context(), params)
	requireFailure(t, err, failure.Unexpected, true, "nothing proves")
	require.Equal(t, redis.Replica, read(t, replica)[0].Role)

	params.Proof = "its power switch says off"
	promoted, err := redis.New().PromoteRedis(t.Context(), params)
	require.NoError(t, err)
	require.False(t, promoted.Already)
	require.Equal(t, redis.Master, promoted.Server.Role)

	again, err := redis.New().PromoteRedis(t.Context(), params)
	require.NoError(t, err)
	require.True(t, again.Already)
}

func TestPromote_OfAnotherProcessThanTheChosen_IsRefused(t *testing.T) {
	master, _ := started(t, "redis-master-0")
	_, err := redis.New().PromoteRedis(t.Context(), redis.PromoteParams{Instance: master, RunID: "another", Proof: "off", Patience: patience})
	requireFailure(t, err, failure.Unexpected, true, "restarted since")
}
