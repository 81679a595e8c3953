package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// view is a diagnosis beside the plan of what it was made of.
type view struct {
	plan plan.Plan
	Diagnosis
}

// clusterSilent says why nothing is known of the cluster; empty while its API server answers. That it forbids something is an answer.
func (v view) clusterSilent() string {
	nodes, noNodes := v.unanswered(AskNodes)
	pods, noPods := v.unanswered(AskPods)
	if noNodes && noPods && (nodes.Needs == "" || pods.Needs == "") {
		return pods.Said
	}
	return ""
}

// nothingThere says that the namespace has nothing, which is never an estate that is well.
func (v view) nothingThere() bool {
	_, unread := v.unanswered(AskPods)
	_, unseen := v.unanswered(AskWorkloads)
	return !unread && !unseen && v.Counted.Pods == 0 && v.Counted.Workloads == 0
}

// databaseTrouble is what is wrong with a database.
type databaseTrouble struct {
	primary string // why nobody can write; empty: they can
	node    string // the lost node that took the primary away
	pod     bool   // a pod of it is away from a node that is well
	lesser  []string
}

func (v view) databaseTrouble(database Database) databaseTrouble {
	if database.Unknown != "" {
		return databaseTrouble{lesser: []string{"nobody can say how it is: " + database.Unknown}}
	}
	trouble := v.primaryTrouble(database)
	var writable []string
	for _, instance := range database.Instances {
		switch {
		case instance.Answers && !instance.Replica:
			writable = append(writable, instance.Pod)
		case instance.Pod == database.Primary: // judged above
		case !instance.Answers:
			trouble.lesser = append(trouble.lesser, fmt.Sprintf("its replica %s does not answer%s: %s", instance.Pod, v.where(instance), instance.Said))
			trouble.pod = trouble.pod || instance.NodeReady && !instance.PodReady
		case !instance.Streams && trouble.primary == "":
			trouble.lesser = append(trouble.lesser, fmt.Sprintf("its replica %s receives nothing from the primary", instance.Pod))
		}
	}
	if len(writable) > 1 {
		trouble.lesser = append(trouble.lesser, "more than one server takes writes: "+strings.Join(writable, " and "))
	}
	if missing := v.replicasWanted(database.Name) - (len(database.Instances) - 1); missing > 0 && trouble.primary == "" {
		trouble.lesser = append(trouble.lesser, fmt.Sprintf("it has %d fewer servers than it should", missing))
		trouble.pod = true
	}
	return trouble
}

func (v view) primaryTrouble(database Database) databaseTrouble {
	if database.Primary == "" {
		return databaseTrouble{primary: "nobody may be primary: its role object names no pod, as in the middle of a recovery"}
	}
	at := slices.IndexFunc(database.Instances, func(i Instance) bool { return i.Pod == database.Primary })
	if at < 0 {
		return databaseTrouble{primary: fmt.Sprintf("its primary %s has no pod", database.Primary), pod: v.podsWanted(database.Name) > len(database.Instances)}
	}
	primary := database.Instances[at]
	switch {
	case !primary.Answers && !primary.NodeReady:
		return databaseTrouble{primary: fmt.Sprintf("its primary %s does not answer and its node %s is not ready", primary.Pod, primary.Node), node: primary.Node}
	case !primary.Answers && v.mute(primary.Node):
		return databaseTrouble{primary: fmt.Sprintf("its primary %s does not answer, and neither does the kubelet of its node %s", primary.Pod, primary.Node), node: primary.Node}
	case !primary.Answers && !primary.PodReady:
		return databaseTrouble{primary: fmt.Sprintf("its primary %s is not ready on node %s, which is: %s", primary.Pod, primary.Node, primary.Said), pod: true}
	case !primary.Answers:
		return databaseTrouble{primary: fmt.Sprintf("its primary %s does not serve on node %s, though Kubernetes takes it to be ready: %s", primary.Pod, primary.Node, primary.Said)}
	case primary.Replica:
		return databaseTrouble{primary: fmt.Sprintf("the role object names %s, which is a replica", primary.Pod)}
	case database.Service != "" && database.Service != database.Primary:
		return databaseTrouble{primary: fmt.Sprintf("applications are sent to %s, while the primary is %s", database.Service, database.Primary)}
	default:
		return databaseTrouble{}
	}
}

// where tells of a lost node.
func (v view) where(instance Instance) string {
	if instance.NodeReady || instance.Node == "" {
		return ""
	}
	return " and its node " + instance.Node + " is not ready"
}

// replicasWanted is how many replicas a database is to have.
func (v view) replicasWanted(name string) int {
	return max(0, v.podsWanted(name)-1) // whichever set the primary is in
}

// podsWanted is how many pods all StatefulSets of a database are to have.
func (v view) podsWanted(name string) int {
	database, _ := v.plan.Database(name)
	wanted := 0
	for _, set := range append([]string{database.Primary}, database.Replicas...) {
		workload, _ := v.workload(plan.StatefulSet, set)
		wanted += workload.Desired
	}
	return wanted
}

// redisTrouble is what is wrong with one Redis of the plan.
type redisTrouble struct {
	master string // why it does not serve; empty: it does
	node   string // the lost node that took the master away
	pod    bool   // its pod is away, and Kubernetes starts it again
	lesser []string
}

