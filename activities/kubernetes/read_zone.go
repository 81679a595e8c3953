package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ReadZoneParams names a zone of a region, or one of its nodes. One of the two is enough.
type ReadZoneParams struct {
	Region string `json:"region"`
	Zone   string `json:"zone,omitempty"`
	Node   string `json:"node,omitempty"` // looks at this node alone

	// Lost looks at those of them alone that are lost: that are not Ready, or that are in Off, because their machines are known to be off.
	// All others count as nodes elsewhere.
	Lost bool     `json:"lost,omitempty"`
	Off  []string `json:"off,omitempty"`
}

// overdueAfter is how long after the end of its grace period a pod may still be there on a node that is Ready: its kubelet may be busy, or
// just back.
const overdueAfter = 30 * time.Second

// Zone is what Kubernetes knows of a zone, or of one node, and of the place elsewhere.
type Zone struct {
	Name    string    `json:"name"`              // of the zone; empty: there is no such zone, or node
	Zones   []string  `json:"zones"`             // all that have nodes
	Nodes   []Machine `json:"nodes"`             // of the zone, or the one
	Others  []Machine `json:"others"`            // all others
	Moving  []ZonePod `json:"moving"`            // pods that can run elsewhere
	Staying []ZonePod `json:"staying"`           // pods that cannot
	Overdue []ZonePod `json:"overdue,omitempty"` // of those asked for and not lost: pods that do not end on a node that is Ready
	NoRoom  []NoRoom  `json:"noRoom"`            // pods that are to run elsewhere and have no room there now
	Short   Room      `json:"short,omitzero"`    // what those ask for together: at least as much is missing
	Owners  []Owner   `json:"owners"`            // of the moving pods
	Unmet   []string  `json:"unmet,omitempty"`   // budgets that are not met now
}

// Machine is one node.
type Machine struct {
	Name       string    `json:"name"`
	Zone       string    `json:"zone"`
	Ready      bool      `json:"ready"`
	Since      time.Time `json:"since,omitzero"` // it is Ready, or is not
	Heard      time.Time `json:"heard,omitzero"` // its kubelet's last sign of life, by the machine's clock; only with Lost
	Late       bool      `json:"late,omitempty"` // the next sign of life should have come
	Cordoned   bool      `json:"cordoned"`
	CordonedBy string    `json:"cordonedBy,omitempty"` // the run that did it; empty for anybody else
	Free       Room      `json:"free"`                 // allocatable without what its pods ask for
}

// ZonePod is one pod.
type ZonePod struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	UID       string   `json:"uid"`
	Node      string   `json:"node"`
	Owner     string   `json:"owner,omitempty"` // kind and name
	Why       string   `json:"why,omitempty"`   // it cannot move
	Budgets   []Budget `json:"budgets,omitempty"`
}

// Budget is a PodDisruptionBudget as it stands.
type Budget struct {
	Name    string `json:"name"`
	Allowed int32  `json:"allowed"` // pods that may be evicted now
	Healthy int32  `json:"healthy"`
	Desired int32  `json:"desired"`
}

func (b Budget) String() string {
	return fmt.Sprintf("PodDisruptionBudget %s allows %d (%d healthy, %d needed)", b.Name, b.Allowed, b.Healthy, b.Desired)
}

// NoRoom is a pod that would not be scheduled, and why.
type NoRoom struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Why       string `json:"why"`
}

// Owner is a controller whose pods are to run elsewhere.
type Owner struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Elsewhere int    `json:"elsewhere"` // how many of its pods must be Ready outside of the nodes when all is done
}

// ReadZone reads the nodes, pods, budgets and volumes of a region, and judges what an evacuation of a zone, or of one node, would
// meet. It changes nothing. A zone or node that is not there is a result. Errors: Forbidden, Unreachable.
func (a *Activities) ReadZone(ctx context.Context, params ReadZoneParams) (Zone, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return Zone{}, err
	}
	s, err := readSurvey(ctx, client)
	if err != nil {
		return Zone{}, err
	}
	if params.Lost {
		if s.heard, err = readHeartbeats(ctx, client); err != nil {
			return Zone{}, err
		}
	}
	return s.zone(params), nil
}

