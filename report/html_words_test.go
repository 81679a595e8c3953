package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVocabulary_EveryWord_IsThereInEveryLanguage(t *testing.T) {
	for key, said := range vocabulary {
		for _, language := range Languages() {
			require.NotEmpty(t, said.in(language), "%s in %s", key, language)
		}
	}
}

func TestVocabulary_EveryTextOfThePage_IsTranslatedAndNoOtherIsKept(t *testing.T) {
	kept := slices.DeleteFunc(slices.Collect(maps.Keys(vocabulary)), func(key string) bool { return strings.Contains(key, ".") })
	said := []string{"RTO", "RPO"} // the gauges say their own names
	for _, match := range regexp.MustCompile(`\.Say "([^"]+)"`).FindAllStringSubmatch(htmlText, -1) {
		said = append(said, match[1])
	}
	slices.Sort(said)
	slices.Sort(kept)
	require.Equal(t, slices.Compact(said), kept)
}

// The words of the engine are read from its source, so that a new one without a translation fails here.
func TestVocabulary_EveryWordOfTheEngine_IsTranslated(t *testing.T) {
	for _, words := range []struct {
		group, folder, names string
	}{
		{"outcome", ".", "^(Recovered|RecoveredLate|RecoveredUnproven|RolledBack|Incomplete|Rehearsed|Refused)$"},
		{"phase", "../runbook", "^Phase[A-Z]"},
		{"kind", "../runbook", "^Kind[A-Z]"},
		{"verb", "../runbook", "^(Approve|Reject|Retry|Skip|Abort|Pause|Resume)$"},
		{"identity", "../runbook", "^Claimed$"},
		{"mode", "../runbook", "^(Live|Rehearse)$"},
		{"scenario", "../workflows", "^[A-Z][A-Za-z]*Name$"},
	} {
		found := constants(t, words.folder, func(name, _ string) bool { return regexp.MustCompile(words.names).MatchString(name) })
		requireTranslated(t, words.group, found)
	}
	for group, kind := range map[string]string{"outcome": "Outcome", "state": "StepState", "verdict": "CheckVerdict"} {
		requireTranslated(t, group, constants(t, ".", func(_, of string) bool { return of == kind }))
	}
}

func requireTranslated(t *testing.T, group string, found []string) {
	t.Helper()
	require.NotEmpty(t, found, group)
	for _, word := range found {
		require.Contains(t, vocabulary, group+"."+word, "give it words in html_words.go")
	}
}

// constants are the texts of a package's constants, chosen by name and type.
func constants(t *testing.T, folder string, chosen func(name, of string) bool) []string {
	t.Helper()
	var found []string
	files, err := fs.Glob(os.DirFS(folder), "*.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			value, is := node.(*ast.ValueSpec)
			if is && len(value.Values) == len(value.Names) {
				found = append(found, texts(t, value, chosen)...)
			}
			return true
		})
	}
	return found
}

func texts(t *testing.T, value *ast.ValueSpec, chosen func(name, of string) bool) []string {
	t.Helper()
	of := ""
	if named, is := value.Type.(*ast.Ident); is {
		of = named.Name
	}
	var found []string
	for i, name := range value.Names {
		literal, is := value.Values[i].(*ast.BasicLit)
		if !is || literal.Kind != token.STRING || !chosen(name.Name, of) {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		found = append(found, text)
	}
	return found
}

func TestText_OneThatThePageDoesNotKnow_IsAnErrorAndNotSilence(t *testing.T) {
	_, err := English.text("soon")
	require.ErrorContains(t, err, `"soon"`)
}

func TestName_AWordThatIsNewerThanTheTable_IsShownAsItIs(t *testing.T) {
	require.Equal(t, "evacuated", Japanese.name("outcome", "evacuated"))
	require.Equal(t, "復旧", Japanese.name("outcome", "recovered"))
}

func TestDuration_IsWrittenAsPeopleReadIt(t *testing.T) {
	for length, said := range map[time.Duration][2]string{
		1269 * time.Millisecond:                 {"1.269 s", "1.269 秒"},
		0:                                       {"0 s", "0 秒"},
		1500 * time.Microsecond:                 {"0.002 s", "0.002 秒"},
		2098 * time.Millisecond:                 {"2.098 s", "2.098 秒"},
		30 * time.Minute:                        {"30 min", "30 分"},
		61*time.Minute + 1500*time.Millisecond:  {"1 h 1 min 2 s", "1 時間 1 分 2 秒"},
		59*time.Minute + 59600*time.Millisecond: {"1 h", "1 時間"},
		-2 * time.Second:                        {"−2 s", "−2 秒"},
	} {
		require.Equal(t, said[0], English.duration(length))
		require.Equal(t, said[1], Japanese.duration(length))
	}
}

func TestTicks_AnyLengthOfTime_HasAFewThatFitBesideEachOther(t *testing.T) {
	for length := 3 * time.Millisecond; length < 100*24*time.Hour; length = length * 13 / 10 {
		made := ticks(length)
		require.GreaterOrEqual(t, len(made), 2, length)
		require.LessOrEqual(t, len(made), 7, length)
		require.LessOrEqual(t, made[len(made)-1].X, 100.0)
	}
}

func TestPercent_HasADecimalOnlyWhereItSaysSomething(t *testing.T) {
	for share, said := range map[float64]string{0: "0.0 %", 0.01: "< 0.1 %", 0.5: "0.5 %", 23.4: "23 %", 150: "150 %"} {
		require.Equal(t, said, percent(share))
	}
}
