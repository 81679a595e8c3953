package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Find lists what is not as it should be, the gravest first.
func Find(p plan.Plan, d Diagnosis) []Finding {
	v := view{plan: p, Diagnosis: d}
	found := slices.Concat(v.findCluster(), v.findNodes(), v.findDatabases(), v.findRedis(), v.findServices(), v.findPods(), v.findWorkloads(),
		v.findDependencies(), v.findLogs(), v.findUnanswered(), v.findEvents())
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) })
	return found
}

func weight(severity string) int {
	return slices.Index([]string{Broken, Degraded, Note}, severity)
}

func (v view) findCluster() []Finding {
	if said := v.clusterSilent(); said != "" {
		return []Finding{{Area: AreaCluster, Subject: v.Region, Severity: Broken, Said: "the Kubernetes API server does not answer: " + said}}
	}
	if v.nothingThere() {
		return []Finding{{Area: AreaCluster, Subject: v.Namespace, Severity: Broken, Said: "the namespace has no pod and no workload; is it the right one?"}}
	}
	return nil
}

func (v view) findNodes() []Finding {
	var found []Finding
	zone := v.deadZone()
	for _, node := range v.Nodes {
		add := func(severity, format string, args ...any) {
			found = append(found, Finding{Area: AreaNode, Subject: node.Name, Severity: severity, Said: fmt.Sprintf(format, args...), Since: node.Since})
		}
		switch {
		case !node.Ready && node.Zone == zone && zone != "":
			add(Broken, "not ready, as is every node of zone %s: %s", zone, node.Said)
		case !node.Ready:
			add(Degraded, "not ready, zone %s: %s", node.Zone, node.Said)
		case node.Mute:
			add(Degraded, "its kubelet does not answer, though Kubernetes takes it to be ready, zone %s", node.Zone)
		case node.Silent:
			add(Note, "its kubelet has not been heard since %s", node.Heard.UTC().Format("15:04:05"))
		}
		for _, pressure := range node.Pressure {
			add(Degraded, "%s: it takes no new pods, and evicts those that it has", pressure)
		}
		if node.Unschedulable {
			add(Note, "cordoned: it takes no new pods")
		}
	}
	return found
}

func (v view) findDatabases() []Finding {
	var found []Finding
	for _, database := range v.Databases {
		trouble := v.databaseTrouble(database)
		if trouble.primary != "" {
			found = append(found, Finding{Area: AreaDatabase, Subject: database.Name, Severity: Broken, Said: trouble.primary})
		}
		for _, said := range trouble.lesser {
			found = append(found, Finding{Area: AreaDatabase, Subject: database.Name, Severity: Degraded, Said: said})
		}
	}
	return found
}

func (v view) findRedis() []Finding {
	var found []Finding
	for _, redis := range v.redisHere() {
		trouble := v.redisTrouble(redis.Name)
		if trouble.master != "" {
			found = append(found, Finding{Area: AreaRedis, Subject: redis.Name, Severity: Broken, Said: trouble.master})
		}
		for _, said := range trouble.lesser {
			found = append(found, Finding{Area: AreaRedis, Subject: redis.Name, Severity: Degraded, Said: said})
		}
	}
	return found
}

func (v view) findServices() []Finding {
	var found []Finding
	for _, service := range v.servicesHere() {
		trouble := v.serviceTrouble(service)
		if !trouble.any() {
			continue
		}
		severity := Degraded
		if len(trouble.down) > 0 {
			severity = Broken
		}
		found = append(found, Finding{Area: AreaEndpoint, Subject: service.Name, Severity: severity, Said: trouble.said()})
	}
	return found
}

func (v view) findPods() []Finding {
	var found []Finding
	for _, pod := range v.Pods {
		severity := Degraded
		if pod.Ready || pod.Trouble == Failed { // a pod that failed has been replaced, or its workload says so
			severity = Note
		}
		said := fmt.Sprintf("%s on %s: %s", pod.Trouble, cmp.Or(pod.Node, "no node"), pod.Said)
		found = append(found, Finding{Area: AreaPod, Subject: pod.Name, Severity: severity, Said: said, Since: pod.Since})
	}
	return found
}

