package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecideRedis_OnlyTheNamedPodStartsAsAMaster(t *testing.T) {
	cases := []struct {
		name string
		seen redisSituation
		want redisAction
	}{
		{"first start of the estate", redisSituation{Pod: "a", Master: "a"}, startMaster},
		{"the master restarts", redisSituation{Pod: "a", Master: "a", Epoch: 3, Data: true, Ruled: true}, startMaster},
		{"a replica that was promoted restarts", redisSituation{Pod: "b", Master: "b", Epoch: 3, Data: true}, startMaster},
		{"the master has lost its data and would empty its replicas", redisSituation{Pod: "a", Master: "a", Epoch: 3}, holdRedis},
		{"a new replica", redisSituation{Pod: "b", Master: "a"}, startReplica},
		{"a replica restarts", redisSituation{Pod: "b", Master: "a", Data: true}, startReplica},
		{"a replica restarts while nobody is master", redisSituation{Pod: "b", Data: true, Epoch: 1}, holdRedis},
		{"the old master comes back between fence and promotion", redisSituation{Pod: "a", Data: true, Ruled: true, Epoch: 1}, holdRedis},
		{"the old master comes back after the promotion", redisSituation{Pod: "a", Master: "b", Data: true, Ruled: true, Epoch: 1}, succeedReplica},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, decideRedis(c.seen)) })
	}
}

func TestRedisServer_AFormerMaster_KeepsItsDataAsideAndStartsEmptyAsAReplica(t *testing.T) {
	volume := t.TempDir()
	own := redisServer{pod: "redis-master-0", folder: filepath.Join(volume, "redis-master-0")}
	did, err := own.obey(role{primary: "redis-master-0"})
	require.NoError(t, err)
	require.Equal(t, startMaster, did)
	require.NoError(t, os.MkdirAll(own.appendOnly(), 0o700))

	did, err = own.obey(role{primary: "redis-replica-0", epoch: 1})
	require.NoError(t, err)
	require.Equal(t, succeedReplica, did)
	kept, err := filepath.Glob(filepath.Join(volume, "redis-master-0-set-aside-*", "appendonlydir"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	left, err := os.ReadDir(own.folder)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, []string{"--replicaof", "redis 6379"}, own.arguments(did, "redis")[len(own.arguments(did, "redis"))-2:])

	did, err = own.obey(role{primary: "redis-replica-0", epoch: 1})
	require.NoError(t, err)
	require.Equal(t, startReplica, did, "a restart sets nothing aside again")
}
