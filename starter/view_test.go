package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files anew")

var three = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return three.Add(time.Duration(seconds) * time.Second) }

// asking is a failover that asks a person, fifteen minutes into an objective of thirty.
func asking() report.Report {
	return report.Report{
		Scenario: "DatabaseFailover", Target: "database shodo", Mode: "live", WorkflowID: "database-failover/shodo", Phase: "asking",
		Clocks: report.Clocks{ImpactStarted: after(0), Declared: after(20), Detected: after(23), Deadline: after(1800)},
		RTO:    report.Measure{Target: 30 * time.Minute},
		Steps: []report.Step{
			{Name: "Take the recovery lease", State: report.Done, Budget: 5 * time.Second, Started: after(20), Finished: after(21), Result: "epoch 1"},
			{Name: "Confirm that the primary is gone", State: report.Done, Budget: 5 * time.Second, Started: after(21), Finished: after(23), Result: "power: machine node-d1 is Off"},
			{Name: "Fence the old primary", State: report.Asking, Budget: 5 * time.Second, Started: after(23), Result: "asks for approval"},
			{Name: "Prove that the old primary is stopped", State: report.Pending, Budget: 30 * time.Second},
			{Name: "Promote the replica", State: report.Pending, Budget: 30 * time.Second, PointOfNoReturn: true},
		},
		Question: &report.Question{
			Number: 1, Text: "Replace primary postgres-primary-0 of database shodo by postgres-replica-0?", Answers: []string{"approve", "reject"}, From: []string{"aiko", "cto"}, Needed: 1,
			Asked: after(23), Unanswered: "after 30m0s the plan's default is reject",
			Facts: []report.Fact{{Name: "replica to promote", Value: "postgres-replica-0 at 0/5006858 on timeline 1"}, {Name: "acknowledged writes that would be lost", Value: "the writes of at most the last 1.167s"}},
		},
		Forecast: &report.Forecast{Recovered: after(950), Finished: after(1200), Runs: 7},
		Notifications: []report.Notification{
			{At: after(23), Channel: "on-call-pager", Event: "trigger", Level: "L1", State: report.Undelivered, Why: "no answer within 10s"},
			{At: after(23), Channel: "incident-chat", Event: "trigger", Level: "L1", State: report.Undelivered, Why: "it answered 500"},
			{At: after(24), Channel: "incident-chat", Event: "trigger", Level: "L2", State: report.Sent},
		},
		Timeline: []report.Entry{{At: after(20), Kind: "run", Text: "asked for by yuki"}, {At: after(21), Kind: "step", Step: "Take the recovery lease", Text: "epoch 1"}},
	}
}

// standing is a recovery in which a step failed, told by Japanese operators.
func standing() report.Report {
	r := asking()
	r.Phase, r.Target = "standing", "データベース shodo"
	r.Steps[2] = report.Step{Name: "旧プライマリを隔離し、二度と書き込めないようにする", State: report.Standing, Budget: 5 * time.Second, Started: after(23), Result: "node-b1 の空き容量が不足しています: 12 GiB 必要、3 GiB 空き"}
	r.Question.Number, r.Question.Text, r.Question.Answers = 2, "旧プライマリを隔離できませんでした。どうしますか?", []string{"retry", "skip", "abort"}
	r.Question.From = []string{"愛子"}
	r.Rejected = []report.Rejected{{Verb: "approve", By: "田中", Why: "田中 is not among those who may answer question 2"}}
	return r
}

func seen(of report.Report, width, height, seconds int) view {
	v := newView("database-failover/shodo")
	for _, message := range []tea.Msg{tea.WindowSizeMsg{Width: width, Height: height}, of, moved(after(seconds))} {
		next, _ := v.Update(message)
		v = next.(view)
	}
	return v
}

// drawn is what a person reads, without its colours.
func drawn(v view) string { return ansi.Strip(v.View().Content) }

