package kubernetes_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

// cluster is an API server in memory. It keeps objects and has no controllers: tests write what those would.
type cluster struct {
	*testing.T
	client *fake.Clientset
	*kubernetes.Activities
}

func onCluster(t *testing.T, objects ...runtime.Object) cluster {
	t.Helper()
	client := fake.NewClientset(objects...)
	return cluster{T: t, client: client, Activities: kubernetes.New(kubernetes.SiteClusters{"tokyo": {Client: client}})}
}

var (
	backend = kubernetes.WorkloadName{Namespace: "shodo", Region: "tokyo", Kind: plan.Deployment, Name: "backend"}
	cache   = kubernetes.WorkloadName{Namespace: "shodo", Region: "tokyo", Kind: plan.StatefulSet, Name: "cache"}
	labels  = map[string]string{"app": "it"}
)

func templateWith(image string, annotations map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "it"}, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "it", Image: image}}},
	}
}

func deployment(template corev1.PodTemplateSpec) *appsv1.Deployment {
	two := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: "backend", UID: "uid-backend", ResourceVersion: "7", Annotations: map[string]string{"team": "a"}},
		Spec:       appsv1.DeploymentSpec{Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		Status:     appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2, ReadyReplicas: 2},
	}
}

func ownedBy(kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &yes}}
}

func replicaSet(name, number string, template corev1.PodTemplateSpec) *appsv1.ReplicaSet {
	none := int32(0)
	template.Labels = map[string]string{"app": "it", appsv1.DefaultDeploymentUniqueLabelKey: name}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: name, UID: types.UID("uid-" + name), Labels: labels, OwnerReferences: ownedBy("Deployment", "backend"),
			Annotations: map[string]string{"deployment.kubernetes.io/revision": number}},
		Spec: appsv1.ReplicaSetSpec{Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
}

func pod(name, set string, ready bool, state corev1.ContainerState) *corev1.Pod {
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
	if ready {
		condition.Status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: name, UID: types.UID("uid-" + name), Labels: labels, OwnerReferences: ownedBy("ReplicaSet", set)},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{condition},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "it", Ready: ready, State: state}}},
	}
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "it says so"}}
}

// restartedBad is a bad revision that somebody has restarted: it has a twin that is as bad.
func restartedBad() []runtime.Object {
	marked := templateWith("it:bad", map[string]string{"kubectl.kubernetes.io/restartedAt": "now"})
	found := deployment(marked)
	found.Status.AvailableReplicas = 1
	return []runtime.Object{
		found, replicaSet("good", "1", templateWith("it:good", nil)), replicaSet("bad", "2", templateWith("it:bad", nil)), replicaSet("bad-again", "3", marked),
		pod("a", "good", true, corev1.ContainerState{}), pod("b", "bad-again", false, waiting("ImagePullBackOff")),
	}
}

func TestReadWorkload_ABadRevisionThatWasRestarted_OffersTheOneBeforeBoth(t *testing.T) {
	found, err := onCluster(t, restartedBad()...).ReadWorkload(t.Context(), kubernetes.ReadWorkloadParams{WorkloadName: backend})
	require.NoError(t, err)
	require.Equal(t, "bad-again", found.Wanted().Name)
	earlier := found.Earlier()
	require.Len(t, earlier, 1)
	require.Equal(t, kubernetes.Revision{Name: "good", Number: 1, Images: []string{"it:good"}, Proven: true}, earlier[0])
	require.Contains(t, found.Hopeless(), "no pod of bad-again can start: b: container it: ImagePullBackOff: it says so")
	require.False(t, found.Out())
}

