package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

func page(t *testing.T, of report.Report, language report.Language) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, of.WriteHTML(&text, language))
	return text.String()
}

func TestHTML_AReport_ReadsAsTheGoldenPage(t *testing.T) {
	got := page(t, sample(), report.English)
	if *update {
		require.NoError(t, os.WriteFile("testdata/report.html", []byte(got), 0o600))
	}
	want, err := os.ReadFile("testdata/report.html")
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// What people write is shown and never run, and the page asks nobody for anything.
func TestHTML_HostileTexts_AreShownAndNothingIsLoaded(t *testing.T) {
	hostile := sample()
	hostile.Reason = `<script>alert(1)</script><img src=x onerror=alert(1)>`
	hostile.Steps[0].Name = `</text></svg><script>`
	hostile.Next = []string{`fukkyu approve --by "愛子"`}
	got := page(t, hostile, report.Japanese)
	require.NotContains(t, strings.ToLower(got), "<script")
	require.NotContains(t, got, "<img")
	require.Contains(t, got, "&lt;script&gt;alert(1)")
	require.Contains(t, got, "愛子")
	require.NotRegexp(t, `<[a-z]+[^>]* (src|href)=|url\(|@import`, got)
}

func TestHTML_AnEmptyReportAndOneThatGoesOn_ArePages(t *testing.T) {
	going := sample()
	going.Outcome, going.Clocks.Finished, going.Steps[0].Finished = "", at(0), at(0)
	going.Question = &report.Question{Number: 3, Text: "Replace it?", Answers: []string{"approve", "reject"}, From: []string{"cto"}}
	for name, shown := range map[string]report.Report{"empty": {}, "going on": going} {
		t.Run(name, func(t *testing.T) {
			got := page(t, shown, report.English)
			require.True(t, strings.HasSuffix(strings.TrimSpace(got), "</html>"))
			require.NotContains(t, got, "NaN")
			require.NotContains(t, got, "0001-01-01", "a time that is not known is not shown")
		})
	}
	require.Contains(t, page(t, going, report.English), "fukkyu approve database-failover/shodo --question 3")
}

// The drawing is XML whose bars stay inside of it, however long the run.
func TestHTML_FiveHundredEntries_AreAllThereAndTheDrawingStaysInItsFrame(t *testing.T) {
	long := sample()
	for i := range 500 {
		long.Timeline = append(long.Timeline, report.Entry{At: at(i * 60), Kind: "clock", Text: fmt.Sprintf("entry %d", i)})
		long.Steps = append(long.Steps, report.Step{Name: fmt.Sprintf("step %d", i), State: report.Done, Started: at(i * 60), Finished: at(i*60 + 30)})
	}
	got := page(t, long, report.English)
	require.Contains(t, got, "entry 499")
	drawing := got[strings.Index(got, "<svg") : strings.Index(got, "</svg>")+len("</svg>")]
	decoder := xml.NewDecoder(strings.NewReader(drawing))
	bars := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		element, is := token.(xml.StartElement)
		if !is || element.Name.Local != "rect" {
			continue
		}
		var x, width float64
		for _, attribute := range element.Attr {
			switch attribute.Name.Local {
			case "x":
				_, err = fmt.Sscan(attribute.Value, &x)
			case "width":
				_, err = fmt.Sscan(attribute.Value, &width)
			}
			require.NoError(t, err)
		}
		require.LessOrEqual(t, x+width, 960.0)
		bars++
	}
	require.Equal(t, 501, bars)
}

// Every word that the page says of itself is known in Japanese.
func TestHTML_Japanese_HasEveryWordOfThePage(t *testing.T) {
	template, err := os.ReadFile("html.tmpl")
	require.NoError(t, err)
	said := regexp.MustCompile(`\.Say "([^"]+)"`).FindAllStringSubmatch(string(template), -1)
	require.NotEmpty(t, said)
	for _, word := range said {
		require.True(t, report.Japanese.Knows(word[1]), word[1])
	}
	for _, outcome := range []report.Outcome{report.Recovered, report.RecoveredLate, report.RecoveredUnproven, report.RolledBack, report.Incomplete, report.Rehearsed, report.Refused} {
		require.True(t, report.Japanese.Knows(string(outcome)), outcome)
	}
	for _, state := range []report.StepState{report.Pending, report.Running, report.Waiting, report.Asking, report.Standing, report.Done, report.Skipped, report.Failed, report.Undone, report.UndoFails, report.Would, report.Blocked} {
		require.True(t, report.Japanese.Knows(string(state)), state)
	}
	require.NotRegexp(t, `>(Steps|Clocks|Decisions|Objectives)<`, page(t, sample(), report.Japanese))
}

func TestHTML_AnUnknownLanguage_IsAnErrorThatNamesTheKnownOnes(t *testing.T) {
	require.ErrorContains(t, sample().WriteHTML(io.Discard, "fr"), "en or ja")
}