func TestView_FixedReports_AreDrawnAsTheGoldenScreens(t *testing.T) {
	for name, v := range map[string]view{
		"asking-100":  seen(asking(), 100, 40, 900),
		"asking-60":   seen(asking(), 60, 60, 900),
		"low":         seen(asking(), 80, 14, 1500),
		"standing-80": seen(standing(), 80, 40, 2100),
		"standing-60": seen(standing(), 60, 60, 2100),
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", "watch-"+name+".txt")
			got := drawn(v) + "\n"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestView_AnyWidth_NoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, of := range []report.Report{asking(), standing(), {}} {
		for width := 1; width <= 200; width++ {
			for line := range strings.SplitSeq(seen(of, width, 50, 900).View().Content, "\n") {
				require.LessOrEqual(t, ansi.StringWidth(line), width, "%q", line)
			}
		}
	}
}

func TestView_AHighTerminalOrALowOne_ShowsTheQuestionAndItsAnswers(t *testing.T) {
	for _, height := range []int{14, 16, 20, 24, 50} {
		got := drawn(seen(asking(), 80, height, 900))
		require.LessOrEqual(t, strings.Count(got, "\n")+1, height)
		require.Contains(t, got, "fukkyu approve database-failover/shodo --question 1 --by aiko")
		require.Contains(t, got, "fukkyu reject database-failover/shodo --question 1 --by aiko")
		require.Contains(t, got, "q leaves, the run goes on")
		require.Contains(t, got, "50 %")
	}
}

func TestView_TheObjective_FillsAndChangesItsColourAsTimeRunsOut(t *testing.T) {
	palette := newPalette()
	for share, style := range map[int]string{0: palette.accent.Render("x"), 49: palette.accent.Render("x"), 50: palette.warn.Render("x"), 80: palette.late.Render("x"), 100: palette.bad.Bold(true).Render("x"), 250: palette.bad.Bold(true).Render("x")} {
		require.Equal(t, style, seen(asking(), 80, 24, 0).shareStyle(share).Render("x"), share)
	}
	full := func(seconds int) int { return strings.Count(drawn(seen(asking(), 100, 40, seconds)), "▰") }
	require.Zero(t, full(0))
	require.Equal(t, 20, full(900))
	require.Contains(t, drawn(seen(asking(), 100, 40, 1920)), "32m0s of 30m0s, 106 %, missed by 2m0s")
	require.Zero(t, strings.Count(drawn(seen(asking(), 100, 40, 1920)), "▱"))
	require.Zero(t, full(-60), "a clock that is behind the server's invents nothing")
}

func TestView_ServiceIsBack_StopsTheClockOfTheObjective(t *testing.T) {
	back := asking()
	back.Clocks.Recovered = after(300)
	got := drawn(seen(back, 100, 40, 1790))
	require.Contains(t, got, "5m0s of 30m0s, 16 %, service is back")
}

func TestView_ARehearsal_HasNoObjective(t *testing.T) {
	rehearsal := asking()
	rehearsal.Mode, rehearsal.Clocks.Deadline = "rehearse", time.Time{}
	require.NotContains(t, drawn(seen(rehearsal, 100, 40, 900)), "RTO")
}

func TestView_NobodyAnswersYet_SaysWhatItWaitsFor(t *testing.T) {
	v := newView("database-failover/shodo")
	require.Contains(t, drawn(v), "asking the run how it stands")
	next, _ := v.Update(silent("no worker answers (deadline exceeded); the run waits for one"))
	require.Contains(t, drawn(next.(view)), "no worker answers")
	require.NotContains(t, drawn(next.(view)), "asking the run")
	next, _ = next.Update(asking())
	require.NotContains(t, drawn(next.(view)), "no worker answers", "it has answered")
	next, _ = next.Update(told("the approval of aiko was not taken"))
	next, _ = next.Update(asking())
	require.Contains(t, drawn(next.(view)), "the approval of aiko was not taken", "that stays true")
}

func TestView_Keys_OnlyThoseThatLeaveDoSomething(t *testing.T) {
	v := seen(asking(), 80, 24, 900)
	for _, key := range []tea.KeyPressMsg{{Code: 'q', Text: "q"}, {Code: 'c', Mod: tea.ModCtrl}} {
		_, command := v.Update(key)
		require.NotNil(t, command, key)
		require.IsType(t, tea.QuitMsg{}, command())
	}
	for _, key := range []tea.KeyPressMsg{{Code: 'a', Text: "a"}, {Code: tea.KeyEnter}, {Code: tea.KeyEscape}, {Code: 'y', Text: "y"}} {
		next, command := v.Update(key)
		require.Nil(t, command, key)
		require.Equal(t, drawn(v), drawn(next.(view)))
	}
}

func TestView_TextsThatWouldSteerTheTerminal_AreOnlyShown(t *testing.T) {
	hostile := asking()
	hostile.Target = "database\x1b[2J\x1b]0;owned\x07 shodo\r\nQuestion 9: all is well"
	hostile.Steps[2].Name, hostile.Steps[2].Result = "\x1b[31mred\a", "a\nb\x9b2J"
	content := seen(hostile, 100, 40, 900).View().Content
	for _, steering := range []string{"\x1b[2J", "\x1b]0", "\a", "\r", "\u009b", "owned"} {
		require.NotContains(t, content, steering)
	}
	require.NotContains(t, ansi.Strip(content), "\nQuestion 9")
}

func TestShellLines_ACommandTooLongForTheTerminal_CanStillBeCopied(t *testing.T) {
	command := "fukkyu approve database-failover/shodo --question 1 --by 愛子"
	require.Equal(t, []string{command}, shellLines(command, 80))
	for width := 1; width < 60; width++ {
		broken := shellLines(command, width)
		require.Equal(t, strings.Fields(command), strings.Fields(strings.ReplaceAll(strings.Join(broken, "\n"), "\\\n", " ")), "as a shell reads it")
	}
	require.Equal(t, []string{`fukkyu approve database-failover/shodo \`, "  --question 1 --by 愛子"}, shellLines(command, 50))
	require.Equal(t, []string{`fukkyu \`, `  approve \`, "  --by '鈴木 愛子'"}, shellLines("fukkyu approve --by '鈴木 愛子'", 10), "what is quoted stays in one piece")
}
