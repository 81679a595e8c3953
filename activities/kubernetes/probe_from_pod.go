package kubernetes

import (
	"context"
	"fmt"
	"time"
)

// ProbeFromPodParams names who asks whom.
type ProbeFromPodParams struct {
	Namespace string        `json:"namespace"`
	Region    string        `json:"region"`
	From      []string      `json:"from"` // pods that can ask, the best first
	Container string        `json:"container"`
	Host      string        `json:"host"`
	Port      int           `json:"port"`
	Timeout   time.Duration `json:"timeout"` // for each pod that is tried
}

// ProbeFromPodResult is what the pod heard.
type ProbeFromPodResult struct {
	From     string `json:"from,omitempty"`
	Could    bool   `json:"could"`    // a pod was able to ask
	Answered bool   `json:"answered"` // and was answered
	Said     string `json:"said"`
}

// command is the question as a pod is to ask it.
func (p ProbeFromPodParams) command(pod string) podCommand {
	return podCommand{
		Namespace: p.Namespace, Pod: pod, Container: p.Container,
		Line: []string{"sh", "-c", pgIsReady, p.Host, fmt.Sprint(p.Port), fmt.Sprintf("%.3f", p.Timeout.Seconds())},
	}
}

// execOverhead is what an exec costs besides the question itself.
const execOverhead = time.Second

// pgIsReady asks for an answer of the server, of whatever kind, and says so by its exit code. Debian keeps it off the PATH. Its
// own timeout cannot be shorter than two seconds.
const pgIsReady = `exec timeout "$2" "$(command -v pg_isready || ls /usr/lib/postgresql/*/bin/pg_isready | tail -n 1)" -h "$0" -p "$1"`

// What the exit codes of pg_isready and timeout mean.
const (
	accepting = 0
	rejecting = 1 // it answers, and is starting or stopping
	silent    = 2
	timedOut  = 124
)

// ProbeFromPod lets a pod elsewhere ask a server whether it answers, because what this worker cannot reach may well be
// reachable for others. It changes nothing. That no pod could ask is a result; error: Forbidden.
func (a *Activities) ProbeFromPod(ctx context.Context, params ProbeFromPodParams) (ProbeFromPodResult, error) {
	if params.Host == "" {
		return ProbeFromPodResult{Said: "its pod has no address"}, nil
	}
	cluster, err := a.clusters.Cluster(params.Region)
	if err != nil {
		return ProbeFromPodResult{}, err
	}
	result := ProbeFromPodResult{Said: "no pod could ask"}
	for _, pod := range params.From {
		said, code, err := cluster.exec(ctx, params.command(pod), params.Timeout+execOverhead)
		switch {
		case err != nil:
			result.Said = fmt.Sprintf("pod %s could not ask: %s", pod, err)
			continue
		case code == accepting:
			return ProbeFromPodResult{From: pod, Could: true, Answered: true, Said: "it accepts connections of pod " + pod}, nil
		case code == rejecting:
			return ProbeFromPodResult{From: pod, Could: true, Answered: true, Said: "it rejects connections of pod " + pod}, nil
		case code == silent, code == timedOut:
			return ProbeFromPodResult{From: pod, Could: true, Said: "no answer to pod " + pod}, nil
		}
		result.Said = fmt.Sprintf("pod %s could not ask: pg_isready ended with %d: %s", pod, code, said)
	}
	return result, nil
}
