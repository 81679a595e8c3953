// Package diagnosis is what is seen of an estate at one moment, and what that means: which parts are broken, which row of the plan's
// scenario matrix that looks like, and which command would start the answer to it.
//
// The facts are collected by package activities/diagnosis. What is concluded from them is concluded here, in pure functions: the same
// facts always lead to the same words.
package diagnosis

import (
	"time"
)

// Diagnosis is everything that was seen of one region, and what was concluded from it. Its logs are in the bundle only.
type Diagnosis struct {
	ID        string        `json:"id"`
	Plan      string        `json:"plan"`
	Region    string        `json:"region"`
	Namespace string        `json:"namespace"`
	At        time.Time     `json:"at"`   // when the looking began
	Took      time.Duration `json:"took"` // until the last answer
	// Conclusion is what it means, and Findings are what led to it, the gravest first.
	Conclusion Conclusion `json:"conclusion"`
	Findings   []Finding  `json:"findings"`

	Nodes        []Node       `json:"nodes"`
	Pods         []Pod        `json:"pods"` // those that are not well, or were not lately
	Counted      Counted      `json:"counted"`
	Workloads    []Workload   `json:"workloads"`
	Events       []Event      `json:"events"`
	Usage        Usage        `json:"usage"`
	Endpoints    []Endpoint   `json:"endpoints"`
	Databases    []Database   `json:"databases"`
	Redis        []Redis      `json:"redis"`
	Dependencies []Dependency `json:"dependencies"`
	Logs         []Log        `json:"logs"`
	// Unanswered are the probes that brought no answer.
	Unanswered []Probe `json:"unanswered,omitempty"`
	// LeftOut says what there was too much of to keep.
	LeftOut []string `json:"leftOut,omitempty"`
	// Bundle is the folder with all of it, the logs too; empty when it could not be written.
	Bundle string `json:"bundle,omitempty"`
}

// How grave a finding is.
const (
	Broken   = "broken"   // users notice, or will at the next loss
	Degraded = "degraded" // it serves, and something is missing that the plan counts on, or nobody can tell
	Note     = "note"     // worth reading when something else is wrong
)

// The areas of findings.
const (
	AreaCluster    = "cluster"
	AreaNode       = "node"
	AreaPod        = "pod"
	AreaWorkload   = "workload"
	AreaEvent      = "event"
	AreaEndpoint   = "endpoint"
	AreaDatabase   = "database"
	AreaRedis      = "redis"
	AreaDependency = "dependency"
	AreaLog        = "log"
	AreaProbe      = "probe"
)

// Finding is one thing that is not as it should be, in a sentence.
type Finding struct {
	Area     string    `json:"area"`
	Subject  string    `json:"subject"`
	Severity string    `json:"severity"`
	Said     string    `json:"said"`
	Since    time.Time `json:"since,omitzero"` // when somebody knows
}

// Probe is one question to the estate that was not answered.
type Probe struct {
	Asked string        `json:"asked"` // what was asked, for example list pods in shodo
	Said  string        `json:"said"`
	Took  time.Duration `json:"took"`
	// Needs is the permission that is missing, for example "list events"; empty when it is something else.
	Needs string `json:"needs,omitempty"`
}

// What Counted and Unanswered call the reading of everything that a diagnosis stands on.
const (
	AskNodes     = "list nodes"
	AskPods      = "list pods"
	AskWorkloads = "list workloads"
)

// Counted is how many there are in all, of which only those that are not well are listed.
type Counted struct {
	Pods      int `json:"pods"`
	Workloads int `json:"workloads"`
}

// Node is one machine.
type Node struct {
	Name          string    `json:"name"`
	Zone          string    `json:"zone"`
	Ready         bool      `json:"ready"`
	Since         time.Time `json:"since,omitzero"` // of Ready, or of its loss
	Said          string    `json:"said,omitempty"` // why it is not ready
	Unschedulable bool      `json:"unschedulable,omitempty"`
	Pressure      []string  `json:"pressure,omitempty"` // DiskPressure and its like
	// Heard is when its kubelet last renewed its lease, and Silent that this is longer ago than two renewals.
	Heard  time.Time `json:"heard,omitzero"`
	Silent bool      `json:"silent,omitempty"`
	// Mute says that its kubelet was asked and did not answer: it hangs before Kubernetes notices.
	Mute bool `json:"mute,omitempty"`
	// Carries is how many pods of each workload are on it.
	Carries map[string]int `json:"carries,omitempty"`
}

