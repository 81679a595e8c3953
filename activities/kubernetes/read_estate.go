package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Estate is what Kubernetes knows of servers of which one leads and the others follow: those of a database, or of a Redis.
type Estate struct {
	Instances []Instance `json:"instances"`
	Sets      []Set      `json:"sets"`

	RolePrimary string `json:"rolePrimary"` // the pod that may be primary, empty for nobody
	RoleEpoch   int64  `json:"roleEpoch"`
	ServicePod  string `json:"servicePod"` // the pod that applications are sent to
}

// Instance is one pod of a server.
type Instance struct {
	Pod           string    `json:"pod"`
	UID           string    `json:"uid"`
	StatefulSet   string    `json:"statefulSet"`
	Ordinal       int32     `json:"ordinal"`
	Node          string    `json:"node"`
	Zone          string    `json:"zone"`
	IP            string    `json:"ip"`
	Port          int       `json:"port"`
	Ready         bool      `json:"ready"`
	Phase         string    `json:"phase"`
	Deleting      bool      `json:"deleting"`
	NodeReady     bool      `json:"nodeReady"`
	NodeHeartbeat time.Time `json:"nodeHeartbeat,omitzero"` // last sign of life of the node's kubelet
}

// Set is one StatefulSet of the servers. Its pods have the ordinals from Start to Start+Replicas-1.
type Set struct {
	Name     string `json:"name"`
	UID      string `json:"uid"`
	Replicas int32  `json:"replicas"`
	Start    int32  `json:"start"`
	// FieldManagers are others who write spec.replicas by server-side apply or an autoscaler: they may undo a fence.
	FieldManagers []string `json:"fieldManagers,omitempty"`
}

// ReadEstateParams names the database.
type ReadEstateParams struct {
	Namespace string        `json:"namespace"`
	Database  plan.Database `json:"database"`
}

// ReadEstate reads everything that Kubernetes knows of a database, all objects at the same time. It changes nothing.
// Errors: NotFound for an object of the plan, Forbidden, Unreachable.
func (a *Activities) ReadEstate(ctx context.Context, params ReadEstateParams) (Estate, error) {
	client, err := a.client(params.Database.Region)
	if err != nil {
		return Estate{}, err
	}
	database := params.Database
	return readEstate(ctx, client, members{
		namespace: params.Namespace, sets: append([]string{database.Primary}, database.Replicas...), role: database.Role, service: database.Service, port: database.Port,
	})
}

// members names the objects of servers that are an estate.
type members struct {
	namespace     string
	sets          []string
	role, service string // role is empty where no start gate asks for it
	port          int
}

func readEstate(ctx context.Context, client kubernetes.Interface, of members) (Estate, error) {
	read := reading{client: client, of: of}
	if err := read.all(ctx); err != nil {
		return Estate{}, err
	}
	return read.assemble()
}

// reading is the raw material of an estate.
type reading struct {
	client     kubernetes.Interface
	of         members
	pods       *corev1.PodList
	nodes      *corev1.NodeList
	heartbeats map[string]heartbeat
	sets       []*appsv1.StatefulSet
	role       *corev1.ConfigMap
	service    *corev1.Service
}

func (r *reading) all(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	namespace := r.of.namespace
	group.Go(func() (err error) {
		r.pods, err = r.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return failed("list pods in "+namespace, err)
	})
	group.Go(func() (err error) {
		r.nodes, err = r.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return failed("list nodes", err)
	})
	group.Go(func() (err error) {
		r.heartbeats, err = readHeartbeats(ctx, r.client)
		return err
	})
	group.Go(func() (err error) {
		if r.role = new(corev1.ConfigMap); r.of.role == "" {
			return nil
		}
		r.role, err = r.client.CoreV1().ConfigMaps(namespace).Get(ctx, r.of.role, metav1.GetOptions{})
		return failed("read ConfigMap "+r.of.role, err)
	})
	group.Go(func() (err error) {
		r.service, err = r.client.CoreV1().Services(namespace).Get(ctx, r.of.service, metav1.GetOptions{})
		return failed("read Service "+r.of.service, err)
	})
	r.sets = make([]*appsv1.StatefulSet, len(r.of.sets))
	for i, name := range r.of.sets {
		group.Go(func() (err error) {
			r.sets[i], err = r.client.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
			return failed("read StatefulSet "+name, err)
		})
	}
	return group.Wait()
}

