package plan

import (
	"fmt"
	"slices"
	"time"
)

// How much of the system a scenario takes away.
const (
	MinimalImpact = "minimal"
	SmallImpact   = "small"
	MediumImpact  = "medium"
	LargeImpact   = "large"
	SevereImpact  = "severe"
)

func impacts() []string {
	return []string{MinimalImpact, SmallImpact, MediumImpact, LargeImpact, SevereImpact}
}

// Scenario is one row of the scenario matrix: a disaster that the plan is prepared for.
type Scenario struct {
	Name   string `yaml:"name" json:"name"`   // what the rest of the plan calls it
	Title  Text   `yaml:"title" json:"title"` // what people call it
	Impact string `yaml:"impact" json:"impact" jsonschema:"enum=minimal,enum=small,enum=medium,enum=large,enum=severe"`
	// RTO is how soon service must be back; never more than the plan's.
	RTO RecoveryTime `yaml:"rto" json:"rto"`
	// Strategy is how it is answered.
	Strategy Text `yaml:"strategy" json:"strategy"`
	// Automatic says that the platform answers by itself, so that no runbook is missing.
	Automatic bool `yaml:"automatic,omitempty" json:"automatic,omitempty"`
	// Runbook is the runbook that answers it. Left out while there is none.
	Runbook string `yaml:"runbook,omitempty" json:"runbook,omitempty"`
}

// RecoveryTime is how soon service must be back: within a duration, or immediately, which means that people act at once and
// nothing is measured against a clock.
type RecoveryTime struct {
	Immediate bool
	Within    time.Duration // 0 when nobody may notice anything
}

const immediate = "immediate"

// String is the time as it is written in a plan.
func (r RecoveryTime) String() string {
	if r.Immediate {
		return immediate
	}
	return r.Within.String()
}

// MarshalText writes the time as a plan has it.
func (r RecoveryTime) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads immediate, or a duration with its unit.
func (r *RecoveryTime) UnmarshalText(text []byte) error {
	if string(text) == immediate {
		*r = RecoveryTime{Immediate: true}
		return nil
	}
	within, err := parseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no time to recover in; write a duration, for example 10m, or %s", text, immediate)
	}
	*r = RecoveryTime{Within: within}
	return nil
}

// Scenario finds a row of the scenario matrix by its name.
func (p Plan) Scenario(name string) (Scenario, bool) {
	at := slices.IndexFunc(p.Scenarios, func(s Scenario) bool { return s.Name == name })
	if at < 0 {
		return Scenario{}, false
	}
	return p.Scenarios[at], true
}

// soonest is the row that names a runbook and has the least time for it.
func (p Plan) soonest(runbook string) (Scenario, bool) {
	var soonest Scenario
	for _, row := range p.Scenarios {
		if row.Runbook == runbook && row.RTO.Within > 0 && (soonest.Name == "" || row.RTO.Within < soonest.RTO.Within) {
			soonest = row
		}
	}
	return soonest, soonest.Name != ""
}

func (p Plan) scenarioNames() []string {
	var names []string
	for _, scenario := range p.Scenarios {
		names = append(names, scenario.Name)
	}
	return names
}

func (p Plan) validateScenarios(c checker) {
	seen := map[string]bool{}
	for i, scenario := range p.Scenarios {
		path := fmt.Sprintf("scenarios[%d]", i)
		c.name(path+".name", scenario.Name)
		c.unique(path+".name", scenario.Name, seen)
		scenario.validate(c, path, p.Objectives)
	}
}

func (s Scenario) validate(c checker, path string, objectives Objectives) {
	c.text(path+".title", s.Title)
	c.oneOf(path+".impact", s.Impact, impacts())
	c.said(path+".rto", "how soon service must be back, for example 10m; 0m when nobody may notice anything, or immediate")
	c.within(path+".rto", s.RTO.Within, objectives)
	c.text(path+".strategy", s.Strategy)
	if s.Runbook != "" {
		c.oneOf(path+".runbook", s.Runbook, runbookNames())
	}
}

// within reports a time that is negative, or longer than the plan allows any recovery to take.
func (c checker) within(path string, value time.Duration, objectives Objectives) {
	switch {
	case value < 0:
		c.wrong(path, "%s: no time is less than 0", value)
	case value > objectives.RTO && objectives.RTO > 0:
		c.wrong(path, "%s is longer than the %s of objectives.rto", value, objectives.RTO)
	}
}
