package volume

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a maintenance pod carries.
const (
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelMaintenance = "fukkyu.dev/maintenance-of" // the pod whose volume it has
	annotationHolder = "fukkyu.dev/holder"         // the run that made it
	annotationEpoch  = "fukkyu.dev/epoch"          // of that run's lease
)

// scratchFolder is the pod's own: it is gone with the pod, as everything must be that is true of its processes only.
const scratchFolder = "/fukkyu"

// waiting does nothing until it is told to end. A program that ignores the signal would keep the volume for the grace period.
const waiting = `trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done`

// maintenancePod derives from the pod template of a StatefulSet a pod that has the volume of one of its pods and runs nothing. What the
// server's programs may need is as it is for the server: image, mounts, environment, user, name resolution. Its labels match no
// Service, no StatefulSet and no anti-affinity. Where it runs is decided by its claim, as for the pod that it stands in for.
func maintenancePod(set *appsv1.StatefulSet, params OpenVolumeParams, secret string) (*corev1.Pod, string, error) {
	template := set.Spec.Template.DeepCopy()
	container, found := containerOf(template.Spec.Containers, params.Container)
	if !found {
		return nil, "", fmt.Errorf("StatefulSet %s has no container %s", set.Name, params.Container)
	}
	mount := ""
	for _, claim := range set.Spec.VolumeClaimTemplates {
		template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + params.Pod},
		}})
		for _, mounted := range container.VolumeMounts {
			if mounted.Name == claim.Name && mount == "" {
				mount = mounted.MountPath
			}
		}
	}
	if mount == "" {
		return nil, "", fmt.Errorf("container %s of StatefulSet %s mounts no volume of a volumeClaimTemplate", params.Container, set.Name)
	}
	spec := template.Spec
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "fukkyu", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	spec.InitContainers, spec.Containers = nil, []corev1.Container{idle(container, secret)}
	spec.RestartPolicy = corev1.RestartPolicyNever // the jobs of a container that ended are gone, so its pod is, too
	spec.Affinity, spec.TopologySpreadConstraints = nil, nil
	grace, token := int64(1), false
	spec.TerminationGracePeriodSeconds, spec.AutomountServiceAccountToken = &grace, &token
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: params.maintenancePod(), Namespace: params.Namespace,
			Labels:      map[string]string{labelManagedBy: "fukkyu", labelMaintenance: params.Pod},
			Annotations: map[string]string{annotationHolder: params.Holder, annotationEpoch: strconv.FormatInt(params.Epoch, 10)},
		},
		Spec: spec,
	}, mount, nil
}

func containerOf(containers []corev1.Container, name string) (corev1.Container, bool) {
	for _, container := range containers {
		if container.Name == name {
			return container, true
		}
	}
	return corev1.Container{}, false
}

// idle is the server's container with nothing that would start, probe or announce a server.
func idle(container corev1.Container, secret string) corev1.Container {
	container.Command, container.Args, container.Ports = []string{"sh", "-c", waiting}, nil, nil
	container.LivenessProbe, container.ReadinessProbe, container.StartupProbe, container.Lifecycle = nil, nil, nil, nil
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "fukkyu", MountPath: scratchFolder})
	container.Env = append(container.Env,
		corev1.EnvVar{Name: "FUKKYU_SCRATCH", Value: scratchFolder}, fromSecret("PGUSER", secret, "username"), fromSecret("PGPASSWORD", secret, "password"))
	return container
}

func fromSecret(variable, secret, key string) corev1.EnvVar {
	return corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key,
	}}}
}
