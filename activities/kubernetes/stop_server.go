package kubernetes

import (
	"context"
	"fmt"
	"path"
	"time"
)

// The ways in which PostgreSQL can be told to stop, by the words of pg_ctl.
const (
	StopFast      = "fast"      // ends its sessions, writes a checkpoint, hands its replicas everything
	StopImmediate = "immediate" // ends at once; the next start replays the WAL
)

// stopTimeout bounds the telling, not the stopping.
const stopTimeout = 3 * time.Second

// StopServerParams names a server by the pod that it runs in.
type StopServerParams struct {
	Namespace     string `json:"namespace"`
	Region        string `json:"region"`
	Pod           string `json:"pod"`
	Container     string `json:"container"`
	Programs      string `json:"programs"` // folder of pg_ctl in the container
	DataDirectory string `json:"dataDirectory"`
	Mode          string `json:"mode"` // StopFast or StopImmediate
}

// StopServerResult is what pg_ctl said.
type StopServerResult struct {
	Told bool   `json:"told"` // the server was told; whether it stops is for others to see
	Said string `json:"said"`
}

// StopServer tells a PostgreSQL server to stop and does not wait for it. Told twice it stops once. The container ends with its
// server, so that what became of the telling may stay unknown: look at the server, never at this result alone. That the pod
// cannot be told is a result; the only errors are those of the site.
func (a *Activities) StopServer(ctx context.Context, params StopServerParams) (StopServerResult, error) {
	cluster, err := a.clusters.Cluster(params.Region)
	if err != nil {
		return StopServerResult{}, err
	}
	said, code, err := cluster.exec(ctx, podCommand{
		Namespace: params.Namespace, Pod: params.Pod, Container: params.Container,
		Line: []string{path.Join(params.Programs, "pg_ctl"), "stop", "--pgdata", params.DataDirectory, "--mode", params.Mode, "--no-wait"},
	}, stopTimeout)
	switch {
	case err != nil:
		return StopServerResult{Said: fmt.Sprintf("%s could not be told: %s", describePod(params.Namespace, params.Pod), err)}, nil
	case code != 0:
		return StopServerResult{Said: fmt.Sprintf("pg_ctl in %s ended with %d: %s", describePod(params.Namespace, params.Pod), code, said)}, nil
	default:
		return StopServerResult{Told: true, Said: said}, nil
	}
}
