package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	corev1 "k8s.io/api/core/v1"
)

// The reasons for which Kubernetes lets a container wait that it does not get over by itself.
var stubborn = map[string]string{
	"CrashLoopBackOff":           diagnosis.CrashLoop,
	"ErrImagePull":               diagnosis.MissingImage,
	"ImagePullBackOff":           diagnosis.MissingImage,
	"ErrImageNeverPull":          diagnosis.MissingImage,
	"InvalidImageName":           diagnosis.MissingImage,
	"ImageInspectError":          diagnosis.MissingImage,
	"CreateContainerConfigError": diagnosis.BadConfig,
	"CreateContainerError":       diagnosis.BadConfig,
	"RunContainerError":          diagnosis.BadConfig,
}

// oomKilled is the reason of a container that used more memory than it may.
const oomKilled = "OOMKilled"

// manyRestarts is how many restarts of a container that is not ready are a crash loop, also while it runs for a moment.
const manyRestarts = 3

// podFrom says what is wrong with a pod. isWell: nothing is, and nothing was lately.
func podFrom(pod *corev1.Pod, nodeLost bool, now time.Time) (seen diagnosis.Pod, isWell bool) {
	seen = diagnosis.Pod{Name: pod.Name, Workload: workloadOf(pod), Node: pod.Spec.NodeName, Since: pod.CreationTimestamp.Time}
	containers := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for _, container := range containers {
		seen.Restarts += int(container.RestartCount)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			seen.Ready, seen.Said, seen.Since = condition.Status == corev1.ConditionTrue, brief(condition.Reason+" "+condition.Message), condition.LastTransitionTime.Time
		}
	}
	switch {
	case pod.Status.Phase == corev1.PodSucceeded, pod.DeletionTimestamp != nil && !nodeLost:
		return seen, true // it has done its work, or is on its way out
	case pod.DeletionTimestamp != nil:
		seen.Trouble, seen.Said = diagnosis.Stuck, "deleted, but its node does not say that it has stopped"
	case pod.Status.Phase == corev1.PodFailed:
		seen.Trouble, seen.Said = diagnosis.Failed, brief(pod.Status.Reason+" "+pod.Status.Message)
	case nodeLost:
		seen.Ready, seen.Trouble, seen.Said = false, diagnosis.NotReady, "its node is not ready"
	case seen.Ready:
		return seen, !restartedLately(&seen, containers, now)
	default:
		seen.Trouble = diagnosis.NotReady
		unscheduled(&seen, pod)
		for _, container := range containers {
			explainContainer(&seen, container)
		}
		seen.Said = cmp.Or(seen.Said, "Kubernetes does not say why")
	}
	return seen, false
}

// restartedLately notes the last end of a container of a pod that is ready again.
func restartedLately(seen *diagnosis.Pod, containers []corev1.ContainerStatus, now time.Time) bool {
	for _, container := range containers {
		ended := container.LastTerminationState.Terminated
		if ended == nil || now.Sub(ended.FinishedAt.Time) > recently {
			continue
		}
		seen.Trouble, seen.Since = diagnosis.Restarted, ended.FinishedAt.Time
		if ended.Reason == oomKilled {
			seen.Trouble = diagnosis.OutOfMemory
		}
		seen.Said = brief(fmt.Sprintf("container %s, restarts: %d, last: %s", container.Name, container.RestartCount, describeExit(ended)))
		return true
	}
	return false
}

func unscheduled(seen *diagnosis.Pod, pod *corev1.Pod) {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			seen.Trouble, seen.Said, seen.Since = diagnosis.Unschedulable, brief(condition.Message), condition.LastTransitionTime.Time
		}
	}
}

// explainContainer notes why one container of a pod is not well. What comes first explains most.
func explainContainer(seen *diagnosis.Pod, container corev1.ContainerStatus) {
	if seen.Trouble != diagnosis.NotReady {
		return
	}
	ended := container.State.Terminated
	if ended == nil {
		ended = container.LastTerminationState.Terminated
	}
	waiting := container.State.Waiting
	switch {
	case ended != nil && ended.Reason == oomKilled:
		seen.Trouble = diagnosis.OutOfMemory
	case waiting != nil && stubborn[waiting.Reason] != "":
		seen.Trouble = stubborn[waiting.Reason]
	case ended != nil && ended.ExitCode != 0 && container.RestartCount >= manyRestarts:
		seen.Trouble = diagnosis.CrashLoop
	default:
		return
	}
	said := "container " + container.Name
	if waiting != nil {
		said += ", " + waiting.Reason
	}
	if ended != nil {
		said += fmt.Sprintf(", restarts: %d, last: %s", container.RestartCount, describeExit(ended))
	} else if waiting != nil && waiting.Message != "" {
		said += ": " + waiting.Message
	}
	seen.Said = brief(said)
}
