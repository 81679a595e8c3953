package diagnosis

import (
	"fmt"
	"slices"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// The rows of the scenario matrix that a diagnosis looks for by name. A plan without such a row is answered with the runbook's name.
const (
	PodFailure    = "pod-failure"
	NodeFailure   = "node-failure"
	ZoneFailure   = "zone-failure"
	RegionFailure = "region-failure"
)

// The runbooks that a conclusion may name.
const (
	databaseFailover = "database-failover"
	redisRecovery    = "redis-recovery"
	serviceRecovery  = "service-recovery"
	fullOutage       = "full-outage"
	nodeRecovery     = "node-recovery"
)

// Judge says what a diagnosis means: what is broken, what everything else follows from, which row of the plan's matrix that looks like,
// and which command would start the answer. It never says more than was seen: what could not be read is no proof that it is well.
func Judge(p plan.Plan, d Diagnosis) Conclusion {
	j := judgement{view: view{plan: p, Diagnosis: d}}
	switch silent := j.clusterSilent(); {
	case silent != "":
		j.judgeSilentCluster(silent)
	case j.nothingThere():
		j.cause(AreaCluster, d.Namespace, "the namespace is empty")
		j.state = StateBroken
		j.advice = "Either the plan names the wrong namespace, or everything in it was deleted: no run is proposed for what is not there."
	default:
		j.judgeParts()
	}
	return j.conclude()
}

// judgement is what is thought so far.
type judgement struct {
	view
	state    string
	causes   []Cause
	follows  []string // services that are down with something they need
	remedies []Remedy
	node     bool   // a lost node explains at least a part of it
	pod      bool   // a lost pod does
	scenario string // when it is certain
	advice   string // what to do when no command does it
}

func (j *judgement) cause(area, subject, said string) {
	j.causes = append(j.causes, Cause{Area: area, Subject: subject, Said: said})
}

// needs adds a remedy.
func (j *judgement) needs(area, target, runbook string, urgent bool) {
	j.remedies = append(j.remedies, Remedy{Area: area, Target: target, Runbook: runbook, Urgent: urgent})
}

// judgeSilentCluster judges a region of which only the endpoints can be seen.
func (j *judgement) judgeSilentCluster(said string) {
	j.state = StateUnknown
	j.cause(AreaCluster, j.Region, "the Kubernetes API server does not answer: "+said)
	j.advice = "The health endpoints answer all the same, so users are served. Nothing can be changed before the API server answers."
	answering := slices.ContainsFunc(j.Endpoints, func(e Endpoint) bool { return e.OK })
	for _, service := range j.servicesHere() {
		if trouble := j.serviceTrouble(service); len(trouble.down) > 0 {
			j.state = StateBroken
			j.cause(AreaEndpoint, service.Name, trouble.said())
			j.advice = "No run can change anything before the API server answers: bring it back first, then diagnose again."
		}
	}
	if !answering && len(j.Endpoints) > 0 {
		j.scenario = j.row(RegionFailure, "")
		j.advice = "Nothing of the region answers. No run can change anything in it before its API server does."
	}
}

func (j *judgement) judgeParts() {
	j.judgeNodes()
	broken := map[string]bool{} // parts that others may need
	for _, database := range j.Databases {
		if j.judgeDatabase(database) {
			broken[database.Name] = true
		}
	}
	for _, redis := range j.redisHere() {
		if j.judgeRedis(redis) {
			broken[redis.Name] = true
		}
	}
	services := j.servicesHere()
	slices.SortStableFunc(services, func(a, b plan.Service) int { return a.Tier - b.Tier })
	for _, service := range services {
		if j.judgeService(service, broken) {
			broken[service.Name] = true
		}
	}
	j.judgeRest()
}

// judgeNodes looks at the machines. What a lost one takes with it is judged with the parts.
func (j *judgement) judgeNodes() {
	zone, lost := j.deadZone(), 0
	for _, node := range j.Nodes {
		if !node.Ready {
			lost++
			j.worse(StateDegraded)
			j.cause(AreaNode, node.Name, fmt.Sprintf("is not ready (zone %s)", node.Zone))
		}
		if node.Ready && node.Mute {
			j.worse(StateDegraded)
			j.cause(AreaNode, node.Name, fmt.Sprintf("its kubelet does not answer, though Kubernetes takes it to be ready (zone %s)", node.Zone))
			j.node = true
		}
		for _, pressure := range node.Pressure {
			j.worse(StateDegraded)
			j.cause(AreaNode, node.Name, "has "+pressure)
			j.advise(fmt.Sprintf("Make room on node %s: no run does that, and until then Kubernetes evicts its pods.", node.Name))
		}
	}
	switch {
	case lost > 0 && lost == len(j.Nodes):
		j.state, j.scenario = StateBroken, j.row(RegionFailure, "")
		j.advise("No machine of the region is left: nothing can be started anywhere in it.")
	case zone != "":
		j.worse(StateBroken)
		j.scenario = j.row(ZoneFailure, nodeRecovery)
	case lost > 0:
		j.node = true
	}
}

func (j *judgement) judgeDatabase(database Database) (down bool) {
	trouble := j.databaseTrouble(database)
	for _, said := range trouble.lesser {
		j.worse(StateDegraded)
		j.cause(AreaDatabase, database.Name, said)
	}
	j.node, j.pod = j.node || trouble.node != "", j.pod || trouble.pod
	if trouble.primary == "" {
		return false
	}
	j.worse(StateBroken)
	j.cause(AreaDatabase, database.Name, trouble.primary)
	j.needs(AreaDatabase, database.Name, databaseFailover, true)
	return true
}

func (j *judgement) judgeRedis(redis plan.Redis) (down bool) {
	trouble := j.redisTrouble(redis.Name)
	for _, said := range trouble.lesser {
		j.worse(StateDegraded)
		j.cause(AreaRedis, redis.Name, said)
	}
	if trouble.master == "" {
		return false
	}
	j.worse(StateBroken)
	j.cause(AreaRedis, redis.Name, trouble.master)
	j.node, j.pod = j.node || trouble.node != "", j.pod || trouble.pod
	j.needs(AreaRedis, redis.Name, redisRecovery, true)
	return true
}

// judgeService tells a service that is sick from one that only misses what it needs.
func (j *judgement) judgeService(service plan.Service, broken map[string]bool) (down bool) {
	trouble := j.serviceTrouble(service)
	if !trouble.any() {
		return false
	}
	down = len(trouble.down) > 0
	switch need := firstOf(service.Needs, broken); {
	case len(trouble.own) > 0:
	case down && need != "":
		j.worse(StateBroken)
		j.follows = append(j.follows, service.Name)
		return true
	case trouble.byNode != "":
		j.impaired(down)
		j.cause(AreaWorkload, service.Name, trouble.said()+"; it has pods on "+trouble.byNode)
		j.node = true
		return down
	case !down: // Kubernetes brings the missing pods back
		j.worse(StateDegraded)
		j.cause(AreaWorkload, service.Name, trouble.missing)
		j.pod = true
		return false
	}
	j.impaired(down)
	j.cause(AreaWorkload, service.Name, trouble.said())
	j.needs(AreaWorkload, service.Name, serviceRecovery, down)
	return down
}

func firstOf(needs []string, broken map[string]bool) string {
	for _, need := range needs {
		if broken[need] {
			return need
		}
	}
	return ""
}

// judgeStubborn looks at the pods of databases, of Redis and of what the plan does not know, for which Kubernetes tries the same in vain
// again and again. Those of services are judged with them.
func (j *judgement) judgeStubborn() {
	seen := map[string]bool{}
	for _, service := range j.plan.Services {
		_, name := service.Workload()
		seen[name] = true
	}
	for _, pod := range j.Pods {
		if !pod.stubborn() || seen[pod.Workload] {
			continue
		}
		seen[pod.Workload] = true
		j.worse(StateDegraded)
		j.cause(AreaPod, pod.Name, fmt.Sprintf("%s (%s)", pod.Trouble, pod.Said))
		j.advise(fmt.Sprintf("Kubernetes alone does not bring %s back: somebody has to change what it is started with.", pod.Name))
		j.pod = false
	}
}

// judgeRest looks at what no run mends.
func (j *judgement) judgeRest() {
	j.judgeStubborn()
	for _, dependency := range j.Dependencies {
		if !dependency.OK {
			j.worse(StateBroken)
			j.cause(AreaDependency, dependency.Name, dependency.Way+" "+dependency.Said)
			j.advise(fmt.Sprintf("%s is outside of the estate: no run mends it, its provider does.", dependency.Name))
		}
	}
	for _, log := range j.Logs {
		if log.DiskFull > 0 {
			j.worse(StateDegraded)
			j.cause(AreaLog, log.Pod, "says that no space is left on its disk")
			j.advise(fmt.Sprintf("Make room on the disk of %s: a run restarts and moves pods, it frees no disk.", log.Pod))
		}
	}
	if len(j.Unanswered) > 0 {
		j.worse(StateDegraded)
		j.cause(AreaProbe, j.Unanswered[0].Asked, fmt.Sprintf("%s; %s in all", j.Unanswered[0].why(), count(len(j.Unanswered), "one question without an answer", "questions without an answer")))
	}
	// Whatever is found and not explained by a part is still not health.
	for _, finding := range Find(j.plan, j.Diagnosis) {
		if finding.Severity != Note && len(j.causes) == 0 {
			j.worse(StateDegraded)
			j.cause(finding.Area, finding.Subject, finding.Said)
			j.pod = j.pod || finding.Area == AreaPod
		}
	}
}

// worse lets the state sink, never rise.
func (j *judgement) worse(state string) {
	if j.state != StateBroken {
		j.state = state
	}
}

// impaired lets the state sink as far as a part that users do without, or only have less of.
func (j *judgement) impaired(down bool) {
	if down {
		j.worse(StateBroken)
	}
	j.worse(StateDegraded)
}

// advise keeps the first advice.
func (j *judgement) advise(text string) {
	if j.advice == "" {
		j.advice = text
	}
}

// row is the name of a row of the matrix; where the plan has no such row, the row that names the runbook, else the runbook itself.
func (j *judgement) row(name, runbook string) string {
	if _, found := j.plan.Scenario(name); found {
		return name
	}
	for _, row := range j.plan.Scenarios {
		if runbook != "" && row.Runbook == runbook {
			return row.Name
		}
	}
	return runbook
}

func (j *judgement) conclude() Conclusion {
	conclusion := Conclusion{State: j.state, Causes: j.causes, Follows: j.follows, Remedies: j.remedies}
	if j.state == "" {
		conclusion.State = StateHealthy
		conclusion.Paragraph = j.wellParagraph()
		return conclusion
	}
	commands := j.commands()
	if len(commands) > 0 {
		conclusion.Command, conclusion.Then = commands[0], commands[1:]
	}
	conclusion.Scenario = j.scenarioOf()
	conclusion.Paragraph = j.paragraph(conclusion)
	return conclusion
}

// commands are the runs to start, in their order. More than one sick part is a full outage, as soon as users do without one of them.
func (j *judgement) commands() []string {
	if len(j.Nodes) > 0 && len(j.lost()) == len(j.Nodes) {
		return nil
	}
	var commands []string
	if j.isFullOutage() {
		commands = append(commands, commandOf(fullOutage, ""))
	} else {
		for _, remedy := range j.remedies {
			commands = append(commands, commandOf(remedy.Runbook, remedy.Target))
		}
	}
	return append(commands, j.commandsForNodes()...)
}

// commandsForNodes see that what ran on lost nodes runs again: a run for each node, or one for all of a zone that has lost more than one.
func (j *judgement) commandsForNodes() []string {
	lost := map[string]int{}
	for _, node := range j.Nodes {
		if !node.Ready {
			lost[node.Zone]++
		}
	}
	var commands []string
	for _, node := range j.Nodes { // in their order, so that the answer is always the same
		flag := " --node " + node.Name
		if node.Zone != "" && lost[node.Zone] > 1 {
			flag = " --zone " + node.Zone
		}
		if command := start(nodeRecovery, flag); !node.Ready && !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return commands
}

// isFullOutage says that more than one part is sick, and users do without one of them.
func (j *judgement) isFullOutage() bool {
	return len(j.remedies) > 1 && slices.ContainsFunc(j.remedies, func(r Remedy) bool { return r.Urgent })
}

// commandOf starts the runbook of a sick part.
func commandOf(runbook, target string) string {
	return start(runbook, map[string]string{databaseFailover: " --database " + target, redisRecovery: " --redis " + target, serviceRecovery: " --service " + target}[runbook])
}

// start is a command. Whoever pastes it into a shell is who asks for it.
func start(runbook, flag string) string { return "fukkyu run " + runbook + flag + " --by $USER" }

func (j *judgement) scenarioOf() string {
	switch {
	case j.scenario != "":
		return j.scenario
	case j.isFullOutage():
		return j.rowOf(fullOutage)
	case len(j.remedies) > 0 && j.remedies[0].Runbook == serviceRecovery:
		return j.rowOf(serviceRecovery)
	case j.node:
		return j.row(NodeFailure, databaseFailover)
	case j.pod:
		return j.row(PodFailure, "")
	case len(j.remedies) > 0:
		return j.rowOf(j.remedies[0].Runbook)
	default:
		return ""
	}
}

// rowOf is the row of the matrix that a runbook answers and that no other sign speaks against, else the runbook's own name.
func (j *judgement) rowOf(runbook string) string {
	for _, row := range j.plan.Scenarios {
		if row.Runbook == runbook && row.Name != NodeFailure && row.Name != PodFailure {
			return row.Name
		}
	}
	return runbook
}
