package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/workflow"
)

// verifyRedisServer asks all pods of a Redis what they are, and looks at a sample of the master's keys.
func verifyRedisServer(ctx workflow.Context, namespace string, server plan.Redis) []Finding {
	target := "redis " + server.Name
	pods, err := begin(looking(ctx, server.Region, "find the pods of "+server.Name), kube.FindRedis,
		kubernetes.FindRedisParams{Namespace: namespace, Redis: server}).get(ctx)
	if err != nil {
		return couldNotRun(target, "find its pods", err)
	}
	if len(pods.Pods) == 0 {
		return couldNotRun(target, "find its pods", errors.New("there are none"))
	}
	var instances []redis.Instance
	for _, pod := range pods.Pods {
		instances = append(instances, redis.Instance{Pod: pod.Pod, Host: pod.IP, Port: server.Port})
	}
	read, err := begin(looking(ctx, server.Region, "ask the pods of "+server.Name), caches.ReadRedisServers,
		redis.ReadServersParams{Instances: instances, Timeout: verifyRedis}).get(ctx)
	if err != nil {
		return couldNotRun(target, "ask its pods", err)
	}
	checks := redisChecks(read.Servers)
	if at := slices.IndexFunc(read.Servers, isMaster); at >= 0 && server.Keys != "" {
		checks = append(checks, sampleKeys(ctx, server, instances[at]))
	}
	return orNotRun(target, "", checks, nil)
}

func isMaster(server redis.Server) bool { return server.Reached && server.Role == redis.Master }

// redisChecks judges what the pods said of themselves: there is one master, and everybody keeps its data.
func redisChecks(found []redis.Server) []integrity.Check {
	masters := 0
	var checks []integrity.Check
	for _, server := range found {
		if isMaster(server) {
			masters++
		}
		checks = append(checks, instanceChecks(server)...)
	}
	return append([]integrity.Check{integrity.Compare("masters", strconv.Itoa(masters), "1")}, checks...)
}

func instanceChecks(server redis.Server) []integrity.Check {
	if !server.Reached {
		return []integrity.Check{integrity.CouldNotRun(server.Pod, server.Error)}
	}
	loaded := "loaded"
	if server.Loading {
		loaded = "loading"
	}
	checks := []integrity.Check{
		integrity.Record(server.Pod+" role", server.Role),
		integrity.Compare(server.Pod+" data", loaded, "loaded"),
		integrity.Compare(server.Pod+" last snapshot", server.LastSave, "ok"),
	}
	if server.AOF {
		checks = append(checks, integrity.Compare(server.Pod+" last write to the append-only file", server.AOFLastWrite, "ok"))
	}
	if server.Role == redis.Replica {
		checks = append(checks, integrity.Compare(server.Pod+" link to the master", server.MasterLink, "up"))
	}
	if server.KeysUnreadable != "" {
		return append(checks, integrity.CouldNotRun(server.Pod+" keys", server.KeysUnreadable))
	}
	return append(checks, integrity.Record(server.Pod+" keys", strconv.FormatInt(server.Keys, 10)))
}

func sampleKeys(ctx workflow.Context, server plan.Redis, master redis.Instance) integrity.Check {
	name := "sample of " + server.Keys
	sample, err := begin(looking(ctx, server.Region, "look at some keys of "+master.Pod), caches.SampleRedisKeys,
		redis.SampleKeysParams{Instance: master, Pattern: server.Keys, Limit: verifySample, Timeout: verifyRedis}).get(ctx)
	if err != nil {
		return integrity.CouldNotRun(name, saidBy(err))
	}
	return integrity.Record(name, fmt.Sprintf("%d keys, %d of which never expire", sample.Keys, sample.Staying))
}
