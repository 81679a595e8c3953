package volume

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

func statefulSet() *appsv1.StatefulSet {
	user, grace := int64(26), int64(5)
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "postgres-primary", Namespace: "shodo"},
		Spec: appsv1.StatefulSetSpec{
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "postgres"}},
				Spec: corev1.PodSpec{
					SecurityContext: &corev1.PodSecurityContext{RunAsUser: &user}, TerminationGracePeriodSeconds: &grace,
					Affinity:       &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}},
					InitContainers: []corev1.Container{{Name: "start-gate"}},
					Containers: []corev1.Container{{
						Name: "postgres", Image: "postgres:15", Command: []string{"postgres"}, ReadinessProbe: &corev1.Probe{}, Lifecycle: &corev1.Lifecycle{},
						Env: []corev1.EnvVar{{Name: "PGDATA", Value: "/data/pgdata"}}, VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
					}, {Name: "exporter"}},
				},
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}},
		},
	}
}

func opening() OpenVolumeParams {
	return OpenVolumeParams{
		Place:       Place{Namespace: "shodo", Region: "r", Database: "shodo", Pod: "postgres-primary-0", Container: "postgres"},
		StatefulSet: "postgres-primary", Holder: "rejoin/shodo/run", Epoch: 7, Patience: time.Second,
	}
}

func TestMaintenancePod_IsTheServersWithoutAServer(t *testing.T) {
	pod, mount, err := maintenancePod(statefulSet(), opening(), "postgres-fukkyu")
	require.NoError(t, err)
	require.Equal(t, "/data", mount)
	require.Equal(t, "postgres-primary-0-rejoin", pod.Name)
	require.NotContains(t, pod.Labels, "app", "no Service and no StatefulSet may take it for an instance")
	require.Empty(t, pod.Spec.InitContainers)
	require.Len(t, pod.Spec.Containers, 1)
	container := pod.Spec.Containers[0]
	require.Equal(t, "postgres:15", container.Image)
	require.Equal(t, waiting, container.Command[2])
	require.Nil(t, container.ReadinessProbe)
	require.Nil(t, container.Lifecycle, "its hook would stop a server that is not there")
	require.Nil(t, pod.Spec.Affinity)
	require.Equal(t, int64(26), *pod.Spec.SecurityContext.RunAsUser)
	require.Equal(t, "data-postgres-primary-0", pod.Spec.Volumes[0].PersistentVolumeClaim.ClaimName)
	require.Equal(t, corev1.RestartPolicyNever, pod.Spec.RestartPolicy)
	for _, variable := range container.Env {
		if variable.Name == "PGPASSWORD" {
			require.Empty(t, variable.Value)
			require.Equal(t, "postgres-fukkyu", variable.ValueFrom.SecretKeyRef.Name)
		}
	}
}

func TestMaintenancePod_WithoutAFittingVolume_IsAnError(t *testing.T) {
	without := statefulSet()
	without.Spec.VolumeClaimTemplates = nil
	_, _, err := maintenancePod(without, opening(), "s")
	require.ErrorContains(t, err, "mounts no volume")
	params := opening()
	params.Container = "nothing"
	_, _, err = maintenancePod(statefulSet(), params, "s")
	require.ErrorContains(t, err, "has no container nothing")
}

// one is a site with one cluster.
type one struct{ only kubernetes.Cluster }

func (o one) Cluster(string) (kubernetes.Cluster, error) { return o.only, nil }

func inCluster(objects ...runtime.Object) *Activities {
	cluster := one{kubernetes.Cluster{Client: fake.NewClientset(objects...)}}
	return New(cluster, plan.Site{Databases: []plan.SiteDatabase{{Name: "shodo", Secret: "postgres-fukkyu"}}})
}

func maintenance(epoch string, phase corev1.PodPhase) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "postgres-primary-0-rejoin", Namespace: "shodo", Labels: map[string]string{labelManagedBy: "fukkyu"},
			Annotations: map[string]string{annotationEpoch: epoch, annotationHolder: "rejoin/shodo/other"},
		},
		Spec: corev1.PodSpec{NodeName: "node-a1"},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{
			{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	}
}

func TestOpenVolume_CalledTwice_FindsItsPod(t *testing.T) {
	opened, err := inCluster(statefulSet(), maintenance("7", corev1.PodRunning)).OpenVolume(t.Context(), opening())
	require.NoError(t, err)
	require.Equal(t, OpenVolumeResult{Already: true, Node: "node-a1", Mount: "/data"}, opened)
}

func TestOpenVolume_APodOfAnEarlierRunOrOneThatEnded_IsReplaced(t *testing.T) {
	for name, left := range map[string]*corev1.Pod{"earlier": maintenance("6", corev1.PodRunning), "ended": maintenance("7", corev1.PodFailed)} {
		t.Run(name, func(t *testing.T) {
			a := inCluster(statefulSet(), left)
			_, err := a.OpenVolume(t.Context(), opening()) // nothing runs pods here
			requireKind(t, err, failure.NotReady)
			cluster, _ := a.clusters.Cluster("r")
			pod, err := cluster.Client.CoreV1().Pods("shodo").Get(t.Context(), "postgres-primary-0-rejoin", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, "rejoin/shodo/run", pod.Annotations[annotationHolder])
		})
	}
}

func TestOpenVolume_SomebodyElseHasTheVolume_IsAConflict(t *testing.T) {
	own := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "postgres-primary-0", Namespace: "shodo"}}
	foreign := maintenance("7", corev1.PodRunning)
	foreign.Labels = nil
	for name, there := range map[string]*corev1.Pod{"its own pod": own, "a later run": maintenance("8", corev1.PodRunning), "not ours": foreign} {
		t.Run(name, func(t *testing.T) {
			_, err := inCluster(statefulSet(), there).OpenVolume(t.Context(), opening())
			requireKind(t, err, failure.Conflict)
		})
	}
}

func TestCloseVolume_RemovesThePodAndIsHarmlessAgain(t *testing.T) {
	a := inCluster(maintenance("7", corev1.PodRunning))
	params := CloseVolumeParams{Place: opening().Place, Patience: time.Second}
	closed, err := a.CloseVolume(t.Context(), params)
	require.NoError(t, err)
	require.False(t, closed.Already)
	closed, err = a.CloseVolume(t.Context(), params)
	require.NoError(t, err)
	require.True(t, closed.Already)
}

func requireKind(t *testing.T, err error, kind string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
}
