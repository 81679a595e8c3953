package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
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
		said, code, err := cluster.exec(ctx, params, pod)
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

// exec runs pg_isready in a pod and returns what it printed and its exit code.
func (c Cluster) exec(ctx context.Context, params ProbeFromPodParams, pod string) (string, int, error) {
	ctx, cancel := context.WithTimeout(ctx, params.Timeout+execOverhead)
	defer cancel()
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(params.Namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: params.Container, Stdout: true, Stderr: true,
			Command: []string{"sh", "-c", pgIsReady, params.Host, fmt.Sprint(params.Port), fmt.Sprintf("%.3f", params.Timeout.Seconds())},
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(c.Config, "GET", request.URL().String())
	if err != nil {
		return "", 0, err
	}
	var output bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &output, Stderr: &output})
	said := strings.TrimSpace(output.String())
	var exit clientexec.CodeExitError
	switch {
	case err == nil:
		return said, accepting, nil
	case errors.As(err, &exit):
		return said, exit.Code, nil
	default:
		return said, 0, err
	}
}
