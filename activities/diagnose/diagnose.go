// Package diagnose collects the facts of a diagnosis: it asks everything that the plan names how it is, all at the same time, and
// changes nothing of the estate.
//
// Whatever does not answer in time is left behind and is itself a fact. What the facts mean is said by package diagnosis.
package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// How long a diagnosis waits. The longest chain is a list, what is asked of those on it, and the bundle: less than 10 s together.
const (
	probeTimeout = 2 * time.Second // what needs longer is not well
	listTimeout  = 3 * time.Second // lists of a large namespace take longer than one answer
	wholeTimeout = 8 * time.Second // all of them, the bundle apart
)

// Activities ask an estate.
type Activities struct {
	clusters    kubernetes.Clusters
	credentials postgres.Credentials
	site        plan.Site
}

// New returns activities that find everything through the site.
func New(clusters kubernetes.Clusters, credentials postgres.Credentials, site plan.Site) *Activities {
	return &Activities{clusters: clusters, credentials: credentials, site: site}
}

// Params say what is looked at.
type Params struct {
	Plan   plan.Plan `json:"plan"`
	Region string    `json:"region"`
	ID     string    `json:"id,omitempty"` // names the bundle: the name of one folder
	// Glance asks only what says whether something is well, and not what would explain it: no logs, events or usage. It leaves no bundle.
	Glance bool `json:"glance,omitempty"`
}

// Diagnose asks everything of a region and returns what it saw and what that means, without the logs, within 10 s. It writes a bundle
// of diagnosis.json, diagnosis.md and logs.tar.gz into the evidence store; called again with the same ID it writes it anew. A glance writes
// none. It changes nothing else. Errors: NotFound for a region that the site does not have, Unexpected for an ID that is no folder's name.
func (a *Activities) Diagnose(ctx context.Context, params Params) (diagnosis.Diagnosis, error) {
	cluster, err := a.clusters.Cluster(params.Region)
	if err != nil {
		return diagnosis.Diagnosis{}, err
	}
	if !params.Glance && !namesFolder(params.ID) {
		return diagnosis.Diagnosis{}, failure.Permanent(failure.Unexpected, "%q is no name for a bundle: it must be the name of one folder", params.ID)
	}
	look := &look{
		activities: a, client: cluster.Client, plan: params.Plan, region: params.Region, glance: params.Glance,
		Diagnosis: diagnosis.Diagnosis{ID: params.ID, Plan: params.Plan.Name, Region: params.Region, Namespace: params.Plan.Namespace, At: time.Now().UTC()},
	}
	look.everywhere(ctx)
	look.conclude()
	if !params.Glance {
		look.keep(ctx, filepath.Join(a.site.Evidence, params.ID))
	}
	return look.Diagnosis, nil
}

func namesFolder(id string) bool {
	return id != "" && id != "." && filepath.IsLocal(id) && filepath.Base(id) == id
}

// everywhere asks everything at the same time. Each of the askers has fields of the diagnosis of its own.
func (l *look) everywhere(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	together(
		func() { l.askCluster(ctx) },
		l.unlessGlancing(func() { l.askUsage(ctx) }),
		func() { l.askEndpoints(ctx) },
		func() { l.askDatabases(ctx) },
		func() { l.askDependencies(ctx) },
	)
	l.Took = time.Since(l.At)
}

// unlessGlancing is a task that explains what others see: a glance has no use for it.
func (l *look) unlessGlancing(task func()) func() {
	if l.glance {
		return func() {}
	}
	return task
}

// together runs functions at the same time and returns when all have returned.
func together(tasks ...func()) {
	var group sync.WaitGroup
	for _, task := range tasks {
		group.Go(task)
	}
	group.Wait()
}

// What a diagnosis keeps at most, so that it stays far below the 2 MB that Temporal takes.
const (
	mostPods     = 200
	mostEvents   = 50
	mostUsed     = 200
	mostFindings = 300
	mostListed   = 500 // nodes, workloads, endpoints, logs
)

// conclude bounds what was seen, and says what it means.
func (l *look) conclude() {
	slices.SortFunc(l.Unanswered, func(a, b diagnosis.Probe) int { return cmp.Compare(a.Asked, b.Asked) })
	l.Nodes, l.Workloads = most(l, "nodes", l.Nodes, mostListed), most(l, "workloads", l.Workloads, mostListed)
	l.Endpoints, l.Logs = most(l, "health endpoints", l.Endpoints, mostListed), most(l, "logs", l.Logs, mostListed)
	l.Pods, l.Events = most(l, "pods", l.Pods, mostPods), most(l, "events", l.Events, mostEvents)
	l.Usage.Nodes, l.Usage.Pods = most(l, "measured nodes", l.Usage.Nodes, mostUsed), most(l, "measured pods", l.Usage.Pods, mostUsed)
	l.Unanswered = most(l, "probes without an answer", l.Unanswered, mostPods)
	l.judge()
}

func (l *look) judge() {
	l.Conclusion = diagnosis.Judge(l.plan, l.Diagnosis)
	l.Findings = diagnosis.Find(l.plan, l.Diagnosis)
	l.Findings = most(l, "findings", l.Findings, mostFindings)
}

// most keeps the first of a list, and says how many it left out.
func most[T any](l *look, what string, list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	l.LeftOut = append(l.LeftOut, fmt.Sprintf("%d %s", len(list)-n, what))
	return list[:n]
}
