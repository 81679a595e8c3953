package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
)

// primaryEvidence is what the estate knows of the primary, each witness apart.
type primaryEvidence struct {
	Instance kubernetes.Instance
	FromHere postgres.ProbeServerResult
	FromPod  kubernetes.ProbeFromPodResult
	Power    power.ReadPowerResult
	Before   []postgres.Server // the replicas before the probes …
	After    []postgres.Server // … and after them: what they heard in between is a sign of life
	Gathered time.Time
	Impact   time.Time // as somebody told, or zero
}

// heartbeatSlack is the longest that a machine may have lived on after its last heartbeat to Kubernetes: the interval at
// which kubelets renew their lease by default.
const heartbeatSlack = 10 * time.Second

// answers lists the witnesses who still hear the primary. Silence of one witness proves nothing; an answer to one is enough.
func (e primaryEvidence) answers() []string {
	var witnesses []string
	if e.FromHere.SQL {
		witnesses = append(witnesses, "it answers SQL from the worker")
	} else if e.FromHere.TCP {
		witnesses = append(witnesses, "its port accepts connections from the worker ("+e.FromHere.Said+")")
	}
	if e.FromPod.Answered {
		witnesses = append(witnesses, e.FromPod.Said)
	}
	for _, after := range e.After {
		if heardBetween(e.Before, after) {
			witnesses = append(witnesses, fmt.Sprintf("replica %s still hears it", after.Pod))
		}
	}
	return witnesses
}

func heardBetween(before []postgres.Server, after postgres.Server) bool {
	for _, earlier := range before {
		if earlier.Pod == after.Pod {
			return !earlier.LastHeard.IsZero() && after.LastHeard.After(earlier.LastHeard)
		}
	}
	return false
}

// died is the latest moment at which the primary can have acknowledged a write.
func (e primaryEvidence) died() time.Time {
	switch {
	case !e.Impact.IsZero():
		return e.Impact
	case !e.machineGone() || e.Instance.NodeHeartbeat.IsZero():
		return e.Gathered
	case e.Instance.NodeHeartbeat.Add(heartbeatSlack).Before(e.lastSign()):
		return e.Gathered // a replica heard it later than that: the clock of its machine is behind
	default:
		return earlier(e.Gathered, e.Instance.NodeHeartbeat.Add(heartbeatSlack))
	}
}

func (e primaryEvidence) machineGone() bool {
	return !e.Instance.NodeReady || e.Power.State == power.Off
}

// lastSign is the last moment at which any replica heard the primary, zero when none remembers.
func (e primaryEvidence) lastSign() time.Time {
	var last time.Time
	for _, server := range e.After {
		if heard := server.HeardAt(); heard.After(last) {
			last = heard
		}
	}
	return last
}

// knowledge is what chooseReplica must know of the primary.
func (e primaryEvidence) knowledge() primaryKnowledge {
	known := primaryKnowledge{Died: e.died()}
	for _, server := range append(e.Before, e.After...) {
		known.End = max(known.End, server.PrimaryEnd)
	}
	return known
}

// String is the evidence in a sentence.
func (e primaryEvidence) String() string {
	said := []string{
		"from the worker: " + e.FromHere.Said,
		"from a pod elsewhere: " + e.FromPod.Said,
		fmt.Sprintf("pod %s is %s on node %s, which is %s", e.Instance.Pod, orNone(e.Instance.Phase), orNone(e.Instance.Node), readiness(e.Instance.NodeReady)),
		"power: " + e.Power.Said,
	}
	if last := e.lastSign(); !last.IsZero() {
		said = append(said, "replicas last heard it at "+last.UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(said, "; ")
}

func readiness(ready bool) string {
	if ready {
		return "Ready"
	}
	return "not Ready"
}

func orNone(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