func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return Failure(doing, err)
}

func (r *reading) assemble() (Estate, error) {
	estate := Estate{RolePrimary: r.role.Data[rolePrimary], ServicePod: r.service.Spec.Selector[PodNameLabel]}
	epoch, err := epochOf(r.role)
	if err != nil {
		return estate, err
	}
	estate.RoleEpoch = epoch
	for _, set := range r.sets {
		estate.Sets = append(estate.Sets, setFrom(set))
	}
	for i := range r.pods.Items {
		if set := r.setOf(&r.pods.Items[i]); set != "" {
			estate.Instances = append(estate.Instances, r.instanceFrom(&r.pods.Items[i], set))
		}
	}
	slices.SortFunc(estate.Instances, func(a, b Instance) int { return strings.Compare(a.Pod, b.Pod) })
	return estate, nil
}

// setOf is the StatefulSet of the estate that controls a pod, or empty.
func (r *reading) setOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "StatefulSet" {
		return ""
	}
	for _, set := range r.sets {
		if set.UID == owner.UID {
			return set.Name
		}
	}
	return ""
}

func (r *reading) instanceFrom(pod *corev1.Pod, set string) Instance {
	instance := Instance{
		Pod: pod.Name, UID: string(pod.UID), StatefulSet: set, Ordinal: ordinalOf(pod.Name), Node: pod.Spec.NodeName, IP: pod.Status.PodIP,
		Port: r.of.port, Phase: string(pod.Status.Phase), Deleting: pod.DeletionTimestamp != nil, Ready: podReady(pod),
	}
	for i := range r.nodes.Items {
		if node := &r.nodes.Items[i]; node.Name == pod.Spec.NodeName {
			instance.Zone = node.Labels[corev1.LabelTopologyZone]
			instance.NodeReady = nodeReady(node)
			instance.NodeHeartbeat = r.heartbeats[node.Name].at
		}
	}
	return instance
}

func setFrom(set *appsv1.StatefulSet) Set {
	found := Set{Name: set.Name, UID: string(set.UID), Replicas: replicasOf(set), Start: startOf(set)}
	for _, entry := range set.ManagedFields {
		writesReplicas := entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), `"f:replicas"`) && entry.Subresource == ""
		if writesReplicas && entry.Manager != fieldManager && entry.Operation == metav1.ManagedFieldsOperationApply {
			found.FieldManagers = append(found.FieldManagers, entry.Manager)
		}
	}
	return found
}

func replicasOf(set *appsv1.StatefulSet) int32 {
	if set.Spec.Replicas == nil {
		return 1 // Kubernetes' default
	}
	return *set.Spec.Replicas
}

func startOf(set *appsv1.StatefulSet) int32 {
	if set.Spec.Ordinals == nil {
		return 0
	}
	return set.Spec.Ordinals.Start
}

// ordinalOf is the number at the end of a StatefulSet pod's name.
func ordinalOf(pod string) int32 {
	ordinal, err := strconv.ParseInt(pod[strings.LastIndexByte(pod, '-')+1:], 10, 32)
	if err != nil {
		return -1 // not a name that a StatefulSet gives
	}
	return int32(ordinal)
}

func podReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func nodeReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func epochOf(role *corev1.ConfigMap) (int64, error) {
	text := role.Data[roleEpoch]
	if text == "" {
		return 0, nil
	}
	epoch, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the epoch in ConfigMap %s: %w", role.Name, err)
	}
	return epoch, nil
}