func (v view) redisTrouble(name string) redisTrouble {
	redis, _ := v.plan.RedisServer(name)
	workload, _ := v.workload(plan.StatefulSet, redis.Master)
	trouble := redisTrouble{pod: workload.Desired > 0 && workload.Ready < workload.Desired}
	master := false
	for _, server := range v.Redis {
		if server.Name != name {
			continue
		}
		if server.Master {
			master = true
		}
		said := server.trouble()
		switch {
		case said == "":
		case server.Master:
			trouble.master = "its master " + said
			if v.lost()[server.Node] {
				trouble.master += "; its node " + server.Node + " is not ready"
				trouble.node = server.Node
			}
		default:
			trouble.lesser = append(trouble.lesser, "its replica "+said)
		}
		trouble.lesser = append(trouble.lesser, server.persistence()...)
	}
	if _, unread := v.unanswered(AskPods); !master && !unread {
		trouble.master = "its master has no pod"
		if workload.Desired == 0 {
			trouble.master = fmt.Sprintf("its master has no pod, and StatefulSet %s is scaled to none", redis.Master)
		}
	}
	return trouble
}

func (r Redis) trouble() string {
	switch {
	case !r.Answers:
		return fmt.Sprintf("%s does not answer: %s", r.Pod, r.Said)
	case r.Loading:
		return fmt.Sprintf("%s is still loading its data", r.Pod)
	default:
		return ""
	}
}

// persistence is what a server says went wrong with its files.
func (r Redis) persistence() []string {
	var said []string
	if r.RDB != "" && r.RDB != "ok" {
		said = append(said, fmt.Sprintf("%s could not save its snapshot", r.Pod))
	}
	if r.AOF == "err" {
		said = append(said, fmt.Sprintf("%s could not write its append-only file", r.Pod))
	}
	return said
}

// serviceTrouble is what is wrong with one service of the plan.
type serviceTrouble struct {
	// own is what is wrong with its own pods or its rollout: nothing else explains it.
	own []string
	// down is why users do without it; empty: they do not.
	down []string
	// missing is what it has less of than it should.
	missing string
	// byNode names a node that does not answer and explains it: its pods come up elsewhere by themselves.
	byNode string
}

func (t serviceTrouble) any() bool { return len(t.own) > 0 || len(t.down) > 0 || t.missing != "" }

// said is the first reason that explains most.
func (t serviceTrouble) said() string {
	reasons := slices.Concat(t.own, t.down)
	if len(reasons) == 0 {
		return t.missing
	}
	return strings.Join(reasons, "; ")
}

func (v view) serviceTrouble(service plan.Service) serviceTrouble {
	var trouble serviceTrouble
	for _, endpoint := range v.Endpoints {
		if endpoint.Service == service.Name && !endpoint.OK {
			trouble.down = append(trouble.down, fmt.Sprintf("%s %s", endpoint.Path, endpoint.Said))
		}
	}
	kind, name := service.Workload()
	workload, found := v.workload(kind, name)
	if _, unread := v.unanswered(AskWorkloads); unread {
		return trouble
	}
	if !found {
		trouble.down = append(trouble.down, fmt.Sprintf("there is no %s %s", kind, name))
		return trouble
	}
	trouble.own = v.ownTrouble(workload)
	switch {
	case workload.Desired == 0:
		trouble.down = append(trouble.down, "it is scaled to no pods at all")
	case workload.Ready == 0:
		trouble.down = append(trouble.down, fmt.Sprintf("none of its %d pods is ready", workload.Desired))
	case workload.Ready < workload.Desired:
		trouble.missing = fmt.Sprintf("%d of its %d pods are ready", workload.Ready, workload.Desired)
	}
	if kind == plan.Deployment {
		trouble.byNode = v.nodeBehind(service, workload)
	}
	return trouble
}

// ownTrouble is what its pods or its rollout cannot come out of.
func (v view) ownTrouble(workload Workload) []string {
	var own []string
	seen := map[string]bool{}
	for _, pod := range v.Pods {
		if pod.Workload != workload.Name || seen[pod.Trouble] || !pod.stubborn() && !v.stuckRollout(workload, pod) {
			continue
		}
		seen[pod.Trouble] = true
		own = append(own, fmt.Sprintf("%s: %s (%s)", pod.Name, pod.Trouble, pod.Said))
	}
	switch {
	case workload.Stalled != "":
		own = append(own, "its rollout does not go on: "+workload.Stalled)
	case len(own) > 0 && workload.Rolling:
		own = append(own, fmt.Sprintf("its rollout has reached %d of %d pods", workload.Updated, workload.Desired))
	}
	return own
}

// settling is how long a pod of a new revision may need until it is ready.
const settling = 30 * time.Second

// stuckRollout says that a pod of a rollout does not get ready, which nothing else explains.
func (v view) stuckRollout(workload Workload, pod Pod) bool {
	return workload.Rolling && pod.Trouble == NotReady && !pod.Ready && !v.lost()[pod.Node] && !pod.Since.IsZero() && v.At.Sub(pod.Since) > settling
}

// stubborn says that Kubernetes does not mend the pod by itself.
func (p Pod) stubborn() bool {
	return slices.Contains([]string{CrashLoop, MissingImage, BadConfig, Unschedulable, OutOfMemory}, p.Trouble) && !p.Ready
}

// nodeBehind is a node that does not answer and explains why a service is not whole; empty when there is none. Where all of its endpoints
// fail, all of its pods must be on such nodes.
func (v view) nodeBehind(service plan.Service, workload Workload) string {
	behind, carried := "", 0
	for _, node := range v.Nodes {
		if n := node.Carries[workload.Name]; n > 0 && node.Away() {
			carried += n
			behind = node.Name
		}
	}
	if !v.answers(service.Name) && carried < workload.Desired {
		return ""
	}
	return behind
}

// answers says that at least one of a service's endpoints is well.
func (v view) answers(service string) bool {
	return slices.ContainsFunc(v.Endpoints, func(e Endpoint) bool { return e.Service == service && e.OK })
}

func (v view) mute(name string) bool {
	node, _ := v.node(name)
	return node.Mute
}

// count is a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%d %s", n, many)
}
