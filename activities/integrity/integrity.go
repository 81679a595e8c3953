// Package integrity is what every check of data says, whatever it looked at.
package integrity

// Verdicts of a check. A check that could not run is not a pass.
const (
	Pass   = "pass"
	Fail   = "fail"
	NotRun = "not run"
)

// Check is one thing that was looked at, what it showed and what was expected. A check without an expectation is a record.
type Check struct {
	Name     string `json:"name"`
	Measured string `json:"measured"`
	Expected string `json:"expected,omitempty"`
	Verdict  string `json:"verdict"`
}

// Record is a measurement of which nothing is expected.
func Record(name, measured string) Check {
	return Check{Name: name, Measured: measured, Verdict: Pass}
}

// Compare expects the measurement to be exactly expected.
func Compare(name, measured, expected string) Check {
	check := Check{Name: name, Measured: measured, Expected: expected, Verdict: Fail}
	if measured == expected {
		check.Verdict = Pass
	}
	return check
}

// CouldNotRun is a check that has no measurement, and why.
func CouldNotRun(name, why string) Check {
	return Check{Name: name, Measured: why, Verdict: NotRun}
}
