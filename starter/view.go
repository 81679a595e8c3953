package main

import (
	"fmt"
	"image/color"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// viewInterval is how often the clocks of the view move on.
const viewInterval = 250 * time.Millisecond

// The size of a terminal that has not said its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

// view is a run as a person watches it. It holds nothing that the run needs: it may be left at any time.
type view struct {
	id      string
	now     report.Report
	heard   bool   // the run has said how it stands
	silent  string // who does not answer
	told    []string
	time    time.Time
	width   int
	height  int
	palette palette
}

// What the view is told, besides the report itself.
type (
	silent string
	told   string
	moved  time.Time // the time moved on
)

func newView(id string) view {
	return view{id: id, time: time.Now(), width: usualWidth, height: usualHeight, palette: newPalette()}
}

// palette are the terminal's own colours, so that the view follows its theme; without colours everything is still said in words.
type palette struct{ plain, strong, soft, accent, good, warn, late, bad lipgloss.Style }

func newPalette() palette {
	in := func(colour color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(colour) }
	return palette{
		plain: lipgloss.NewStyle(), strong: lipgloss.NewStyle().Bold(true), soft: lipgloss.NewStyle().Faint(true), accent: in(lipgloss.Cyan),
		good: in(lipgloss.Green), warn: in(lipgloss.Yellow), late: in(lipgloss.Color("208")), bad: in(lipgloss.Red),
	}
}

// Init starts the clocks.
func (v view) Init() tea.Cmd { return moveOn() }

func moveOn() tea.Cmd {
	return tea.Tick(viewInterval, func(at time.Time) tea.Msg { return moved(at) })
}

// Update takes what is new.
func (v view) Update(message tea.Msg) (tea.Model, tea.Cmd) {
	switch message := message.(type) {
	case report.Report:
		v.now, v.heard, v.silent = message, true, ""
	case silent:
		v.silent = string(message)
	case told:
		v.told = append(v.told, string(message))
	case moved:
		v.time = time.Time(message)
		return v, moveOn()
	case tea.WindowSizeMsg:
		v.width, v.height = max(1, message.Width), max(1, message.Height)
	case tea.KeyPressMsg:
		if key := message.String(); key == "q" || key == "ctrl+c" {
			return v, tea.Quit
		}
	}
	return v, nil
}

// View draws the run on a screen of its own, which is gone when it is left.
func (v view) View() tea.View {
	drawn := tea.NewView(v.content())
	drawn.AltScreen = true
	drawn.WindowTitle = "fukkyu: " + printable(v.id)
	return drawn
}

// detail is how much of the steps is shown. What a person must know and do comes before it.
type detail int

const (
	everything detail = iota
	withoutResults
	currentOnly
	withoutFacts
)

// content is as detailed as the terminal is high.
func (v view) content() string {
	var drawn []string
	for _, much := range []detail{everything, withoutResults, currentOnly, withoutFacts} {
		drawn = v.lines(much)
		if len(drawn) <= v.height {
			break
		}
	}
	return strings.Join(drawn, "\n")
}

func (v view) lines(much detail) []string {
	drawn := v.head(much)
	if v.heard {
		drawn = append(drawn, v.rto()...)
		if much < currentOnly {
			drawn = append(drawn, v.clocks()...)
			drawn = append(drawn, v.forecast()...)
		}
		drawn = append(drawn, v.gap(much)...)
		drawn = append(drawn, v.steps(much)...)
		drawn = append(drawn, v.question(much)...)
	} else if v.silent == "" {
		drawn = append(drawn, v.wrapped(v.palette.soft, "", "asking the run how it stands")...)
	}
	if much < currentOnly {
		for _, sentence := range v.undelivered() {
			drawn = append(drawn, v.wrapped(v.palette.warn, "", sentence)...)
		}
	}
	for _, sentence := range append(v.rejected(), v.told...) {
		drawn = append(drawn, v.wrapped(v.palette.warn, "", sentence)...)
	}
	if v.silent != "" {
		drawn = append(drawn, v.wrapped(v.palette.bad, "", v.silent)...)
	}
	drawn = append(drawn, v.gap(much)...)
	return append(drawn, v.wrapped(v.palette.soft, "", "q leaves, the run goes on")...)
}

// gap is an empty line where there is room for one.
func (v view) gap(much detail) []string {
	if much >= currentOnly {
		return nil
	}
	return []string{""}
}

func (v view) head(much detail) []string {
	if !v.heard {
		return v.wrapped(v.palette.strong, "", v.id)
	}
	title := fmt.Sprintf("%s of %s, %s, %s", v.now.Scenario, v.now.Target, v.now.Mode, v.now.Phase)
	if v.now.Outcome != "" {
		title += ", " + string(v.now.Outcome)
	}
	drawn := v.wrapped(v.palette.strong, "", title)
	if much < currentOnly {
		drawn = append(drawn, v.wrapped(v.palette.soft, "", v.id)...)
	}
	return drawn
}

// rejected is the last message that was not taken: whoever sent it as a signal learns it nowhere else.
func (v view) rejected() []string {
	if len(v.now.Rejected) == 0 {
		return nil
	}
	last := v.now.Rejected[len(v.now.Rejected)-1]
	return []string{fmt.Sprintf("not taken: %s by %s: %s", last.Verb, last.By, last.Why)}
}

// undelivered names the channels that were not told last: somebody may have to be called by telephone.
func (v view) undelivered() []string {
	last := map[string]report.Notification{}
	var channels []string
	for _, told := range v.now.Notifications {
		if _, known := last[told.Channel]; !known {
			channels = append(channels, told.Channel)
		}
		last[told.Channel] = told
	}
	var said []string
	for _, channel := range channels {
		if told := last[channel]; told.State == report.Undelivered {
			said = append(said, fmt.Sprintf("%s was not told: %s", told.Channel, told.Why))
		}
	}
	return said
}

// forecast is when the run will be through, red when that is after the deadline.
func (v view) forecast() []string {
	forecast := v.now.Forecast
	if forecast == nil {
		return nil
	}
	style := v.palette.soft
	if forecast.Recovered.After(v.now.Clocks.Deadline) {
		style = v.palette.bad
	}
	said := "the run ends " + forecast.Finished.UTC().Format(time.TimeOnly)
	if !forecast.Recovered.IsZero() {
		said = "service is back " + forecast.Recovered.UTC().Format(time.TimeOnly) + ", " + said
	}
	return v.wrapped(style, "", fmt.Sprintf("forecast: %s (UTC), by the pace of %s", said, earlierRuns(forecast.Runs)))
}

func earlierRuns(count int) string {
	if count == 1 {
		return "1 earlier run"
	}
	return fmt.Sprintf("%d earlier runs", count)
}

func (v view) clocks() []string {
	var known []string
	for _, clock := range v.now.Clocks.Moments() {
		if !clock.At.IsZero() {
			known = append(known, strings.ReplaceAll(clock.Name, "-", " ")+" "+clock.At.UTC().Format(time.TimeOnly))
		}
	}
	if len(known) == 0 {
		return nil
	}
	return v.wrapped(v.palette.soft, "", strings.Join(known, ", ")+" (UTC)")
}

// question says what is asked and exactly how to answer it.
func (v view) question(much detail) []string {
	question := v.now.Question
	if question == nil {
		return nil
	}
	drawn := append(v.gap(much), v.wrapped(v.palette.warn.Bold(true), "", fmt.Sprintf("Question %d: %s", question.Number, question.Text))...)
	drawn = append(drawn, v.facts(question.Facts, much)...)
	who := "anybody in the plan"
	if len(question.From) > 0 {
		who = strings.Join(question.From, ", ")
	}
	asked := fmt.Sprintf("Asked for %s: %s; %d needed, %d agreed", v.since(question.Asked), who, question.Needed, len(question.Agreed))
	if question.Unanswered != "" {
		asked += "; " + question.Unanswered
	}
	drawn = append(drawn, v.wrapped(v.palette.soft, "  ", asked)...)
	drawn = append(drawn, v.wrapped(v.palette.plain, "  ", "Answer from another terminal:")...)
	for _, verb := range question.Answers {
		for _, line := range shellLines(printable(question.ExampleCommand(verb, v.id)), v.width-4) {
			drawn = append(drawn, v.cut("    "+v.palette.accent.Render(line)))
		}
	}
	return drawn
}

func (v view) facts(facts []report.Fact, much detail) []string {
	if much == withoutFacts && len(facts) > 0 {
		return v.wrapped(v.palette.plain, "  ", "the facts: fukkyu status "+v.id)
	}
	var drawn []string
	for _, fact := range facts {
		drawn = append(drawn, v.wrapped(v.palette.plain, "  ", fact.Name+": "+fact.Value)...)
	}
	return drawn
}

// since is how long ago a moment was, by this machine's clock.
func (v view) since(at time.Time) time.Duration { return max(0, v.time.Sub(at).Round(time.Second)) }

// wrapped are the lines of a text, each behind the same indent.
func (v view) wrapped(style lipgloss.Style, indent, text string) []string {
	var drawn []string
	for line := range strings.SplitSeq(ansi.Wrap(printable(text), max(1, v.width-len(indent)), ""), "\n") {
		drawn = append(drawn, v.cut(indent+style.Render(line)))
	}
	return drawn
}

// cut shortens a line that does not fit.
func (v view) cut(line string) string { return ansi.Truncate(line, v.width, "") }

// shellLines breaks a command between its words as a shell does, so that it can still be copied from a narrow terminal.
func shellLines(command string, width int) []string {
	const goesOn = " \\"
	var broken []string
	line := ""
	for _, word := range shellWords(command) {
		switch {
		case line == "":
			line = word
		case ansi.StringWidth(line)+1+ansi.StringWidth(word)+len(goesOn) <= width:
			line += " " + word
		default:
			broken = append(broken, line+goesOn)
			line = "  " + word
		}
	}
	return append(broken, line)
}

// shellWords are the words of a command, each flag together with its value, and what is quoted in one piece.
func shellWords(command string) []string {
	var words []string
	for word := range strings.FieldsSeq(command) {
		if last := len(words) - 1; last >= 0 && belongs(word, words[last]) {
			words[last] += " " + word
			continue
		}
		words = append(words, word)
	}
	return words
}

func belongs(word, before string) bool {
	quoteIsOpen := strings.Count(before, "'")%2 == 1
	flagHasNoValue := strings.HasPrefix(before, "-") && !strings.Contains(before, " ") && !strings.HasPrefix(word, "-")
	return quoteIsOpen || flagHasNoValue
}
