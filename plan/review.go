package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Warning is one thing that a person should look at although the plan is valid, and where it stands.
type Warning struct {
	File    string
	Line    int // from 1, 0 when the place is not known
	Column  int
	Path    string // for example scenarios[3].runbook
	Message string
}

// String is the place, the path and the warning, in one line.
func (w Warning) String() string {
	return Error{File: w.File, Line: w.Line, Column: w.Column, Path: w.Path, Message: "warning: " + w.Message}.Error()
}

// Warnings are everything that a person should look at, in the file's order.
type Warnings []Warning

// String has one line for each of them.
func (w Warnings) String() string {
	lines := make([]string, len(w))
	for i, one := range w {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Review reads and validates a plan as Parse does, and says what a person should look at as of a moment. A plan that is not valid
// has errors and no warnings.
func Review(file string, data []byte, now time.Time) (Pinned, Warnings, error) {
	pinned, read := parse(file, data)
	if err := read.errors.orNil(); err != nil {
		return pinned, nil, err
	}
	r := reviewer{document: read}
	r.edition(pinned.Plan.Edition, now)
	r.capability(pinned.Plan.Objectives)
	r.scenarios(pinned.Plan.Scenarios)
	r.contacts("contacts.onCall", pinned.Plan.Contacts.OnCall)
	r.contacts("contacts.escalation", pinned.Plan.Contacts.Escalation)
	slices.SortStableFunc(r.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return pinned, r.warnings, nil
}

// reviewer looks at a valid plan as the person who must keep it does.
type reviewer struct {
	*document
	warnings Warnings
}

func (r *reviewer) warn(path, format string, args ...any) {
	warning := Warning{File: r.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if place := r.placeOf(path); place != nil {
		warning.Line, warning.Column = place.Line, place.Column
	}
	r.warnings = append(r.warnings, warning)
}

func (r *reviewer) edition(edition Edition, now time.Time) {
	if next := edition.Review.Next; !next.IsZero() && next.Over(now) {
		r.warn("edition.review.next", "the review of %s is overdue; review the plan, and write down when the next one is", next)
	}
	for i, signature := range edition.SignOff {
		if !signature.Signed() {
			r.warn(fmt.Sprintf("edition.signOff[%d]", i), "%s has not signed", signature.Role)
		}
	}
}

func (r *reviewer) capability(o Objectives) {
	r.longer("objectives.current.rto", o.Current.RTO, o.RTO)
	r.longer("objectives.current.rpo", o.Current.RPO, o.RPO)
	r.less("objectives.current.availability", o.Current.Availability, o.Availability)
	r.less("objectives.current.integrity", o.Current.Integrity, o.Integrity)
}

func (r *reviewer) longer(path string, current *MeasuredTime, target time.Duration) {
	if current != nil && current.Value > target {
		r.warn(path+".value", "%s is worse than the target of %s", current.Value, target)
	}
}

func (r *reviewer) less(path string, current *MeasuredShare, target Percent) {
	if current != nil && current.Value < target {
		r.warn(path+".value", "%s is worse than the target of %s", current.Value, target)
	}
}

func (r *reviewer) scenarios(scenarios []Scenario) {
	for i, scenario := range scenarios {
		if scenario.Runbook == "" && !scenario.Automatic {
			r.warn(fmt.Sprintf("scenarios[%d].runbook", i), "no runbook answers %s; people must", scenario.Name)
		}
	}
}

func (r *reviewer) contacts(path string, contacts []Contact) {
	for i, contact := range contacts {
		if contact.Placeholder() {
			r.warn(fmt.Sprintf("%s[%d].phone", path, i), "%s is a placeholder; nobody can be called by it", contact.Phone)
		}
	}
}
