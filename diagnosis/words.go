package diagnosis

import (
	"fmt"
	"strings"
)

// mostCauses is how many causes a paragraph names. The findings have them all.
const mostCauses = 6

// paragraph says in one breath what is broken, what that looks like, and what would start the answer.
func (j *judgement) paragraph(c Conclusion) string {
	var said []string
	for _, cause := range c.Causes[:min(len(c.Causes), mostCauses)] {
		said = append(said, cause.Subject+": "+lower(cause.Said))
	}
	if more := len(c.Causes) - mostCauses; more > 0 {
		said = append(said, count(more, "one more", "more")+" below")
	}
	text := title(c.State) + ": " + strings.Join(said, "; ") + "."
	if len(j.follows) > 0 {
		verb := "is down with what it needs"
		if len(j.follows) > 1 {
			verb = "are down with what they need"
		}
		text += fmt.Sprintf(" %s %s.", strings.Join(j.follows, ", "), verb)
	}
	text += j.looksLike(c.Scenario)
	switch {
	case c.Command != "":
		text += " Start the answer with: " + strings.Join(append([]string{c.Command}, c.Then...), ", then: ") + "."
	case j.advice == "" && (j.node || j.pod):
		text += " No run is needed while Kubernetes mends it; look again in a minute."
	case j.advice == "":
		text += " No run mends that: a person has to look."
	}
	if j.advice != "" {
		text += " " + j.advice
	}
	return text
}

// looksLike names the row of the matrix, with its recovery time.
func (j *judgement) looksLike(scenario string) string {
	row, found := j.plan.Scenario(scenario)
	switch {
	case scenario == "":
		return " That is no row of the scenario matrix."
	case !found:
		return fmt.Sprintf(" The scenario matrix has no row for that; its runbook is %s.", scenario)
	case row.Automatic:
		return fmt.Sprintf(" That looks like %s (%s), which the platform answers by itself; look again before a run is started.", row.Title.In("en"), row.Name)
	default:
		return fmt.Sprintf(" That looks like %s (%s, to be answered within %s).", row.Title.In("en"), row.Name, row.RTO)
	}
}

func (j *judgement) wellParagraph() string {
	replicas := 0
	for _, database := range j.Databases {
		replicas += max(0, len(database.Instances)-1)
	}
	parts := []string{
		count(len(j.Nodes), "one node", "nodes"), count(j.Counted.Pods, "one pod", "pods"), count(len(j.Workloads), "one workload", "workloads"),
		count(len(j.Endpoints), "one health endpoint", "health endpoints"), count(len(j.Databases), "one database", "databases") + " with " + count(replicas, "one replica", "replicas"),
		count(len(j.Redis), "one Redis server", "Redis servers"), count(len(j.Dependencies), "one dependency", "dependencies"),
	}
	return "Healthy: everything that was asked is well: " + strings.Join(parts, ", ") + ". No run is needed."
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// lower lets a sentence go on inside another; names in capitals stay.
func lower(text string) string {
	if len(text) > 1 && text[1] >= 'a' && text[1] <= 'z' {
		return strings.ToLower(text[:1]) + text[1:]
	}
	return text
}
