package main

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// The shares of the recovery-time objective, in percent, at which its bar changes colour. The run speaks up at the same ones.
const (
	shareHalf   = 50
	shareLate   = 80
	shareMissed = 100
)

// widestBar keeps the bar something to look at, and not a rule across the screen.
const widestBar = 40

// rto is the recovery-time objective as a bar that fills until the service is back.
func (v view) rto() []string {
	target, deadline := v.now.RTO.Target, v.now.Clocks.Deadline
	if target <= 0 || deadline.IsZero() {
		return nil
	}
	until, state := v.time, ""
	if recovered := v.now.Clocks.Recovered; !recovered.IsZero() {
		until, state = recovered, ", service is back"
	}
	used := max(0, until.Sub(deadline.Add(-target)))
	share := int(100 * used / target)
	if over := used - target; over >= 0 {
		state = fmt.Sprintf(", missed by %s", over.Round(time.Second)) + state
	}
	words := fmt.Sprintf(" %s of %s, %d %%%s", used.Round(time.Second), target, share, state)
	length := min(widestBar, v.width-len("RTO ")-len(words))
	if length < 10 {
		return v.wrapped(v.shareStyle(share), "", "RTO"+words)
	}
	full := min(length, share*length/100)
	bar := v.shareStyle(share).Render(strings.Repeat("▰", full)) + v.palette.soft.Render(strings.Repeat("▱", length-full))
	return []string{v.cut("RTO " + bar + v.shareStyle(share).Render(words))}
}

func (v view) shareStyle(share int) lipgloss.Style {
	switch {
	case share >= shareMissed:
		return v.palette.bad.Bold(true)
	case share >= shareLate:
		return v.palette.late
	case share >= shareHalf:
		return v.palette.warn
	default:
		return v.palette.accent
	}
}

// steps are the lines of the steps. Where there is little room, those before and after the ones at work are counted only.
func (v view) steps(much detail) []string {
	var drawn []string
	done, pending := 0, 0
	for _, step := range v.now.Steps {
		switch {
		case much >= currentOnly && over(step):
			done++
		case much >= currentOnly && step.State == report.Pending:
			pending++
		default:
			drawn = append(drawn, v.step(step, much)...)
		}
	}
	if done > 0 {
		drawn = append([]string{v.cut(v.palette.soft.Render(fmt.Sprintf("✓ %s before", steps(done))))}, drawn...)
	}
	if pending > 0 {
		drawn = append(drawn, v.cut(v.palette.soft.Render(fmt.Sprintf("  %s to come", steps(pending)))))
	}
	return drawn
}

func steps(count int) string {
	if count == 1 {
		return "1 step"
	}
	return fmt.Sprintf("%d steps", count)
}

// over says whether nothing more will happen in a step, and nobody has to know about it.
func over(step report.Step) bool {
	switch step.State {
	case report.Done, report.Skipped, report.Undone, report.Would:
		return true
	default:
		return false
	}
}

// step is one step: its state as a sign and in words, and how long it took, or takes and may take.
func (v view) step(step report.Step, much detail) []string {
	const column = 12 // the longest state and a space
	sign, style := v.sign(step.State)
	state := string(step.State)
	if step.State == report.Done || step.State == report.Pending {
		state = ""
	}
	took := v.took(step)
	room := max(1, v.width-2-column-ansi.StringWidth(took))
	name := ansi.Truncate(printable(step.Name), room-1, "...")
	line := style.Render(sign + " " + name)
	if state+took != "" {
		line += strings.Repeat(" ", max(1, room-ansi.StringWidth(name))) + style.Render(fmt.Sprintf("%-*s", column, state)) + took
	}
	drawn := []string{v.cut(line)}
	if much == everything && !over(step) && step.Result != "" {
		drawn = append(drawn, v.wrapped(v.palette.soft, "  ", step.Result)...)
	}
	return drawn
}

func (v view) took(step report.Step) string {
	switch {
	case step.Started.IsZero():
		return ""
	case !step.Finished.IsZero():
		return step.Took().Round(time.Millisecond).String()
	case step.Budget > 0 && step.State == report.Running: // while a person or the estate is waited for, the budget says nothing
		return fmt.Sprintf("%s of %s", v.since(step.Started), step.Budget)
	default:
		return v.since(step.Started).String()
	}
}

func (v view) sign(state report.StepState) (string, lipgloss.Style) {
	switch state {
	case report.Done:
		return "✓", v.palette.good
	case report.Running:
		return "▸", v.palette.accent
	case report.Waiting, report.Asking:
		return "▸", v.palette.warn
	case report.Failed, report.Standing, report.UndoFails, report.Blocked:
		return "✗", v.palette.bad
	case report.Would:
		return "▹", v.palette.plain
	default:
		return " ", v.palette.soft
	}
}