// Away says that nothing on the node can be relied on.
func (n Node) Away() bool { return !n.Ready || n.Mute }

// The troubles of a pod that Kubernetes does not mend by itself.
const (
	CrashLoop     = "crash loop"
	MissingImage  = "missing image"
	BadConfig     = "bad configuration"
	Unschedulable = "no node takes it"
)

// The troubles of a pod that it may come out of.
const (
	OutOfMemory = "out of memory"
	NotReady    = "not ready"
	Failed      = "failed"
	Stuck       = "stuck on a lost node"
	Restarted   = "restarted lately"
)

// Pod is one pod that is not well, or was not lately.
type Pod struct {
	Name     string    `json:"name"`
	Workload string    `json:"workload"` // what owns it: Deployment or StatefulSet
	Node     string    `json:"node"`
	Zone     string    `json:"zone"`
	Trouble  string    `json:"trouble"`
	Said     string    `json:"said"` // in Kubernetes' words
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since,omitzero"`
}

// Workload is how far a Deployment or StatefulSet has rolled out.
type Workload struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Desired  int    `json:"desired"`
	Updated  int    `json:"updated"`
	Ready    int    `json:"ready"`
	Revision string `json:"revision,omitempty"`
	Paused   bool   `json:"paused,omitempty"`
	Rolling  bool   `json:"rolling,omitempty"` // a new revision is not everywhere yet
	Stalled  string `json:"stalled,omitempty"` // why a rollout does not go on
}

// Event is one warning of Kubernetes, with how often it was given.
type Event struct {
	Object string    `json:"object"`
	Reason string    `json:"reason"`
	Said   string    `json:"said"`
	Count  int       `json:"count"`
	Last   time.Time `json:"last"`
}

// Usage is what nodes and pods use, as the metrics API has it.
type Usage struct {
	// NotMeasured says why nobody knows; empty: it is known.
	NotMeasured string `json:"notMeasured,omitempty"`
	Nodes       []Used `json:"nodes,omitempty"`
	Pods        []Used `json:"pods,omitempty"`
}

// Used is what one node or pod uses.
type Used struct {
	Name   string `json:"name"`
	CPU    int64  `json:"cpu"`    // thousandths of a core
	Memory int64  `json:"memory"` // bytes
}

// Endpoint is one health path of a service, asked once from outside.
type Endpoint struct {
	Service string        `json:"service"`
	Path    string        `json:"path"`
	OK      bool          `json:"ok"`
	Status  int           `json:"status,omitempty"` // 0: no answer
	Took    time.Duration `json:"took"`
	Said    string        `json:"said,omitempty"`
}

// Database is a PostgreSQL primary and its replicas.
type Database struct {
	Name      string     `json:"name"`
	Primary   string     `json:"primary"` // the pod that the role object names; empty for nobody
	Service   string     `json:"service"` // the pod that applications are sent to
	Instances []Instance `json:"instances"`
	Unknown   string     `json:"unknown,omitempty"` // why nobody can say how it is
}

// Instance is one PostgreSQL server.
type Instance struct {
	Pod       string `json:"pod"`
	Node      string `json:"node"`
	Zone      string `json:"zone"`
	NodeReady bool   `json:"nodeReady"`
	PodReady  bool   `json:"podReady"`
	Answers   bool   `json:"answers"`
	Said      string `json:"said,omitempty"` // why it does not
	Replica   bool   `json:"replica"`        // it is in recovery
	Streams   bool   `json:"streams"`        // its WAL receiver is connected
	Timeline  uint32 `json:"timeline"`
	LSN       string `json:"lsn,omitempty"`
	// Lag is how much of the primary's WAL it has not replayed, in bytes, and Behind since when; -1 when the primary does not answer.
	Lag    int64         `json:"lag"`
	Behind time.Duration `json:"behind"`
}

