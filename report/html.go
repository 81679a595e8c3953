package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed html.tmpl
var htmlText string

// The page is one file without scripts and without anything from elsewhere, so that it can be archived, mailed and printed.
var htmlPage = template.Must(template.New("report").Funcs(template.FuncMap{"rounded": rounded, "at": at, "since": since, "inc": func(i int) int { return i + 1 }}).Parse(htmlText))

// WriteHTML writes the report as one self-contained page. The error is that of the writer, or an unknown language.
func (r Report) WriteHTML(out io.Writer, language Language) error {
	words, known := dictionary[language]
	if !known {
		return fmt.Errorf("language %q is unknown: %s or %s", language, English, Japanese)
	}
	return htmlPage.Execute(out, page{Report: r, Language: language, Words: words, Chart: r.chart()})
}

// page is what the template is given.
type page struct {
	Report

	Language Language
	Words    words
	Chart    chart
}

// Say is a word of the report's own vocabulary in the reader's language; a text of a person or of a system stays as it is.
func (p page) Say(text string) string {
	if said, known := p.Words[text]; known {
		return said
	}
	return text
}

// Moments are the clocks that are known, in their order.
func (p page) Moments() []Moment { return p.moments() }

// Moment is one clock.
type Moment struct {
	Name string
	At   time.Time
}

func (r Report) moments() []Moment {
	var known []Moment
	for _, moment := range []Moment{
		{"impact started", r.Clocks.ImpactStarted}, {"detected", r.Clocks.Detected}, {"declared", r.Clocks.Declared}, {"decided", r.Clocks.Decided},
		{"executing", r.Clocks.Executing}, {"recovered", r.Clocks.Recovered}, {"finished", r.Clocks.Finished},
	} {
		if !moment.At.IsZero() {
			known = append(known, moment)
		}
	}
	return known
}

// Share is how much of a target was used, in percent, 100 at most: the length of its bar.
func (m Measure) Share() float64 {
	if m.Measured == nil || m.Target <= 0 {
		return 0
	}
	return min(100, 100*m.Measured.Seconds()/m.Target.Seconds())
}

// Missed says whether more was used than the target allows.
func (m Measure) Missed() bool { return m.Measured != nil && m.Target > 0 && *m.Measured > m.Target }

func rounded(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// since is how long after the first of two moments the second one was.
func since(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return fmt.Sprintf("%+.3f s", to.Sub(from).Seconds())
}
