//go:build browser

package report_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

// Everything a person may be shown, at the width of a desk and of a telephone, by day and by night. The pictures stay for a look.
func TestPage_InABrowser_ShowsEverythingWithinItsWidth(t *testing.T) {
	tab := openBrowser(t)
	for name, shown := range map[string]report.Report{"recovered": failover(), "asking": asking(), "incomplete": stopped(), "long": long(), "empty": {}} {
		for _, language := range report.Languages() {
			for _, width := range []int{1280, 390} {
				t.Run(fmt.Sprintf("%s-%s-%d", name, language, width), func(t *testing.T) {
					tab.resize(t, width, "light")
					tab.load(t, page(t, shown, language))
					tab.requireWithin(t, width)
					tab.picture(t, fmt.Sprintf("%s-%s-%d", name, language, width))
				})
			}
		}
	}
}

func TestPage_InADarkBrowser_IsDarkAndReadable(t *testing.T) {
	tab := openBrowser(t)
	for _, colours := range []string{"light", "dark"} {
		tab.resize(t, 1280, colours)
		tab.load(t, page(t, stopped(), report.Japanese))
		require.Empty(t, tab.paleTexts(t), "texts whose contrast with the page is below 4.5:1 in %s colours", colours)
		tab.picture(t, "incomplete-ja-1280-"+colours)
	}
}

func TestPage_Printed_IsPagesOfPaperWithinTheirWidth(t *testing.T) {
	tab := openBrowser(t)
	for name, shown := range map[string]report.Report{"recovered": failover(), "long": long()} {
		tab.resize(t, 1280, "dark") // of the screen: paper is white
		tab.load(t, page(t, shown, report.English))
		var printed struct{ Data string }
		tab.call(t, "Page.printToPDF", map[string]any{"preferCSSPageSize": true, "printBackground": false}, &printed)
		keep(t, name+".pdf", printed.Data)
		tab.call(t, "Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
		tab.resizeTo(t, 680) // A4 less its margins, in CSS pixels
		tab.requireWithin(t, 680)
		require.Equal(t, "rgb(255, 255, 255)", tab.text(t, `getComputedStyle(document.body).backgroundColor`))
	}
}

func (b *browser) resize(t *testing.T, width int, colours string) {
	t.Helper()
	b.call(t, "Emulation.setEmulatedMedia", map[string]any{"media": "", "features": []map[string]string{{"name": "prefers-color-scheme", "value": colours}}}, nil)
	b.resizeTo(t, width)
}

func (b *browser) resizeTo(t *testing.T, width int) {
	t.Helper()
	b.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// load shows a page as one opens a file, and fails when it asks anybody for anything.
func (b *browser) load(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	b.requested = nil
	b.call(t, "Page.navigate", map[string]any{"url": "file://" + file}, nil)
	b.await(t, "Page.loadEventFired")
	require.Equal(t, []string{"file://" + file}, b.requested, "the page needs nothing beside itself")
}

// requireWithin fails when anything reaches over the edge: the page itself, or a text over the box that it stands in.
func (b *browser) requireWithin(t *testing.T, width int) {
	t.Helper()
	require.Equal(t, fmt.Sprint(width), b.text(t, `String(document.documentElement.clientWidth)`))
	require.Equal(t, fmt.Sprint(width), b.text(t, `String(document.documentElement.scrollWidth)`), "the page is wider than its window")
	require.Empty(t, b.text(t, `[...document.querySelectorAll("main, main *:not(svg *)")]
		.filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 || e.getBoundingClientRect().left < -0.5)
		.map(e => e.outerHTML.slice(0, 120)).join("\n")`), "elements that reach over the edge")
	require.Empty(t, b.text(t, `[...document.querySelectorAll("th, td, dd, dt, p, .name, .value, code")]
		.filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
		.map(e => e.outerHTML.slice(0, 120)).join("\n")`), "texts that do not fit their box")
}

// paleTexts are those whose contrast is less than the 4.5:1 that WCAG asks of texts.
func (b *browser) paleTexts(t *testing.T) string {
	t.Helper()
	return b.text(t, `(() => {
		const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
		const paper = light(getComputedStyle(document.body).backgroundColor);
		const contrast = e => { const ink = light(getComputedStyle(e).color); return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) };
		return [...document.querySelectorAll("main *:not(svg *)")].filter(e => e.innerText && contrast(e) < 4.5).map(e => e.outerHTML.slice(0, 120)).join("\n");
	})()`)
}

// picture keeps the whole page as it is shown, for a person to look at.
func (b *browser) picture(t *testing.T, name string) {
	t.Helper()
	var taken struct{ Data string }
	const tallest = 6000 // CSS pixels: more of a long page shows nothing new
	var size struct {
		CSSContentSize struct{ Width, Height float64 }
	}
	b.call(t, "Page.getLayoutMetrics", nil, &size)
	clip := map[string]any{"x": 0, "y": 0, "width": size.CSSContentSize.Width, "height": min(tallest, size.CSSContentSize.Height), "scale": 1}
	b.call(t, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": clip}, &taken)
	keep(t, name+".png", taken.Data)
}

func keep(t *testing.T, name, encoded string) {
	t.Helper()
	folder := filepath.Join("..", ".task", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	data, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	require.NotEmpty(t, data)
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), data, 0o600))
}

// text is what a script that only this test runs in the page answers.
func (b *browser) text(t *testing.T, script string) string {
	t.Helper()
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails json.RawMessage
	}
	b.call(t, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &answer)
	require.Empty(t, string(answer.ExceptionDetails))
	return strings.TrimSpace(answer.Result.Value)
}

// patience is how long the browser may take for one thing on a machine with other work.
const patience = 2 * time.Minute

func withPatience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
