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
	answer, err := c.Exec(ctx, PodCommand{Namespace: command.Namespace, Pod: command.Pod, Container: command.Container, Line: command.Line})
	return strings.TrimSpace(answer.Output + answer.Errors), answer.Code, err
}

// PodCommand is a program with its arguments and its input, to be run in a container of a pod. No secret belongs into its line.
type PodCommand struct {
	Namespace, Pod, Container string
	Line                      []string
	Input                     string
}

// PodAnswer is what a program printed and how it ended.
type PodAnswer struct {
	Output, Errors string
	Code           int
}

// Exec runs a command in a pod. The error is why it could not be run, or why nobody knows how it ended: a program whose
// connection was lost may go on.
func (c Cluster) Exec(ctx context.Context, command PodCommand) (PodAnswer, error) {
	options := &corev1.PodExecOptions{Container: command.Container, Stdin: command.Input != "", Stdout: true, Stderr: true, Command: command.Line}
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(command.Namespace).Name(command.Pod).SubResource("exec").
		VersionedParams(options, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(c.Config, "GET", request.URL().String())
	if err != nil {
		return PodAnswer{}, err
	}
	var output, errorOutput bytes.Buffer
	streams := remotecommand.StreamOptions{Stdout: &output, Stderr: &errorOutput}
	if options.Stdin {
		streams.Stdin = strings.NewReader(command.Input)
	}
	err = executor.StreamWithContext(ctx, streams)
	answer := PodAnswer{Output: output.String(), Errors: errorOutput.String()}
	var exit clientexec.CodeExitError
	if errors.As(err, &exit) {
		answer.Code = exit.Code
		return answer, nil
	}
	return answer, err
}
