package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

//go:embed html.tmpl
var htmlText string

//go:embed html.css
var htmlStyle string

// The page is one file without scripts and without anything from elsewhere, so that it can be archived, mailed and printed.
var htmlPage = template.Must(template.New("report").Parse(htmlText))

// WriteHTML writes the report as one self-contained page in a language. A run that goes on is shown as it stands at now; the page
// of one that has ended is the same whenever it is written. Nothing is written when the page cannot be made; the error is then
// that of an unknown language, otherwise that of out.
func (r Report) WriteHTML(out io.Writer, language Language, now time.Time) error {
	if !language.known() {
		return fmt.Errorf("language %q is unknown: use %s", language, strings.Join(languageNames(), " or "))
	}
	var text bytes.Buffer
	if err := htmlPage.Execute(&text, page{Report: r, Language: language, Now: now}); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	_, err := text.WriteTo(out)
	return err
}

// page is what the template is given. Texts of people and of systems stand on it as they are; only the report's own words are
// translated.
type page struct {
	Report

	Language Language
	Now      time.Time
}

// Style is the page's own, fixed style sheet.
func (page) Style() template.CSS { return template.CSS(htmlStyle) }

// Say is one of the page's own texts.
func (p page) Say(key string) (string, error) { return p.Language.text(key) }

// Name is a word of the engine in the reader's language, as it is where the language has none for it.
func (p page) Name(group string, word any) string { return p.Language.name(group, fmt.Sprint(word)) }

// Title is that of the page: what was run, and how it ended.
func (p page) Title() string {
	return strings.Join(withoutEmpty(p.Name("scenario", p.Scenario), p.Target, p.ending()), " · ")
}

func (p page) ending() string {
	if p.GoesOn() {
		return p.Name("phase", p.Phase)
	}
	return p.Name("outcome", p.Outcome)
}

// GoesOn says whether the run has not ended.
func (p page) GoesOn() bool { return p.Outcome == "" }

// Tone is how the outcome is coloured.
func (p page) Tone() string {
	switch p.Outcome {
	case "":
		return "goes-on"
	case Recovered, Rehearsed:
		return "good"
	case RecoveredLate, RecoveredUnproven, RolledBack:
		return "warn"
	default:
		return "bad"
	}
}

// Items are those that hold a text.
func (page) Items(texts ...string) []string { return withoutEmpty(texts...) }

// Index counts from one, as people do.
func (page) Index(i int) int { return i + 1 }

// Duration is a length of time as people write it.
func (p page) Duration(d time.Duration) string { return p.Language.duration(d) }

// Moment is a time, empty when it is not known.
func (page) Moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04:05.000")
}

// Machine is a time as machines read it.
func (page) Machine(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// After is how long after the beginning of the run a moment was, empty when one of them is not known.
func (p page) After(at time.Time) string {
	begin, _ := p.span()
	if at.IsZero() || begin.IsZero() {
		return ""
	}
	return "+" + p.Duration(at.Sub(begin))
}

// Clock is one moment of the recovery, zero when it is not known.
type Clock struct {
	Name string
	At   time.Time
}

// Moments are the clocks in the order in which they are meant to come.
func (c Clocks) Moments() []Clock {
	return []Clock{
		{"impact-started", c.ImpactStarted}, {"detected", c.Detected}, {"declared", c.Declared}, {"decided", c.Decided},
		{"executing", c.Executing}, {"recovered", c.Recovered}, {"finished", c.Finished}, {"deadline", c.Deadline},
	}
}

// Words are those of a command: a line is broken between them and not at the hyphens of a flag.
func (page) Words(command string) []string { return strings.Split(command, " ") }

// Commands answer the open question, one for each answer.
func (p page) Commands() []string {
	if p.Question == nil {
		return nil
	}
	var commands []string
	for _, verb := range p.Question.Answers {
		commands = append(commands, p.Question.ExampleCommand(verb, p.WorkflowID))
	}
	return commands
}

func withoutEmpty(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}
