package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// display is where a person sees a run.
type display interface {
	// show is called with the report as it stands, as often as the run is asked.
	show(now report.Report)
	// silence is called with a sentence when somebody stops answering. The next report says that it is over.
	silence(sentence string)
	// tell is called with a sentence that stays true.
	tell(sentence string)
}

// lines are a display for scripts, for logs and for those who want to read everything: one line for each thing that happened.
type lines struct {
	talk io.Writer
	// quiet leaves out how to answer a question, because it is answered in advance.
	quiet bool

	printed int // entries of the timeline
	asked   int // the question that was shown last
}

func (l *lines) silence(sentence string) { l.tell(sentence) }

func (l *lines) tell(sentence string) { fmt.Fprintln(l.talk, printable(sentence)) }

// show prints what is new.
func (l *lines) show(now report.Report) {
	for _, entry := range now.Timeline[min(l.printed, len(now.Timeline)):] {
		where := ""
		if entry.Step != "" {
			where = entry.Step + ": "
		}
		fmt.Fprintf(l.talk, "%8.3fs  %s\n", entry.At.Sub(now.Clocks.Declared).Seconds(), printable(where+entry.Text))
	}
	l.printed = len(now.Timeline)
	if question := now.Question; question != nil && question.Number > l.asked {
		l.asked = question.Number
		l.ask(*question, now.WorkflowID)
	}
}

func (l *lines) ask(question report.Question, id string) {
	l.tell(question.Text)
	for _, fact := range question.Facts {
		l.tell("    " + fact.Name + ": " + fact.Value)
	}
	if l.quiet {
		return
	}
	for _, verb := range question.Answers {
		l.tell("    " + question.ExampleCommand(verb, id))
	}
}

// printable is a text on one line that cannot steer the terminal: people and systems write into reports.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, ansi.Strip(text))
}
