package report

import (
	"fmt"
	"strings"
	"time"
)

// Markdown is the whole report, for an auditor to read.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s of %s: %s\n\n", r.Scenario, r.Target, orGoesOn(r.Outcome))
	if r.Summary != "" {
		fmt.Fprintf(&b, "%s\n\n", r.Summary)
	}
	r.writeHead(&b)
	r.writeObjectives(&b)
	r.writeSteps(&b)
	r.writeChecks(&b)
	r.writeFacts(&b)
	r.writeDecisions(&b)
	r.writeNotifications(&b)
	writeList(&b, "What holds", r.Holds)
	writeList(&b, "What is missing", r.Missing)
	writeList(&b, "What to do next", r.Next)
	r.writeTimeline(&b)
	return b.String()
}

func orGoesOn(outcome Outcome) string {
	if outcome == "" {
		return "goes on"
	}
	return string(outcome)
}

func (r Report) writeHead(b *strings.Builder) {
	fmt.Fprintf(b, "| | |\n|---|---|\n")
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, cell(value))
		}
	}
	row("run", r.WorkflowID+" "+r.RunID)
	row("mode", r.Mode)
	row("plan", fmt.Sprintf("%s %s, %s", r.Plan, r.PlanVersion, r.PlanHash))
	row("build", r.Build)
	row("asked for by", r.RequestedBy)
	row("reason", r.Reason)
	b.WriteString("\n")
}

func (r Report) writeObjectives(b *strings.Builder) {
	b.WriteString("## Objectives\n\n| objective | target | measured | how |\n|---|---|---|---|\n")
	for _, objective := range []struct {
		name    string
		measure Measure
	}{{"RTO", r.RTO}, {"RPO", r.RPO}} {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", objective.name, objective.measure.Target, objective.measure.measured(), cell(objective.measure.How))
	}
	b.WriteString("\n| clock | time |\n|---|---|\n")
	for _, clock := range []struct {
		name string
		at   time.Time
	}{
		{"impact started", r.Clocks.ImpactStarted}, {"detected", r.Clocks.Detected}, {"declared", r.Clocks.Declared}, {"decided", r.Clocks.Decided},
		{"executing", r.Clocks.Executing}, {"recovered", r.Clocks.Recovered}, {"finished", r.Clocks.Finished}, {"deadline", r.Clocks.Deadline},
	} {
		fmt.Fprintf(b, "| %s | %s |\n", clock.name, moment(clock.at))
	}
	b.WriteString("\n")
	if r.Forecast != nil {
		fmt.Fprintf(b, "%s\n\n", r.Forecast)
	}
}

// measured is never 0 for something that was not measured.
func (m Measure) measured() string {
	if m.Measured == nil {
		return "not measured"
	}
	return m.Measured.Round(time.Millisecond).String()
}

func moment(at time.Time) string {
	if at.IsZero() {
		return "not known"
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

func (r Report) writeSteps(b *strings.Builder) {
	b.WriteString("## Steps\n\n| # | step | state | tries | took | budget | result |\n|---|---|---|---|---|---|---|\n")
	for i, step := range r.Steps {
		name := step.Name
		if step.PointOfNoReturn {
			name += " (point of no return)"
		}
		fmt.Fprintf(b, "| %d | %s | %s | %d | %s | %s | %s |\n", i+1, cell(name), step.State, step.Attempts, took(step), step.Budget, cell(step.Result))
		for _, change := range step.Changes {
			fmt.Fprintf(b, "| | | | | | | %s |\n", cell("change: "+change))
		}
	}
	b.WriteString("\n")
}

func (r Report) writeFacts(b *strings.Builder) {
	if len(r.Facts) == 0 {
		return
	}
	b.WriteString("## Facts\n\n| fact | value |\n|---|---|\n")
	for _, fact := range r.Facts {
		fmt.Fprintf(b, "| %s | %s |\n", cell(fact.Name), cell(fact.Value))
	}
	b.WriteString("\n")
}

func (r Report) writeDecisions(b *strings.Builder) {
	if len(r.Decisions) > 0 {
		b.WriteString("## Decisions\n\n| time | who | identity | what | question | comment |\n|---|---|---|---|---|---|\n")
		for _, decision := range r.Decisions {
			fmt.Fprintf(b, "| %s | %s | %s | %s | %d | %s |\n", moment(decision.At), cell(decision.By), decision.Identity, decision.Verb, decision.Question, cell(decision.Comment))
		}
		b.WriteString("\n")
	}
	if len(r.Overrides) > 0 {
		b.WriteString("## Overridden guards\n\n| time | guard | who | reason | what the guard had said |\n|---|---|---|---|---|\n")
		for _, override := range r.Overrides {
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", moment(override.At), override.Guard, cell(override.By), cell(override.Reason), cell(override.Said))
		}
		b.WriteString("\n")
	}
	if len(r.Rejected) > 0 {
		b.WriteString("## Rejected messages\n\n| time | message | sender | why |\n|---|---|---|---|\n")
		for _, rejected := range r.Rejected {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", moment(rejected.At), rejected.Verb, cell(rejected.By), cell(rejected.Why))
		}
		b.WriteString("\n")
	}
}

func (r Report) writeNotifications(b *strings.Builder) {
	if len(r.Notifications) == 0 {
		return
	}
	b.WriteString("## Who was told\n\n| time | channel | level | event | state | what |\n|---|---|---|---|---|---|\n")
	for _, told := range r.Notifications {
		state := string(told.State)
		if told.Why != "" {
			state += ": " + told.Why
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", moment(told.At), cell(told.Address()), cell(told.Level), told.Event, cell(state), cell(told.Text))
	}
	b.WriteString("\n")
}

func writeList(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", line)
	}
	b.WriteString("\n")
}

func (r Report) writeTimeline(b *strings.Builder) {
	b.WriteString("## Timeline\n\n| time | kind | step | what |\n|---|---|---|---|\n")
	for _, entry := range r.Timeline {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", moment(entry.At), entry.Kind, cell(entry.Step), cell(entry.Text))
	}
}
