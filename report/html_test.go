package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

func page(t *testing.T, of report.Report, language report.Language) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, of.WriteHTML(&text, language, at(600)))
	return text.String()
}

// requireOn says which text is missing, without the whole page.
func requireOn(t *testing.T, page, text string) {
	t.Helper()
	require.True(t, strings.Contains(html.UnescapeString(page), html.UnescapeString(text)), "the page does not say %q", text)
}

func requireNotOn(t *testing.T, page, text string) {
	t.Helper()
	require.False(t, strings.Contains(page, text), "the page says %q", text)
}

func TestHTML_AReport_ReadsAsTheGoldenPage(t *testing.T) {
	for _, language := range report.Languages() {
		t.Run(string(language), func(t *testing.T) {
			golden := fmt.Sprintf("testdata/report.%s.html", language)
			got := page(t, sample(), language)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestHTML_ARunThatHasEnded_IsTheSamePageWheneverItIsWritten(t *testing.T) {
	var later strings.Builder
	require.NoError(t, failover().WriteHTML(&later, report.English, at(7200)))
	require.Equal(t, page(t, failover(), report.English), later.String())
}

// What people write is shown and never run, and the page asks nobody for anything.
func TestHTML_HostileTexts_AreShownAndNothingIsLoaded(t *testing.T) {
	attack := `"><script>alert(1)</script><img src=x onerror=alert(1)></svg></style>`
	hostile := failover()
	hostile.Target, hostile.Summary, hostile.Reason, hostile.RequestedBy = attack, attack, attack, attack
	hostile.Scenario, hostile.Phase, hostile.Outcome, hostile.Steps[0].State = attack, attack, report.Outcome(attack), report.StepState(attack)
	hostile.Steps[0].Name, hostile.Steps[0].Result, hostile.Steps[0].Changes = attack, attack, []string{attack}
	hostile.Decisions[0].By, hostile.Decisions[0].Comment, hostile.Decisions[0].Verb = attack, attack, attack
	hostile.Timeline[0].Text, hostile.Timeline[0].Kind = attack, attack
	hostile.Next, hostile.Holds, hostile.Missing = []string{attack}, []string{attack}, []string{attack}
	hostile.Checks = []report.Check{{Target: attack, Name: attack, Measured: attack, Expected: attack, Verdict: report.CheckVerdict(attack)}}
	hostile.Facts = []report.Fact{{Name: attack, Value: attack}}
	for _, language := range report.Languages() {
		got := page(t, hostile, language)
		require.True(t, strings.Contains(got, "&lt;script&gt;alert(1)"))
		require.Equal(t, 1, strings.Count(got, "</style>"))
		require.NotRegexp(t, `url\(|@import`, got[:strings.Index(got, "</style>")])
		for _, element := range elements(t, got[strings.Index(got, "<html"):]) {
			require.NotContains(t, []string{"script", "img", "link", "iframe", "object", "embed", "a"}, element.Name.Local)
			for _, attribute := range element.Attr {
				require.NotRegexp(t, `^(src|href|style|on.*)$`, attribute.Name.Local)
			}
		}
	}
}

func TestHTML_JapaneseNames_AreShownAsTheyWereWritten(t *testing.T) {
	named := sample()
	named.RequestedBy, named.Reason = "鈴木 愛子", "東京リージョンの電源が落ちた"
	named.Next = []string{`fukkyu approve --by "愛子"`}
	got := page(t, named, report.Japanese)
	for _, text := range []string{"鈴木 愛子", "東京リージョンの電源が落ちた", "愛子"} {
		requireOn(t, got, text)
	}
	requireOn(t, got, `<html lang="ja">`)
}

func TestHTML_AnEmptyReport_IsAPageThatInventsNothing(t *testing.T) {
	for _, language := range report.Languages() {
		var text strings.Builder
		require.NoError(t, report.Report{}.WriteHTML(&text, language, time.Time{}))
		got := text.String()
		require.True(t, strings.HasSuffix(strings.TrimSpace(got), "</html>"))
		for _, invented := range []string{"NaN", "Inf", "0001-01-01", `class="chart"`, `class="used"`} {
			requireNotOn(t, got, invented)
		}
	}
	requireOn(t, page(t, report.Report{}, report.English), "not measured")
}

func TestHTML_ARunThatGoesOn_ShowsItsQuestionAndTheTimeThatRuns(t *testing.T) {
	going := asking()
	got := page(t, going, report.English)
	commands := regexp.MustCompile(`</?span>`).ReplaceAllString(got, "")
	requireOn(t, commands, "<code class=\"command\">fukkyu approve database-failover/shodo --question 1 --by aiko</code>")
	requireOn(t, commands, "<code class=\"command\">fukkyu reject database-failover/shodo --question 1 --by aiko</code>")
	requireOn(t, got, "10 min <small>so far</small>") // since the impact began
	requireOn(t, got, "as of 2026-11-23 03:10:00.000 UTC")
	require.Regexp(t, `class="row step asking open"`, got)
	require.Regexp(t, `class="row question  open"`, got)
}

func TestHTML_AnObjectiveThatWasMissed_IsSaidInWordsToo(t *testing.T) {
	late := sample()
	took := 45 * time.Minute
	late.Outcome, late.RTO.Measured = report.RecoveredLate, &took
	got := page(t, late, report.English)
	requireOn(t, got, `<p class="figure">45 min <small>missed</small></p>`)
	requireOn(t, got, "150 % of the target")
	requireOn(t, got, `x1="66.67%"`) // where the target stands
}

func TestHTML_TheDeadline_StandsOnTheAxisWhereItIsNearAndBesideItOtherwise(t *testing.T) {
	near := failover()
	near.Clocks.Deadline = near.Clocks.Finished.Add(time.Second)
	requireOn(t, page(t, near, report.English), `<line class="deadline"`)
	far := page(t, failover(), report.English)
	requireNotOn(t, far, `<line class="deadline"`)
	requireOn(t, far, "RTO deadline, beyond this drawing: 2026-11-23 03:30:00.000 (+30 min)")
}

func TestHTML_AnAnsweredQuestion_IsDrawnFromTheAskingToItsLastAnswer(t *testing.T) {
	got := failover()
	got.Decisions = append(got.Decisions, report.Decision{At: got.Decisions[0].At.Add(250 * time.Millisecond), Verb: "approve", Question: 1, By: "ken"})
	require.Regexp(t, `Question 1</span>\n.*\n<span class="value">0.354 s</span>`, page(t, got, report.English))
	got.Decisions = nil
	require.Regexp(t, `Question 1</span>\n.*\n<span class="value">0.104 s</span>`, page(t, got, report.English), "the plan's default ends a question too")
}

// The drawing is XML whose bars stay inside of it, however long the run.
func TestHTML_FiveHundredEntries_AreAllThereAndTheDrawingStaysInItsFrame(t *testing.T) {
	got := page(t, long(), report.English)
	requireOn(t, got, "entry 499")
	chart := got[strings.Index(got, `<div class="chart">`):strings.Index(got, `<p class="legend">`)]
	bars := 0
	for _, element := range elements(t, chart) {
		if element.Name.Local != "rect" {
			continue
		}
		x, width := share(t, element, "x"), share(t, element, "width")
		require.GreaterOrEqual(t, x, 0.0)
		require.Positive(t, width)
		require.LessOrEqual(t, x+width, 100.01)
		bars++
	}
	require.Equal(t, len(long().Steps)+1, bars, "one for each step and for the question")
}

// What happened out of order, as clocks of several machines tell it, is still drawn inside of the frame.
func TestHTML_TimesThatContradictEachOther_AreDrawnInTheFrame(t *testing.T) {
	odd := sample()
	odd.Steps[0].Finished = odd.Steps[0].Started.Add(-time.Hour)
	got := page(t, odd, report.English)
	for _, number := range regexp.MustCompile(`(?:x|width)="(-?[0-9.]+)%"`).FindAllStringSubmatch(got, -1) {
		value, err := strconv.ParseFloat(number[1], 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, value, 0.0)
		require.LessOrEqual(t, value, 100.0)
	}
}

func TestHTML_AnUnknownLanguage_IsAnErrorThatNamesTheKnownOnesAndWritesNothing(t *testing.T) {
	var text strings.Builder
	require.ErrorContains(t, sample().WriteHTML(&text, "fr", at(0)), "en or ja")
	require.Empty(t, text.String())
}

func TestHTML_AWriterThatFails_IsTheError(t *testing.T) {
	reader, writer := io.Pipe()
	require.NoError(t, reader.CloseWithError(io.ErrNoProgress))
	require.ErrorIs(t, sample().WriteHTML(writer, report.English, at(0)), io.ErrNoProgress)
}

// elements are those of a piece of the page, which must be well-formed.
func elements(t *testing.T, text string) []xml.StartElement {
	t.Helper()
	var found []xml.StartElement
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if element, is := token.(xml.StartElement); is {
			found = append(found, element)
		}
	}
}

// share is an attribute in percent.
func share(t *testing.T, element xml.StartElement, name string) float64 {
	t.Helper()
	for _, attribute := range element.Attr {
		if attribute.Name.Local == name {
			value, err := strconv.ParseFloat(strings.TrimSuffix(attribute.Value, "%"), 64)
			require.NoError(t, err)
			return value
		}
	}
	require.Fail(t, "no attribute "+name)
	return 0
}
