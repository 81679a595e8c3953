package kubernetes

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	core "k8s.io/client-go/testing"
)

// one is a site with one region, whose cluster is a fake.
type one struct{ client *fake.Clientset }

func (o one) Cluster(string) (Cluster, error) { return Cluster{Client: o.client}, nil }

func newOne(objects ...runtime.Object) (*Activities, *fake.Clientset) {
	client := fake.NewClientset(objects...)
	return New(one{client}), client
}

func aNode(name, zone string, cores string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: zone, corev1.LabelHostname: name}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cores), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("10")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

// aPod is a Ready pod of a ReplicaSet, or of another kind, that asks for a core.
func aPod(name, node, kind string) *corev1.Pod {
	yes := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shodo", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "web"},
			OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: "web", UID: types.UID("owner-" + kind), Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// withVolumeOn binds a pod to a volume that lies on a node.
func withVolumeOn(pod *corev1.Pod, node string) []runtime.Object {
	pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	return []runtime.Object{pod,
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "disk"}},
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: corev1.PersistentVolumeSpec{NodeAffinity: &corev1.VolumeNodeAffinity{
			Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}},
			}}}},
		}}},
	}
}

func aBudget(healthy, desired, allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shodo", Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
		Status:     policyv1.PodDisruptionBudgetStatus{CurrentHealthy: healthy, DesiredHealthy: desired, DisruptionsAllowed: allowed},
	}
}

func TestReadZone_PodsOfAllKinds_TellsWhichMoveWhichStayAndWhichAreNoneOfItsBusiness(t *testing.T) {
	mirror, bare, finished, pinned := aPod("mirror", "c1", "Node"), aPod("bare", "c1", "ReplicaSet"), aPod("finished", "c1", "Job"), aPod("pinned", "c1", "ReplicaSet")
	mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	bare.OwnerReferences = nil
	finished.Status.Phase = corev1.PodSucceeded
	pinned.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "c1"}
	objects := append(withVolumeOn(aPod("store-0", "c1", "StatefulSet"), "c1"),
		aNode("c1", "c", "4"), aNode("a1", "a", "4"), aPod("web-1", "c1", "ReplicaSet"), aPod("web-2", "a1", "ReplicaSet"), aPod("agent", "c1", "DaemonSet"),
		mirror, bare, finished, pinned, aBudget(2, 2, 0))
	a, _ := newOne(objects...)
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c"})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, zone.Zones)
	require.Len(t, zone.Moving, 1)
	require.Equal(t, "web-1", zone.Moving[0].Pod)
	require.Equal(t, "PodDisruptionBudget shodo/web allows 0 (2 healthy, 2 needed)", zone.Moving[0].Budgets[0].String())
	why := map[string]string{}
	for _, pod := range zone.Staying {
		why[pod.Pod] = pod.Why
	}
	require.Equal(t, map[string]string{
		"store-0": "its volume disk (claim data) is on no other node",
		"bare":    "nothing would bring it back: it has no controller",
		"pinned":  "its node selector or affinity matches no other node",
	}, why)
	require.Equal(t, []Owner{{Namespace: "shodo", Kind: "ReplicaSet", Name: "web", UID: "owner-ReplicaSet", Elsewhere: 2}}, zone.Owners)
	require.Empty(t, zone.NoRoom)
}

func TestReadZone_VolumeThatTwoNodesReach_Moves(t *testing.T) {
	objects := append(withVolumeOn(aPod("store-0", "c1", "StatefulSet"), "a1"), aNode("c1", "c", "4"), aNode("a1", "a", "4"))
	a, _ := newOne(objects...)
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c"})
	require.NoError(t, err)
	require.Empty(t, zone.Staying)
}

func TestReadZone_NoRoomElsewhere_SaysHowMuchIsMissing(t *testing.T) {
	full, away, taken := aNode("a1", "a", "2"), aNode("a2", "a", "64"), aNode("a3", "a", "64")
	away.Status.Conditions[0].Status = corev1.ConditionFalse
	taken.Spec.Taints = []corev1.Taint{{Key: "gpu", Value: "yes", Effect: corev1.TaintEffectNoSchedule}}
	a, _ := newOne(aNode("c1", "c", "8"), full, away, taken,
		aPod("web-0", "a1", "ReplicaSet"), aPod("web-1", "c1", "ReplicaSet"), aPod("web-2", "c1", "ReplicaSet"), aPod("web-3", "c1", "ReplicaSet"))
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c"})
	require.NoError(t, err)
	require.Len(t, zone.NoRoom, 2, "one core is left, on the only node that takes pods")
	require.Equal(t, "2 cores, 2Gi memory, 2 pods", zone.Short.String())
}