func TestReadWorkload_PodsThatAreNotWell_SayWhy(t *testing.T) {
	killed := pod("killed", "good", false, waiting("CrashLoopBackOff"))
	killed.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	homeless := pod("homeless", "good", false, corev1.ContainerState{})
	homeless.Status.Conditions = append(homeless.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/5 nodes are available"})
	stranded := pod("stranded", "good", true, corev1.ContainerState{})
	stranded.Spec.NodeName = "node-a1"
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a1"}}
	c := onCluster(t, deployment(templateWith("it:good", nil)), replicaSet("good", "1", templateWith("it:good", nil)), killed, homeless, stranded, node,
		pod("unready", "good", false, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), pod("stranger", "other", false, waiting("ErrImagePull")))
	found, err := c.ReadWorkload(t.Context(), kubernetes.ReadWorkloadParams{WorkloadName: backend})
	require.NoError(t, err)
	whys := map[string]string{}
	for _, member := range found.Members {
		whys[member.Pod] = member.Why
	}
	require.Equal(t, map[string]string{
		"killed":   "container it: CrashLoopBackOff, last exit code 137 (OOMKilled)",
		"homeless": "Unschedulable: 0/5 nodes are available",
		"stranded": "node node-a1 is not Ready",
		"unready":  "runs and is not ready",
	}, whys)
	require.Empty(t, found.Hopeless(), "some may still come up")
}

func TestRestart_Twice_RestartsOnceAndNeverAPausedDeployment(t *testing.T) {
	c := onCluster(t, deployment(templateWith("it:good", nil)))
	params := kubernetes.RestartParams{WorkloadName: backend, Mark: "run/1"}
	first, err := c.Restart(t.Context(), params)
	require.NoError(t, err)
	require.False(t, first.Already)
	again, err := c.Restart(t.Context(), params)
	require.NoError(t, err)
	require.True(t, again.Already)

	paused := deployment(templateWith("it:good", nil))
	paused.Spec.Paused = true
	_, err = onCluster(t, paused).Restart(t.Context(), params)
	requireKind(t, err, failure.Unexpected, "rollout resume deployment/backend")
}

func TestRollOut_Twice_RollsOutOnceAndIsWatched(t *testing.T) {
	c := onCluster(t, deployment(templateWith("it:good", nil)))
	params := kubernetes.RollOutParams{Namespace: "shodo", Region: "tokyo", Deployments: []string{"backend"}, Mark: "run/1"}
	for already := range 2 {
		result, err := c.RollOut(t.Context(), params)
		require.NoError(t, err)
		require.Equal(t, already, result.Already)
	}
	seen, err := c.AwaitRollOut(t.Context(), kubernetes.AwaitRollOutParams{Namespace: "shodo", Region: "tokyo", Deployments: []string{"backend"}, Patience: time.Minute})
	require.NoError(t, err)
	require.True(t, seen.Done)
}

func TestRollBack_ADeployment_RunsTheRevisionByNameOnceAndKeepsItsAnnotations(t *testing.T) {
	c := onCluster(t, restartedBad()...)
	params := kubernetes.RollBackParams{WorkloadName: backend, Revision: "good"}
	_, err := c.RollBack(t.Context(), params)
	require.NoError(t, err)
	now, err := c.client.AppsV1().Deployments("shodo").Get(t.Context(), "backend", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, templateWith("it:good", nil), now.Spec.Template)
	require.Equal(t, "7", now.ResourceVersion, "the write was on the condition that it is as it was read")
	again, err := c.RollBack(t.Context(), params)
	require.NoError(t, err)
	require.True(t, again.Already)
	_, err = c.RollBack(t.Context(), kubernetes.RollBackParams{WorkloadName: backend, Revision: "gone"})
	requireKind(t, err, failure.NotFound, "not kept any more")
}

func controllerRevision(t *testing.T, name string, number int64, template corev1.PodTemplateSpec) *appsv1.ControllerRevision {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
	require.NoError(t, err)
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: name, Labels: labels, OwnerReferences: ownedBy("StatefulSet", "cache")},
		Data:       runtime.RawExtension{Raw: raw}, Revision: number,
	}
}

func TestRollBack_AStatefulSet_GoesToTheRevisionThatItWasCompletelyOn(t *testing.T) {
	one := int32(1)
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: "cache", UID: "uid-cache"},
		Spec:       appsv1.StatefulSetSpec{Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: templateWith("it:bad", nil)},
		Status:     appsv1.StatefulSetStatus{CurrentRevision: "cache-1", UpdateRevision: "cache-2"},
	}
	c := onCluster(t, set, controllerRevision(t, "cache-1", 1, templateWith("it:good", nil)), controllerRevision(t, "cache-2", 2, templateWith("it:bad", nil)))
	found, err := c.ReadWorkload(t.Context(), kubernetes.ReadWorkloadParams{WorkloadName: cache})
	require.NoError(t, err)
	require.Equal(t, []kubernetes.Revision{{Name: "cache-1", Number: 1, Images: []string{"it:good"}, Proven: true}}, found.Earlier())
	_, err = c.RollBack(t.Context(), kubernetes.RollBackParams{WorkloadName: cache, Revision: "cache-1"})
	require.NoError(t, err)
	now, err := c.client.AppsV1().StatefulSets("shodo").Get(t.Context(), "cache", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "it:good", now.Spec.Template.Spec.Containers[0].Image)
}

func TestScale_SomebodyElseScales_IsLeftAlone(t *testing.T) {
	c := onCluster(t, deployment(templateWith("it:good", nil)))
	_, err := c.Scale(t.Context(), kubernetes.ScaleParams{WorkloadName: backend, From: 2, To: 8})
	require.NoError(t, err)
	again, err := c.Scale(t.Context(), kubernetes.ScaleParams{WorkloadName: backend, From: 2, To: 8})
	require.NoError(t, err)
	require.True(t, again.Already)
	_, err = c.Scale(t.Context(), kubernetes.ScaleParams{WorkloadName: backend, From: 3, To: 4})
	requireKind(t, err, failure.Conflict, "it wants 8 by now")
}

