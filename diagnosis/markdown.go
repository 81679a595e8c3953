package diagnosis

import (
	"fmt"
	"strings"
	"time"
)

// Markdown is the diagnosis as a page to read, for a ticket or an archive.
func (d Diagnosis) Markdown() string {
	var page strings.Builder
	fmt.Fprintf(&page, "# Diagnosis of %s, %s\n\n%s\n\n", d.Region, d.At.UTC().Format(time.RFC3339), cell(d.Conclusion.Paragraph))
	fmt.Fprintf(&page, "Plan %s, namespace %s, looked at within %s.\n\n", d.Plan, d.Namespace, shown(d.Took))
	var rows [][]string
	for _, f := range d.Findings {
		rows = append(rows, []string{f.Severity, f.Area, f.Subject, f.Said, moment(f.Since)})
	}
	table(&page, "Findings", []string{"severity", "area", "subject", "what", "since"}, rows)
	d.tables(&page)
	if len(d.LeftOut) > 0 {
		fmt.Fprintf(&page, "Left out: %s.\n", cell(strings.Join(d.LeftOut, ", ")))
	}
	return page.String()
}

func (d Diagnosis) tables(page *strings.Builder) {
	var nodes, workloads, endpoints, servers, redis, dependencies, logs [][]string
	for _, n := range d.Nodes {
		nodes = append(nodes, []string{n.Name, n.Zone, yes(n.Ready), strings.Join(n.Pressure, ", "), n.Said, used(d.Usage.Nodes, n.Name)})
	}
	for _, w := range d.Workloads {
		workloads = append(workloads, []string{w.Kind, w.Name, fmt.Sprintf("%d/%d", w.Ready, w.Desired), fmt.Sprint(w.Updated), w.Revision, w.Stalled})
	}
	for _, e := range d.Endpoints {
		endpoints = append(endpoints, []string{e.Service, e.Path, yes(e.OK), shown(e.Took), e.Said})
	}
	for _, database := range d.Databases {
		for _, i := range database.Instances {
			servers = append(servers, []string{database.Name, i.Pod, i.Node, roleOf(i, database.Primary), yes(i.Streams), lag(i), i.Said})
		}
	}
	for _, r := range d.Redis {
		redis = append(redis, []string{r.Name, r.Pod, r.Node, r.Role, yes(r.Answers), r.RDB, r.AOF, r.Said})
	}
	for _, dependency := range d.Dependencies {
		dependencies = append(dependencies, []string{dependency.Name, dependency.Way, yes(dependency.OK), shown(dependency.Took), dependency.Said})
	}
	for _, l := range d.Logs {
		logs = append(logs, []string{l.Service, l.Pod, fmt.Sprint(l.Errors), l.Last})
	}
	table(page, "Nodes", []string{"node", "zone", "ready", "pressure", "what", "usage"}, nodes)
	if d.Usage.NotMeasured != "" {
		fmt.Fprintf(page, "Usage of nodes and pods: not measured, %s.\n\n", cell(d.Usage.NotMeasured))
	}
	table(page, "Workloads", []string{"kind", "name", "ready", "updated", "revision", "stalled"}, workloads)
	table(page, "Health endpoints", []string{"service", "path", "well", "took", "what"}, endpoints)
	table(page, "Databases", []string{"database", "pod", "node", "role", "streams", "lag", "what"}, servers)
	table(page, "Redis", []string{"redis", "pod", "node", "role", "answers", "RDB", "AOF", "what"}, redis)
	table(page, "Dependencies", []string{"dependency", "asked by", "well", "took", "what"}, dependencies)
	table(page, "Lines that speak of errors", []string{"service", "pod", "lines", "the last"}, logs)
}

func roleOf(i Instance, primary string) string {
	switch {
	case !i.Answers && i.Pod == primary:
		return "primary, does not answer"
	case !i.Answers:
		return "does not answer"
	case i.Replica:
		return "replica"
	default:
		return "primary"
	}
}

func lag(i Instance) string {
	if !i.Replica || i.Lag < 0 {
		return ""
	}
	return fmt.Sprintf("%d bytes, %s", i.Lag, shown(i.Behind))
}

func used(list []Used, name string) string {
	for _, u := range list {
		if u.Name == name {
			return fmt.Sprintf("%dm CPU, %d MiB", u.CPU, u.Memory>>20)
		}
	}
	return ""
}

func table(page *strings.Builder, heading string, columns []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(page, "## %s\n\n| %s |\n|%s\n", heading, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		fmt.Fprintf(page, "| %s |\n", strings.Join(row, " | "))
	}
	page.WriteString("\n")
}

// cell is a text that cannot leave its cell, nor become markup: systems and people write into diagnoses.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ", "\r", " ", "`", "'").Replace(text)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateTime)
}

func shown(d time.Duration) string { return d.Round(time.Millisecond).String() }
