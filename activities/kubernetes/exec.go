package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
)

// podCommand is a program and its arguments, to be run in a container of a pod. No secret belongs into its line.
type podCommand struct {
	Namespace, Pod, Container string
	Line                      []string
}

// exec runs a command in a pod and returns what it printed and its exit code. The error is why it could not be run, or why
// nobody knows how it ended.
func (c Cluster) exec(ctx context.Context, command podCommand, timeout time.Duration) (string, int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(command.Namespace).Name(command.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: command.Container, Stdout: true, Stderr: true, Command: command.Line}, scheme.ParameterCodec)
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
		return said, 0, nil
	case errors.As(err, &exit):
		return said, exit.Code, nil
	default:
		return said, 0, err
	}
}