func TestDeletePod_OnlyTheOneThatWasSeenAndOnlyIfItIsReplaced(t *testing.T) {
	lonely := pod("lonely", "none", true, corev1.ContainerState{})
	lonely.OwnerReferences = nil
	c := onCluster(t, pod("a", "good", true, corev1.ContainerState{}), lonely)
	params := kubernetes.DeletePodParams{Namespace: "shodo", Region: "tokyo", Pod: "a", UID: "another"}
	result, err := c.DeletePod(t.Context(), params)
	require.NoError(t, err)
	require.True(t, result.Already)
	params.UID = "uid-a"
	result, err = c.DeletePod(t.Context(), params)
	require.NoError(t, err)
	require.False(t, result.Already)
	_, err = c.DeletePod(t.Context(), kubernetes.DeletePodParams{Namespace: "shodo", Region: "tokyo", Pod: "lonely", UID: "uid-lonely"})
	requireKind(t, err, failure.Unexpected, "nothing would replace it")
}

func TestAwaitWorkload_EndsWithWhatHappens(t *testing.T) {
	done, err := onCluster(t, deployment(templateWith("it:good", nil))).AwaitWorkload(t.Context(), kubernetes.AwaitWorkloadParams{WorkloadName: backend, Patience: time.Minute})
	require.NoError(t, err)
	require.True(t, done.Done)

	began := time.Now()
	hopeless, err := onCluster(t, restartedBad()...).AwaitWorkload(t.Context(), kubernetes.AwaitWorkloadParams{WorkloadName: backend, Patience: time.Minute})
	require.NoError(t, err)
	require.Contains(t, hopeless.Hopeless, "ImagePullBackOff")
	require.Less(t, time.Since(began), 30*time.Second)

	slow := deployment(templateWith("it:good", nil))
	slow.Status.AvailableReplicas = 1
	late, err := onCluster(t, slow).AwaitWorkload(t.Context(), kubernetes.AwaitWorkloadParams{WorkloadName: backend, Patience: 10 * time.Millisecond})
	require.NoError(t, err)
	require.False(t, late.Done)
	require.Equal(t, "1 of 2 pods available, 2 of the wanted revision", late.Seen)
}

func requireKind(t *testing.T, err error, kind, says string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Type(), failed.Error())
	require.Contains(t, failed.Error(), says)
}

// What happens while it is watched comes by the watches: the lists of pods are read once, and those of revisions when they change.
func TestAwaitWorkload_ARollOut_IsFollowedByItsWatches(t *testing.T) {
	behind := deployment(templateWith("it:good", nil))
	behind.Generation, behind.Status.UpdatedReplicas = 2, 0
	c := onCluster(t, behind, replicaSet("old", "1", templateWith("it:old", nil)), pod("a", "old", true, corev1.ContainerState{}))
	followed := make(chan struct{})
	c.client.PrependWatchReactor("pods", func(action k8stesting.Action) (bool, watch.Interface, error) {
		watched, err := c.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		close(followed) // the last of the watches is open
		return true, watched, err
	})
	var result kubernetes.AwaitWorkloadResult
	ended := make(chan error, 1)
	go func() {
		var err error
		result, err = c.AwaitWorkload(t.Context(), kubernetes.AwaitWorkloadParams{WorkloadName: backend, Gone: []string{"uid-a"}, Patience: time.Minute})
		ended <- err
	}()
	<-followed
	c.client.ClearActions()
	_, err := c.client.AppsV1().ReplicaSets("shodo").Create(t.Context(), replicaSet("new", "2", templateWith("it:good", nil)), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = c.client.CoreV1().Pods("shodo").Create(t.Context(), pod("b", "new", true, corev1.ContainerState{}), metav1.CreateOptions{})
	require.NoError(t, err)
	out := behind.DeepCopy()
	out.Annotations = map[string]string{"deployment.kubernetes.io/revision": "2"}
	out.Status.ObservedGeneration, out.Status.UpdatedReplicas = 2, 2
	_, err = c.client.AppsV1().Deployments("shodo").Update(t.Context(), out, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, c.client.CoreV1().Pods("shodo").Delete(t.Context(), "a", metav1.DeleteOptions{}))
	require.NoError(t, <-ended)
	require.True(t, result.Done, result.Seen)
	require.Equal(t, "new", result.Workload.Wanted().Name)
	require.Len(t, result.Workload.Members, 1)
	require.Equal(t, "new", result.Workload.Members[0].Revision)
	lists := map[string]int{}
	for _, action := range c.client.Actions() {
		if action.GetVerb() == "list" || action.GetVerb() == "get" {
			lists[action.GetResource().Resource]++
		}
	}
	require.Equal(t, map[string]int{"replicasets": 1}, lists)
}
