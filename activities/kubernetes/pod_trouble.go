package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// neverMended are the reasons for which a container waits that Kubernetes does not get over by itself.
var neverMended = []string{
	"CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

// fewRestarts is how many restarts of a container that is not ready are a crash loop, also in the moments in which it runs.
const fewRestarts = 2

// troubleOf is why a pod does not get ready although Kubernetes tries, in a sentence; empty: it may get ready.
func troubleOf(pod *corev1.Pod) string {
	if podReady(pod) || pod.DeletionTimestamp != nil {
		return ""
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "no node takes it: " + condition.Message
		}
	}
	for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if said := containerTrouble(container); said != "" {
			return fmt.Sprintf("container %s: %s", container.Name, said)
		}
	}
	return ""
}

func containerTrouble(container corev1.ContainerStatus) string {
	ended := container.State.Terminated
	if ended == nil {
		ended = container.LastTerminationState.Terminated
	}
	waiting := container.State.Waiting
	switch {
	case waiting != nil && slices.Contains(neverMended, waiting.Reason):
		return strings.TrimSpace(waiting.Reason + describeEnd(ended) + " " + waiting.Message)
	case ended != nil && container.RestartCount >= fewRestarts && !container.Ready:
		return fmt.Sprintf("restarted %d times%s", container.RestartCount, describeEnd(ended))
	default:
		return ""
	}
}

func describeEnd(ended *corev1.ContainerStateTerminated) string {
	if ended == nil {
		return ""
	}
	return fmt.Sprintf(" (last end: %s, exit code %d)", ended.Reason, ended.ExitCode)
}