// zone judges a survey.
func (s *survey) zone(params ReadZoneParams) Zone {
	z := Zone{}
	inside := map[string]bool{}
	free := s.free()
	well := map[string]bool{} // asked for, and not lost
	for i := range s.nodes {
		machine := machineFrom(&s.nodes[i], free[s.nodes[i].Name])
		machine.Heard, machine.Late = s.heard[machine.Name].at, s.heard[machine.Name].late(time.Now())
		if machine.Zone != "" && !slices.Contains(z.Zones, machine.Zone) {
			z.Zones = append(z.Zones, machine.Zone)
		}
		asked := params.asksFor(machine)
		if asked {
			z.Name = machine.Zone
		}
		if asked && (!params.Lost || !machine.Ready || slices.Contains(params.Off, machine.Name)) {
			inside[machine.Name] = true
			z.Nodes = append(z.Nodes, machine)
			continue
		}
		well[machine.Name] = asked
		z.Others = append(z.Others, machine)
	}
	slices.Sort(z.Zones)
	others := s.except(inside)
	var moving []*corev1.Pod
	for i := range s.pods {
		pod := &s.pods[i]
		if well[pod.Spec.NodeName] && !staysWithNode(pod) && overdue(pod) {
			z.Overdue = append(z.Overdue, s.podFrom(pod))
		}
		if !inside[pod.Spec.NodeName] || staysWithNode(pod) {
			continue
		}
		shown := s.podFrom(pod)
		if shown.Why = s.cannotMove(pod, others); shown.Why != "" {
			z.Staying = append(z.Staying, shown)
			continue
		}
		z.Moving = append(z.Moving, shown)
		moving = append(moving, pod)
	}
	if params.Lost {
		z.Staying = append(z.Staying, s.waitingFor(inside, others)...)
	}
	z.Owners = s.owners(moving, z.Staying)
	z.NoRoom, z.Short = fit(s.homeless(moving), others, free)
	for i := range s.budgets {
		if budget := budgetFrom(&s.budgets[i]); budget.Healthy < budget.Desired {
			z.Unmet = append(z.Unmet, budget.String())
		}
	}
	return z
}

func (p ReadZoneParams) asksFor(machine Machine) bool {
	if p.Node != "" {
		return machine.Name == p.Node
	}
	return p.Zone != "" && machine.Zone == p.Zone
}

// overdue says that a pod should have ended for some time.
func overdue(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && time.Since(pod.DeletionTimestamp.Time) > overdueAfter
}

// waitingFor are pods that are on no node, because only those that are lost may run them: what was freed from one of them, for example.
func (s *survey) waitingFor(lost map[string]bool, others []*corev1.Node) []ZonePod {
	var waiting []ZonePod
	for i := range s.pods {
		pod := &s.pods[i]
		if pod.Spec.NodeName != "" || staysWithNode(pod) || metav1.GetControllerOf(pod) == nil {
			continue
		}
		why := s.cannotMove(pod, others)
		for j := range s.nodes {
			node := &s.nodes[j]
			if why != "" && lost[node.Name] && s.cannotMove(pod, []*corev1.Node{node}) == "" {
				shown := s.podFrom(pod)
				shown.Node, shown.Why = node.Name, why
				waiting = append(waiting, shown)
				break
			}
		}
	}
	return waiting
}

// homeless are the pods that need room elsewhere: those that move, and in place of those that Kubernetes replaces already the ones that it
// finds no node for. A StatefulSet has its next pod only when this one is gone.
func (s *survey) homeless(moving []*corev1.Pod) []*corev1.Pod {
	var homeless []*corev1.Pod
	owners := map[types.UID]bool{}
	for _, pod := range moving {
		owner := metav1.GetControllerOf(pod)
		owners[owner.UID] = true
		if pod.DeletionTimestamp == nil || owner.Kind == "StatefulSet" {
			homeless = append(homeless, pod)
		}
	}
	for i := range s.pods {
		pod := &s.pods[i]
		owner := metav1.GetControllerOf(pod)
		if owner != nil && owners[owner.UID] && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
			homeless = append(homeless, pod)
		}
	}
	return homeless
}

func machineFrom(node *corev1.Node, free Room) Machine {
	machine := Machine{
		Name: node.Name, Zone: node.Labels[corev1.LabelTopologyZone], Ready: nodeReady(node), Cordoned: node.Spec.Unschedulable,
		CordonedBy: node.Annotations[cordonedBy], Free: free,
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			machine.Since = condition.LastTransitionTime.Time
		}
	}
	return machine
}

func (s *survey) podFrom(pod *corev1.Pod) ZonePod {
	shown := ZonePod{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		shown.Owner = owner.Kind + " " + owner.Name
	}
	for _, budget := range s.budgetsOf(pod) {
		shown.Budgets = append(shown.Budgets, budgetFrom(budget))
	}
	return shown
}

// owners are the controllers of moving pods, and how many of the pods that they have now must be Ready elsewhere in the end: all but
// those that cannot move.
func (s *survey) owners(moving []*corev1.Pod, staying []ZonePod) []Owner {
	var owners []Owner
	for _, pod := range moving {
		reference := metav1.GetControllerOf(pod)
		if slices.ContainsFunc(owners, func(o Owner) bool { return o.UID == string(reference.UID) }) {
			continue
		}
		owner := Owner{Namespace: pod.Namespace, Kind: reference.Kind, Name: reference.Name, UID: string(reference.UID)}
		for i := range s.pods {
			controller := metav1.GetControllerOf(&s.pods[i])
			counts := s.pods[i].DeletionTimestamp == nil || reference.Kind == "StatefulSet" // which makes the next one only when this one is gone
			if controller != nil && controller.UID == reference.UID && counts && !staysWithNode(&s.pods[i]) {
				owner.Elsewhere++
			}
		}
		for _, stays := range staying {
			if stays.Namespace == owner.Namespace && stays.Owner == owner.Kind+" "+owner.Name {
				owner.Elsewhere--
			}
		}
		owners = append(owners, owner)
	}
	return owners
}
