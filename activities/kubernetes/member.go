package kubernetes

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// hopelessReasons are the reasons for waiting that no waiting ends.
var hopelessReasons = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true, crashLoop: true,
}

const (
	crashLoop   = "CrashLoopBackOff"
	outOfMemory = "OOMKilled"
)

// memberFrom judges one pod.
func memberFrom(pod *corev1.Pod, revision string, dead map[string]bool) Member {
	member := Member{
		Pod: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Revision: revision, Created: pod.CreationTimestamp.Time,
		Ready: podReady(pod) && pod.DeletionTimestamp == nil, Deleting: pod.DeletionTimestamp != nil,
	}
	if dead[pod.Spec.NodeName] {
		member.Why = fmt.Sprintf("node %s is not Ready", pod.Spec.NodeName)
		return member
	}
	if member.Ready {
		return member
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			member.judge(&statuses[i])
		}
	}
	if member.Why == "" {
		member.Why = notReady(pod)
	}
	return member
}

// judge explains a container that is not well. Its last end explains most.
func (m *Member) judge(status *corev1.ContainerStatus) {
	last := status.LastTerminationState.Terminated
	if last == nil {
		last = status.State.Terminated
	}
	if last != nil {
		m.OutOfMemory = m.OutOfMemory || last.Reason == outOfMemory
	}
	waiting := status.State.Waiting
	switch {
	case m.Why != "" || status.Ready:
	case waiting != nil && hopelessReasons[waiting.Reason]:
		m.Why = explain(status.Name, waiting.Reason, waiting.Message, last)
		m.Hopeless, m.Crashes = true, waiting.Reason == crashLoop
	case status.State.Running == nil && status.RestartCount > 1 && last != nil && last.ExitCode != 0:
		m.Why = explain(status.Name, fmt.Sprintf("restarts: %d", status.RestartCount), "", last)
		m.Hopeless, m.Crashes = true, true
	case status.State.Terminated != nil && status.State.Terminated.ExitCode != 0:
		m.Why = explain(status.Name, "ended", "", last)
	}
}

// explain is a reason in words. What the kubelet says is cut: it repeats itself.
func explain(container, reason, message string, last *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("container %s: %s", container, reason)
	if last != nil {
		text += fmt.Sprintf(", last exit code %d", last.ExitCode)
		if last.Reason != "" && last.Reason != "Error" {
			text += " (" + last.Reason + ")"
		}
		return text
	}
	if message != "" {
		text += ": " + shorten(message, 160)
	}
	return text
}

func shorten(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// notReady explains a pod whose containers are not to blame.
func notReady(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return fmt.Sprintf("%s: %s", condition.Reason, shorten(condition.Message, 200))
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return "runs and is not ready"
	}
	return strings.ToLower(string(pod.Status.Phase))
}
