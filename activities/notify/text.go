package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// drillMark stands before everything that a drill says, for readers of both languages.
const drillMark = "[DRILL/訓練] "

// title is a message in one line: is it real, how far did it climb, what is it about.
func (m Message) title() string {
	var title strings.Builder
	if m.Drill {
		title.WriteString(drillMark)
	}
	if m.Level != "" {
		title.WriteString("[" + m.Level + "] ")
	}
	switch m.Event {
	case Acknowledge:
		title.WriteString("Acknowledged: ")
	case Resolve:
		title.WriteString("Resolved: ")
	}
	title.WriteString(m.Summary)
	return oneLine(title.String())
}

// oneLine replaces line breaks and other control characters by spaces, joins spaces, and takes out what turns the direction
// of reading, which would make a line say something else than it does.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// shorten cuts text to at most limit characters, the last of which then is an ellipsis.
func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// facts are the details of a message, and what every message has, in the order in which people read them.
func (m Message) facts() []Detail {
	facts := append([]Detail{}, m.Details...)
	if m.Severity != "" {
		facts = append(facts, Detail{Name: "severity", Value: m.Severity})
	}
	if !m.At.IsZero() {
		facts = append(facts, Detail{Name: "at", Value: m.At.UTC().Format("2006-01-02 15:04:05 MST")})
	}
	return append(facts, Detail{Name: "incident", Value: m.Incident})
}