func TestReadZone_UnknownZoneOrNode_IsAResult(t *testing.T) {
	a, _ := newOne(aNode("c1", "c", "8"))
	for _, params := range []ReadZoneParams{{Zone: "mars"}, {Node: "mars"}, {}} {
		zone, err := a.ReadZone(t.Context(), params)
		require.NoError(t, err)
		require.Empty(t, zone.Nodes)
		require.Equal(t, []string{"c"}, zone.Zones)
	}
}

func TestUncordon_UndoesExactlyWhatThisRunCordoned(t *testing.T) {
	before := aNode("c2", "c", "8")
	before.Spec.Unschedulable = true
	a, client := newOne(aNode("c1", "c", "8"), before)
	result := func(node string) CordonResult {
		cordoned, err := a.Cordon(t.Context(), CordonParams{Node: node, Holder: "run-1"})
		require.NoError(t, err)
		return cordoned
	}
	require.Equal(t, CordonResult{Ours: true}, result("c1"))
	require.Equal(t, CordonResult{Ours: true, Already: true}, result("c1"), "called twice")
	require.Equal(t, CordonResult{Already: true}, result("c2"), "somebody else's")

	for _, holder := range []string{"run-2", "run-1", "run-1"} {
		for _, node := range []string{"c1", "c2", "gone"} {
			_, err := a.Uncordon(t.Context(), CordonParams{Node: node, Holder: holder})
			require.NoError(t, err)
		}
		c1, err := client.CoreV1().Nodes().Get(t.Context(), "c1", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, holder == "run-2", c1.Spec.Unschedulable, "only the run that cordoned")
	}
	c2, err := client.CoreV1().Nodes().Get(t.Context(), "c2", metav1.GetOptions{})
	require.NoError(t, err)
	require.True(t, c2.Spec.Unschedulable)
}

func TestTaintOutOfService_OnlyWithProofOnADeadNode_AndOnlyOursComesOff(t *testing.T) {
	dead, other := aNode("c1", "c", "8"), aNode("c2", "c", "8")
	mark := corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute}
	unreachable := corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}
	for _, node := range []*corev1.Node{dead, other} {
		node.Status.Conditions[0].Status = corev1.ConditionUnknown
	}
	dead.Spec.Taints, other.Spec.Taints = []corev1.Taint{unreachable}, []corev1.Taint{mark}
	a, client := newOne(dead, other, aNode("c3", "c", "8"))
	params := func(node string) TaintParams { return TaintParams{Node: node, Holder: "run-1", Proof: "power off"} }
	taints := func(node string) []string {
		found, err := client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
		require.NoError(t, err)
		var keys []string
		for _, taint := range found.Spec.Taints {
			keys = append(keys, taint.Key)
		}
		return keys
	}

	_, err := a.TaintOutOfService(t.Context(), TaintParams{Node: "c1", Holder: "run-1"})
	require.ErrorContains(t, err, "nothing proves that its machine is off")
	_, err = a.TaintOutOfService(t.Context(), params("c3"))
	require.ErrorContains(t, err, "it is Ready")
	for range 2 {
		_, err = a.TaintOutOfService(t.Context(), params("c1"))
		require.NoError(t, err)
		require.Equal(t, []string{corev1.TaintNodeUnreachable, corev1.TaintNodeOutOfService}, taints("c1"))
	}
	found, err := a.TaintOutOfService(t.Context(), params("c2"))
	require.NoError(t, err)
	require.False(t, found.Ours)
	for _, node := range []string{"c1", "c2", "gone"} {
		_, err = a.UntaintOutOfService(t.Context(), params(node))
		require.NoError(t, err)
	}
	require.Equal(t, []string{corev1.TaintNodeUnreachable}, taints("c1"))
	require.Equal(t, []string{corev1.TaintNodeOutOfService}, taints("c2"))
}

// evictions lets the fake do what an API server does: delete, or answer 429 while a budget allows nothing.
func evictions(client *fake.Clientset, allowed *int) {
	client.PrependReactor("create", "pods", func(action core.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		if *allowed == 0 {
			return true, nil, apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10)
		}
		*allowed--
		eviction := action.(core.CreateAction).GetObject().(*policyv1.Eviction)
		return true, nil, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), eviction.Namespace, eviction.Name)
	})
}

func TestEvictPods_EmptiesTheNodeAndLeavesWhatCannotMove(t *testing.T) {
	objects := append(withVolumeOn(aPod("store-0", "c1", "StatefulSet"), "c1"), aNode("c1", "c", "8"), aNode("a1", "a", "8"), aNode("c2", "c", "8"),
		aPod("web-1", "c1", "ReplicaSet"), aPod("web-2", "c1", "ReplicaSet"), aPod("web-3", "c2", "ReplicaSet"), aPod("agent", "c1", "DaemonSet"))
	a, client := newOne(objects...)
	allowed := 9
	evictions(client, &allowed)
	result, err := a.EvictPods(t.Context(), EvictPodsParams{Node: "c1", Nodes: []string{"c1", "c2"}, Patience: 10 * time.Second})
	require.NoError(t, err)
	require.True(t, result.Done)
	require.Equal(t, 2, result.Evicted)
	require.Equal(t, "node c1 is empty but for 1 pods that cannot move", result.Seen("c1"))
	pods, err := client.CoreV1().Pods("shodo").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, pods.Items, 3, "store-0, agent, and web-3 of the other node")
}

