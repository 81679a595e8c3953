package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Status is the report while the run goes on, in Markdown: the steps, and the open question with how to answer it.
func (r Report) Status() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s of %s** · %s · %s", r.Scenario, r.Target, r.Mode, r.Phase)
	if r.Outcome != "" {
		fmt.Fprintf(&b, " · **%s**", r.Outcome)
	}
	b.WriteString("\n\n")
	if r.Summary != "" {
		fmt.Fprintf(&b, "%s\n\n", r.Summary)
	}
	if !r.Clocks.Deadline.IsZero() {
		fmt.Fprintf(&b, "Deadline %s (RTO %s)\n\n", r.Clocks.Deadline.UTC().Format(time.RFC3339), r.RTO.Target)
	}
	if r.Forecast != nil {
		fmt.Fprintf(&b, "%s\n\n", r.Forecast)
	}
	if r.Question != nil {
		b.WriteString(r.Question.markdown(r.WorkflowID))
	}
	b.WriteString("| # | step | state | took | result |\n|---|---|---|---|---|\n")
	for i, step := range r.Steps {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", i+1, cell(step.Name), step.State, took(step), cell(step.Result))
	}
	for _, rejected := range r.Rejected {
		fmt.Fprintf(&b, "\nRejected: %s by %s: %s\n", rejected.Verb, rejected.By, rejected.Why)
	}
	return b.String()
}

func (q Question) markdown(workflowID string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Question %d: %s\n\n", q.Number, q.Text)
	for _, fact := range q.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", fact.Name, fact.Value)
	}
	who := "anybody in the plan"
	if len(q.From) > 0 {
		who = strings.Join(q.From, ", ")
	}
	fmt.Fprintf(&b, "\nAsked: %s; %d needed, %d agreed. %s\n\n", who, q.Needed, len(q.Agreed), q.Unanswered)
	for _, verb := range q.Answers {
		fmt.Fprintf(&b, "- %s: send the signal or update `%s` with `%s`, or `%s`\n", verb, verb, q.ExampleMessage(), q.ExampleCommand(verb, workflowID))
	}
	b.WriteString("\n")
	return b.String()
}

// ExampleMessage is the JSON to paste into the Temporal UI.
func (q Question) ExampleMessage() string {
	text, err := json.Marshal(struct {
		Question int    `json:"question"`
		By       string `json:"by"`
		Comment  string `json:"comment"`
	}{q.Number, q.firstName(), ""})
	if err != nil {
		return err.Error() // cannot happen: a number and two strings
	}
	return string(text)
}

// ExampleCommand is the command that answers the question with verb, as a shell reads it.
func (q Question) ExampleCommand(verb, workflowID string) string {
	command := fmt.Sprintf("fukkyu %s %s --question %d --by %s", verb, quoted(workflowID), q.Number, quoted(q.firstName()))
	if verb == "skip" { // which is not taken without a reason
		command += " --comment WHY"
	}
	return command
}

// quoted is a text as one word of a shell.
func quoted(text string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./:@", r)
	}
	if text != "" && strings.TrimFunc(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (q Question) firstName() string {
	if len(q.From) > 0 {
		return q.From[0]
	}
	return "NAME"
}

// cell keeps a text inside one cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

func took(step Step) string {
	if step.Finished.IsZero() {
		return ""
	}
	return step.Took().Round(time.Millisecond).String()
}