// findWorkloads tells of those that no service of the plan is.
func (v view) findWorkloads() []Finding {
	known := map[string]bool{}
	for _, service := range v.plan.Services {
		_, name := service.Workload()
		known[name] = true
	}
	var found []Finding
	for _, workload := range v.Workloads {
		add := func(severity, said string) {
			found = append(found, Finding{Area: AreaWorkload, Subject: workload.Name, Severity: severity, Said: said})
		}
		switch {
		case workload.Paused:
			add(Note, "its rollout is paused")
		case workload.Rolling:
			add(Note, fmt.Sprintf("it is rolling out: %d of %d pods are of the new revision", workload.Updated, workload.Desired))
		}
		if workload.Ready < workload.Desired && !known[workload.Name] {
			add(Degraded, fmt.Sprintf("%d of its %d pods are ready", workload.Ready, workload.Desired))
		}
	}
	return found
}

func (v view) findDependencies() []Finding {
	var found []Finding
	for _, dependency := range v.Dependencies {
		if !dependency.OK {
			found = append(found, Finding{Area: AreaDependency, Subject: dependency.Name, Severity: Broken, Said: dependency.Way + ": " + dependency.Said})
		}
	}
	return found
}

func (v view) findLogs() []Finding {
	var found []Finding
	for _, log := range v.Logs {
		if log.DiskFull > 0 {
			found = append(found, Finding{Area: AreaLog, Subject: log.Pod, Severity: Degraded, Said: count(log.DiskFull, "one line of the last half hour says", "lines of the last half hour say") + " that no space is left"})
		}
		if log.Errors > 0 {
			found = append(found, Finding{Area: AreaLog, Subject: log.Pod, Severity: Note, Said: count(log.Errors, "one line of the last half hour speaks of errors: ", "lines of the last half hour speak of errors, the last: ") + log.Last})
		}
	}
	return found
}

func (v view) findUnanswered() []Finding {
	var found []Finding
	for _, probe := range v.Unanswered {
		found = append(found, Finding{Area: AreaProbe, Subject: probe.Asked, Severity: Degraded, Said: probe.why()})
	}
	return found
}

// why is why a probe was not answered.
func (p Probe) why() string {
	if p.Needs == "" {
		return p.Said
	}
	return "the worker may not " + p.Needs + "; see the Roles in deployments/kubernetes"
}

// mostEventsFound is how many kinds of events become findings. All events are in the bundle.
const mostEventsFound = 10

// findEvents tells of each kind of warning once, by the latest of them.
func (v view) findEvents() []Finding {
	objects, at := map[string]int{}, map[string]int{}
	var found []Finding
	for _, event := range v.Events {
		objects[event.Reason]++
		if objects[event.Reason] == 1 && len(found) < mostEventsFound {
			at[event.Reason] = len(found)
			said := fmt.Sprintf("%s, %s: %s", event.Reason, count(event.Count, "once", "times"), strings.TrimSpace(event.Said))
			found = append(found, Finding{Area: AreaEvent, Subject: event.Object, Severity: Note, Said: said, Since: event.Last})
		}
	}
	for reason, i := range at {
		if others := objects[reason] - 1; others > 0 {
			found[i].Said += fmt.Sprintf(" (and of %s)", count(others, "one other", "others"))
		}
	}
	return found
}

// servicesHere are the plan's services in the region.
func (v view) servicesHere() []plan.Service {
	return slices.DeleteFunc(slices.Clone(v.plan.Services), func(s plan.Service) bool { return s.Region != v.Region })
}

func (v view) redisHere() []plan.Redis {
	return slices.DeleteFunc(slices.Clone(v.plan.Redis), func(r plan.Redis) bool { return r.Region != v.Region })
}
