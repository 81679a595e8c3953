package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The roles of a server, in Redis's words.
const (
	Master  = "master"
	Replica = "slave"
)

// Server is what one instance says of itself. When it was not reached, only Pod and Error are set.
type Server struct {
	Pod     string `json:"pod"`
	Reached bool   `json:"reached"`
	Error   string `json:"error,omitempty"`

	RunID      string `json:"runID,omitempty"` // of its process: another one after a restart
	Role       string `json:"role,omitempty"`
	MasterLink string `json:"masterLink,omitempty"` // of a replica: up or down
	Offset     int64  `json:"offset,omitempty"`     // bytes of the replication stream that it wrote or received
	// Silent is how long ago a replica last heard its master, in whole seconds, rounded up. Once the link is down it counts from when that
	// was noticed: up to repl-timeout later, where nothing said goodbye.
	Silent   time.Duration `json:"silent,omitempty"`
	Replicas int           `json:"replicas,omitempty"` // that are connected to it

	Loading        bool      `json:"loading,omitempty"` // it reads its data from disk and answers no command on it
	AOF            bool      `json:"aof,omitempty"`     // an append-only file is kept
	AOFLastWrite   string    `json:"aofLastWrite,omitempty"`
	LastSave       string    `json:"lastSave,omitempty"` // how the last snapshot ended
	LastSaveAt     time.Time `json:"lastSaveAt,omitzero"`
	Keys           int64     `json:"keys"`
	KeysUnreadable string    `json:"keysUnreadable,omitempty"` // why they could not be counted
}

// ReadServersParams names the servers.
type ReadServersParams struct {
	Instances []Instance    `json:"instances"`
	Timeout   time.Duration `json:"timeout"` // for each of them
}

// ReadServersResult has one entry for each instance, in their order.
type ReadServersResult struct {
	Servers []Server `json:"servers"`
}

// ReadRedisServers asks all instances at the same time for their role, replication and persistence. It changes nothing and returns no
// error: a server that does not answer is a finding.
func (a *Activities) ReadRedisServers(ctx context.Context, params ReadServersParams) (ReadServersResult, error) {
	result := ReadServersResult{Servers: make([]Server, len(params.Instances))}
	var asking sync.WaitGroup
	for i, instance := range params.Instances {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, params.Timeout)
			defer cancel()
			result.Servers[i] = read(ctx, instance)
		})
	}
	asking.Wait()
	return result, nil
}

func read(ctx context.Context, instance Instance) Server {
	if instance.Host == "" {
		return Server{Pod: instance.Pod, Error: "the pod has no address"}
	}
	client := dial(instance)
	defer hangUp(client)
	server, err := ask(ctx, client, instance.Pod)
	if err != nil {
		return Server{Pod: instance.Pod, Error: brief(err)}
	}
	return server
}

// ask reads what a server says of itself, and counts its keys where it can.
func ask(ctx context.Context, client *redis.Client, pod string) (Server, error) {
	text, err := client.Info(ctx).Result()
	if err != nil {
		return Server{}, err
	}
	server, err := parse(text)
	if err != nil {
		return Server{}, err
	}
	server.Pod, server.Reached = pod, true
	if server.Keys, err = client.DBSize(ctx).Result(); err != nil {
		server.KeysUnreadable = brief(err)
	}
	return server, nil
}

// parse reads the answer to INFO.
func parse(text string) (Server, error) {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	server := Server{
		RunID: fields["run_id"], Role: fields["role"], MasterLink: fields["master_link_status"],
		Loading: fields["loading"] == "1", AOF: fields["aof_enabled"] == "1",
		AOFLastWrite: fields["aof_last_write_status"], LastSave: fields["rdb_last_bgsave_status"],
	}
	if server.Role != Master && server.Role != Replica {
		return Server{}, errors.New("INFO names no role that is known")
	}
	offset := "master_repl_offset"
	if server.Role == Replica {
		offset = "slave_repl_offset"
	}
	server.Offset = number(fields[offset])
	if server.Role == Replica {
		server.Silent = time.Second + time.Duration(max(0, number(fields["master_last_io_seconds_ago"]), number(fields["master_link_down_since_seconds"])))*time.Second
	}
	server.Replicas = int(number(fields["connected_slaves"]))
	if saved := number(fields["rdb_last_save_time"]); saved > 0 {
		server.LastSaveAt = time.Unix(saved, 0).UTC()
	}
	return server, nil
}

// number reads a count; a field that is missing or strange counts as 0.
func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return value
}
