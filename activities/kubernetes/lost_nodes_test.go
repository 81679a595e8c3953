package kubernetes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// lose lets a node be lost.
func lose(node *corev1.Node) *corev1.Node {
	node.Status.Conditions[0].Status = corev1.ConditionUnknown
	return node
}

// ending lets a pod be deleted, and should have ended that long ago.
func ending(pod *corev1.Pod, ago time.Duration) *corev1.Pod {
	pod.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-ago)}
	pod.Finalizers = []string{"example.com/kept"} // without one the fake takes it for gone
	return pod
}

// renewed is a kubelet's lease of 40 s.
func renewed(node string, ago time.Duration) *coordinationv1.Lease {
	holds, at := int32(40), metav1.NewMicroTime(time.Now().Add(-ago))
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: node},
		Spec:       coordinationv1.LeaseSpec{LeaseDurationSeconds: &holds, RenewTime: &at},
	}
}

func TestReadZone_LostNodesOfAZone_LeavesTheLivingOnesElsewhere(t *testing.T) {
	a, _ := newOne(lose(aNode("c1", "c", "4")), aNode("c2", "c", "4"), aNode("c3", "c", "4"), aNode("a1", "a", "4"),
		aPod("web-1", "c1", "ReplicaSet"), aPod("web-2", "c2", "ReplicaSet"), aPod("web-3", "c3", "ReplicaSet"))
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c", Lost: true, Off: []string{"c3", "a1"}})
	require.NoError(t, err)
	names := func(machines []Machine) (said []string) {
		for _, machine := range machines {
			said = append(said, machine.Name)
		}
		return said
	}
	require.Equal(t, "c", zone.Name)
	require.Equal(t, []string{"c1", "c3"}, names(zone.Nodes), "not Ready, or known to be off")
	require.ElementsMatch(t, []string{"c2", "a1"}, names(zone.Others))
	require.Len(t, zone.Moving, 2)
	require.Equal(t, 3, zone.Owners[0].Elsewhere)
}

func TestReadZone_EveryNodeIsReady_FindsNothingLostButWhatDoesNotEnd(t *testing.T) {
	a, _ := newOne(aNode("c1", "c", "4"), aNode("a1", "a", "4"), aPod("web-1", "c1", "ReplicaSet"),
		ending(aPod("web-2", "c1", "ReplicaSet"), time.Second), ending(aPod("web-3", "c1", "ReplicaSet"), time.Minute), ending(aPod("web-4", "a1", "ReplicaSet"), time.Minute))
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Node: "c1", Lost: true})
	require.NoError(t, err)
	require.Equal(t, "c", zone.Name)
	require.Empty(t, zone.Nodes)
	require.Empty(t, zone.Moving)
	require.Len(t, zone.Overdue, 1)
	require.Equal(t, "web-3", zone.Overdue[0].Pod)
}

// Kubernetes makes a new pod of a ReplicaSet as soon as the old one is being deleted: only one of the two needs room.
func TestReadZone_PodsAreBeingReplaced_NeedRoomOnce(t *testing.T) {
	pending := func(name string) *corev1.Pod {
		pod := aPod(name, "", "ReplicaSet")
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
		return pod
	}
	objects := []runtime.Object{lose(aNode("c1", "c", "8")), aNode("a1", "a", "2"), ending(aPod("web-1", "c1", "ReplicaSet"), time.Second), ending(aPod("store-0", "c1", "StatefulSet"), time.Second)}
	for name, c := range map[string]struct {
		replacement *corev1.Pod
		missing     []string
	}{
		"a new pod has found its place": {aPod("web-2", "a1", "ReplicaSet"), nil},
		"a new pod finds none":          {pending("web-2"), nil},
		"another of them finds none":    {pending("web-2"), []string{"web-3"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := append([]runtime.Object{c.replacement}, objects...)
			if len(c.missing) > 0 {
				all = append(all, pending("web-3"))
			}
			a, _ := newOne(all...)
			zone, err := a.ReadZone(t.Context(), ReadZoneParams{Node: "c1", Lost: true})
			require.NoError(t, err)
			require.Len(t, zone.NoRoom, len(c.missing), "%v", zone.NoRoom)
		})
	}
}

func TestReadZone_AKubeletIsSilent_ItsSignOfLifeIsLate(t *testing.T) {
	a, _ := newOne(aNode("c1", "c", "4"), aNode("c2", "c", "4"), aNode("c3", "c", "4"), renewed("c1", 15*time.Second), renewed("c2", 25*time.Second))
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c", Lost: true})
	require.NoError(t, err)
	late := map[string]bool{}
	for _, machine := range zone.Others {
		late[machine.Name] = machine.Late
	}
	require.Equal(t, map[string]bool{"c1": false, "c2": true, "c3": false}, late, "it renews every 10 s; what has no lease is not judged by it")
}

// What was freed from a lost node, and may run on no other, is Pending until that is back.
func TestReadZone_APodIsPendingForALostNode_WaitsForIt(t *testing.T) {
	pinned, free := aPod("store-0", "", "StatefulSet"), aPod("web-1", "", "ReplicaSet")
	pinned.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "c1"}
	a, _ := newOne(lose(aNode("c1", "c", "4")), aNode("a1", "a", "4"), pinned, free)
	zone, err := a.ReadZone(t.Context(), ReadZoneParams{Zone: "c", Lost: true})
	require.NoError(t, err)
	require.Len(t, zone.Staying, 1)
	require.Equal(t, "store-0", zone.Staying[0].Pod)
	require.Equal(t, "c1", zone.Staying[0].Node)
	require.Equal(t, "its node selector or affinity matches no other node", zone.Staying[0].Why)
}