func TestEvictPods_ABudgetBlocks_SaysWhichAndWhatItAllowsAndGoesOnLater(t *testing.T) {
	a, client := newOne(aNode("c1", "c", "8"), aNode("a1", "a", "8"), aPod("web-1", "c1", "ReplicaSet"), aPod("web-2", "c1", "ReplicaSet"), aBudget(2, 1, 1))
	allowed := 1
	evictions(client, &allowed)
	params := EvictPodsParams{Node: "c1", Patience: 50 * time.Millisecond}
	result, err := a.EvictPods(t.Context(), params)
	require.NoError(t, err)
	require.False(t, result.Done)
	require.Contains(t, result.Seen("c1"), "shodo/web-2 may not be evicted: PodDisruptionBudget shodo/web allows 1 (2 healthy, 1 needed)")
	allowed = 1
	result, err = a.EvictPods(t.Context(), EvictPodsParams{Node: "c1", Patience: 10 * time.Second})
	require.NoError(t, err)
	require.True(t, result.Done)
}

func TestEvictPods_AnEvictedPodWhoseContainersHaveEnded_IsWaitedForUntilItIsGone(t *testing.T) {
	ended, finished := aPod("web-1", "c1", "ReplicaSet"), aPod("job-1", "c1", "Job")
	ended.DeletionTimestamp, ended.Finalizers = &metav1.Time{Time: time.Now()}, []string{"test/kept"}
	ended.Status.Phase, finished.Status.Phase = corev1.PodSucceeded, corev1.PodSucceeded
	a, client := newOne(aNode("c1", "c", "8"), aNode("a1", "a", "8"), ended, finished)
	params := EvictPodsParams{Node: "c1", Patience: 50 * time.Millisecond}
	result, err := a.EvictPods(t.Context(), params)
	require.NoError(t, err)
	require.False(t, result.Done)
	require.Equal(t, "node c1: still ending: shodo/web-1", result.Seen("c1"))
	require.NoError(t, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shodo", "web-1"))
	result, err = a.EvictPods(t.Context(), params)
	require.NoError(t, err)
	require.True(t, result.Done, "a Job that has finished stays")
}

func TestEvictPods_PermissionIsMissing_SaysWhichVerbOnWhat(t *testing.T) {
	a, client := newOne(aNode("c1", "c", "8"), aNode("a1", "a", "8"), aPod("web-1", "c1", "ReplicaSet"))
	client.PrependReactor("create", "pods", func(core.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("pods/eviction"), "web-1", fmt.Errorf("cannot create"))
	})
	_, err := a.EvictPods(t.Context(), EvictPodsParams{Node: "c1", Patience: time.Second})
	require.ErrorContains(t, err, `pods/eviction "web-1" is forbidden`)
	require.ErrorContains(t, err, "see the Roles in deployments/kubernetes")
}

func TestAwaitReplaced_WaitsForReadyPodsElsewhereAndForBudgets(t *testing.T) {
	waiting := aPod("web-2", "", "ReplicaSet")
	waiting.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/2 nodes are available"}}
	owners := []Owner{{Namespace: "shodo", Kind: "ReplicaSet", Name: "web", UID: "owner-ReplicaSet", Elsewhere: 2}, {Kind: "ReplicaSet", UID: "of the last revision", Elsewhere: 2}}
	params := AwaitReplacedParams{Nodes: []string{"c1"}, Owners: owners}
	a, client := newOne(aPod("web-0", "c1", "ReplicaSet"), aPod("web-1", "a1", "ReplicaSet"), waiting, aBudget(1, 2, 0))
	result, err := a.AwaitReplaced(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, []string{
		"PodDisruptionBudget shodo/web allows 0 (1 healthy, 2 needed)",
		"ReplicaSet shodo/web: 1 of 2 pods are Ready elsewhere; web-2: 0/2 nodes are available",
	}, result.Pending)

	pods, budgets := corev1.SchemeGroupVersion.WithResource("pods"), policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
	require.NoError(t, client.Tracker().Update(pods, aPod("web-2", "a1", "ReplicaSet"), "shodo"))
	require.NoError(t, client.Tracker().Update(budgets, aBudget(2, 2, 0), "shodo"))
	result, err = a.AwaitReplaced(t.Context(), params)
	require.NoError(t, err)
	require.True(t, result.Done, result.Pending)
}
