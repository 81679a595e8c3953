package report

import (
	"fmt"
	"strings"
)

// CheckVerdict is what came of an integrity check. One that could not run is not a pass.
type CheckVerdict string

// The verdicts of a check.
const (
	CheckPassed CheckVerdict = "pass"
	CheckFailed CheckVerdict = "fail"
	CheckNotRun CheckVerdict = "not run"
)

// Check is one thing that was looked at after a recovery: what it showed, and what was expected.
type Check struct {
	Target   string       `json:"target"` // for example "database shodo"
	Name     string       `json:"name"`
	Measured string       `json:"measured"`           // or why it could not run
	Expected string       `json:"expected,omitempty"` // empty: nothing, it is a record
	Verdict  CheckVerdict `json:"verdict"`
}

// Tone is how the verdict is coloured: as the state of a step is.
func (v CheckVerdict) Tone() StepState {
	switch v {
	case CheckPassed:
		return Done
	case CheckNotRun:
		return Waiting
	default:
		return Failed
	}
}

// String is the check in a sentence.
func (c Check) String() string {
	switch {
	case c.Verdict == CheckNotRun:
		return fmt.Sprintf("%s, %s: could not be checked: %s", c.Target, c.Name, c.Measured)
	case c.Expected == "":
		return fmt.Sprintf("%s, %s: %s", c.Target, c.Name, c.Measured)
	default:
		return fmt.Sprintf("%s, %s: measured %q, expected %q", c.Target, c.Name, c.Measured, c.Expected)
	}
}

// Unsound are the checks that did not pass.
func (r Report) Unsound() []Check {
	var unsound []Check
	for _, check := range r.Checks {
		if check.Verdict != CheckPassed {
			unsound = append(unsound, check)
		}
	}
	return unsound
}

func (r Report) writeChecks(b *strings.Builder) {
	if len(r.Checks) == 0 {
		return
	}
	b.WriteString("## Integrity checks\n\n| of | check | measured | expected | verdict |\n|---|---|---|---|---|\n")
	for _, check := range r.Checks {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", cell(check.Target), cell(check.Name), cell(check.Measured), cell(check.Expected), cell(string(check.Verdict)))
	}
	b.WriteString("\n")
}
