package diagnose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	corev1 "k8s.io/api/core/v1"
)

// askRedis asks every pod of the region's Redis servers.
func (l *look) askRedis(ctx context.Context, pods []corev1.Pod) {
	var tasks []func()
	var planned []bool // which of them are of the set that holds the master in normal times
	for _, redis := range l.plan.Redis {
		if redis.Region != l.region {
			continue
		}
		for i := range pods {
			set := workloadOf(&pods[i])
			if set != redis.Master && !slices.Contains(redis.Replicas, set) {
				continue
			}
			l.Redis = append(l.Redis, diagnosis.Redis{Name: redis.Name, Pod: pods[i].Name, Node: pods[i].Spec.NodeName})
			planned = append(planned, set == redis.Master)
			at := len(l.Redis) - 1
			tasks = append(tasks, func() { askRedisServer(ctx, &l.Redis[at], redis, pods[i].Status.PodIP) })
		}
	}
	together(tasks...)
	for i := range l.Redis {
		l.Redis[i].Master = l.Redis[i].Role == "master" || planned[i] && !l.hasMaster(l.Redis[i].Name)
	}
}

// hasMaster says that one of the servers takes itself for the master: after a promotion it is another than the plan's.
func (l *look) hasMaster(name string) bool {
	return slices.ContainsFunc(l.Redis, func(r diagnosis.Redis) bool { return r.Name == name && r.Role == "master" })
}

func askRedisServer(ctx context.Context, seen *diagnosis.Redis, redis plan.Redis, address string) {
	if address == "" {
		seen.Said = "its pod has no address"
		return
	}
	info, err := bounded(ctx, probeTimeout, func(ctx context.Context) (map[string]string, error) {
		return readInfo(ctx, net.JoinHostPort(address, strconv.Itoa(redis.Port)))
	})
	if err != nil {
		seen.Said = reason(err)
		return
	}
	seen.Answers, seen.Role, seen.Loading = true, info["role"], info["loading"] == "1" || info["async_loading"] == "1"
	seen.RDB, seen.AOF = info["rdb_last_bgsave_status"], "off"
	if info["aof_enabled"] == "1" {
		seen.AOF = info["aof_last_write_status"]
	}
}

// mostInfo is how long an answer to INFO may be; it is some kilobytes.
const mostInfo = 1 << 20

// readInfo sends the one command INFO, whose answer is one bulk string: "$", its length, and lines of "key:value".
func readInfo(ctx context.Context, address string) (map[string]string, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if deadline, bounded := ctx.Deadline(); bounded {
		if err := connection.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	if _, err := connection.Write([]byte("INFO\r\n")); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(io.LimitReader(connection, mostInfo))
	header, err := reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	size, isBulk := strings.CutPrefix(strings.TrimSpace(header), "$")
	length, err := strconv.Atoi(size)
	switch {
	case !isBulk:
		return nil, errors.New(strings.TrimPrefix(strings.TrimSpace(header), "-"))
	case err != nil || length < 0 || length > mostInfo:
		return nil, fmt.Errorf("%q is no answer of a Redis server", header)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(reader, body); err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[key] = value
		}
	}
	return info, nil
}