// Redis is one Redis server with its persistence.
type Redis struct {
	Name    string `json:"name"`
	Pod     string `json:"pod"`
	Node    string `json:"node"`
	Master  bool   `json:"master"` // of the plan
	Answers bool   `json:"answers"`
	Said    string `json:"said,omitempty"`
	Role    string `json:"role,omitempty"`
	Loading bool   `json:"loading,omitempty"`
	RDB     string `json:"rdb,omitempty"` // of the last save: ok or err
	AOF     string `json:"aof,omitempty"` // off, or of the last write: ok or err
}

// Dependency is something outside that the estate needs.
type Dependency struct {
	Name string        `json:"name"`
	Way  string        `json:"way"` // how it was asked
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took"`
	Said string        `json:"said,omitempty"`
}

// Log is how many lines of a pod's last half hour speak of errors. The lines are in the bundle.
type Log struct {
	Service  string `json:"service"`
	Pod      string `json:"pod"`
	Errors   int    `json:"errors"`
	DiskFull int    `json:"diskFull,omitempty"` // lines that say that no space is left
	Last     string `json:"last,omitempty"`     // the last one, with secrets masked
	Cut      bool   `json:"cut,omitempty"`      // there is more than was read
}

// The states of an estate.
const (
	StateHealthy  = "healthy"
	StateDegraded = "degraded" // it serves, and something is missing
	StateBroken   = "broken"
	StateUnknown  = "unknown" // the cluster could not be read
)

// Conclusion is what a diagnosis means.
type Conclusion struct {
	State     string `json:"state"`
	Paragraph string `json:"paragraph"` // what is broken, what that looks like, and what would start the answer
	// Scenario is the row of the plan's matrix that it looks like, or the runbook's name where the matrix has none; empty without one.
	Scenario string `json:"scenario,omitempty"`
	// Command would start the answer; empty when no run is needed, or none would help. Then are those that follow it.
	Command string   `json:"command,omitempty"`
	Then    []string `json:"then,omitempty"`
	// Causes are what everything else follows from, and Follows the services that are down only because something that they need is.
	Causes  []Cause  `json:"causes,omitempty"`
	Follows []string `json:"follows,omitempty"`
	// Remedies are the parts of the plan that are sick on their own, each with the runbook that would bring it back.
	Remedies []Remedy `json:"remedies,omitempty"`
}

// Remedy is a part of the plan that is sick on its own.
type Remedy struct {
	Area    string `json:"area"`   // AreaDatabase, AreaRedis or AreaWorkload
	Target  string `json:"target"` // the plan's name of the database, Redis or service
	Runbook string `json:"runbook"`
	Urgent  bool   `json:"urgent"` // users do without it
}

// Cause is one thing that everything else may follow from.
type Cause struct {
	Area    string `json:"area"`
	Subject string `json:"subject"` // of the plan where the plan knows it
	Said    string `json:"said"`
}

// Healthy says that nothing is wanting.
func (d Diagnosis) Healthy() bool { return d.Conclusion.State == StateHealthy }

// unanswered is the probe that was asked something and brought nothing.
func (d Diagnosis) unanswered(asked string) (Probe, bool) {
	for _, probe := range d.Unanswered {
		if probe.Asked == asked {
			return probe, true
		}
	}
	return Probe{}, false
}

func (d Diagnosis) node(name string) (Node, bool) {
	for _, node := range d.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return Node{}, false
}

func (d Diagnosis) workload(kind, name string) (Workload, bool) {
	for _, workload := range d.Workloads {
		if workload.Kind == kind && workload.Name == name {
			return workload, true
		}
	}
	return Workload{}, false
}

// lost are the names of the nodes that are not ready.
func (d Diagnosis) lost() map[string]bool {
	lost := map[string]bool{}
	for _, node := range d.Nodes {
		if !node.Ready {
			lost[node.Name] = true
		}
	}
	return lost
}

// deadZone is the zone that has lost all its nodes while others have some; empty without one. A zone of a single node is told from a
// lost node by nobody, and counts as the node.
func (d Diagnosis) deadZone() string {
	nodes, lost := map[string]int{}, map[string]int{}
	for _, node := range d.Nodes {
		nodes[node.Zone]++
		if !node.Ready {
			lost[node.Zone]++
		}
	}
	if len(nodes) < 2 {
		return ""
	}
	for _, node := range d.Nodes { // in their order, so that the answer is always the same
		if zone := node.Zone; zone != "" && nodes[zone] > 1 && lost[zone] == nodes[zone] {
			return zone
		}
	}
	return ""
}
