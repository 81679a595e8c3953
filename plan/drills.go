package plan

import (
	"fmt"
	"time"
)

// Drills are how the plan is practised.
type Drills struct {
	// Calendar is which drill is held how often.
	Calendar []Drill `yaml:"calendar" json:"calendar"`
	// Exercises are what is practised in them, step by step.
	Exercises []Exercise `yaml:"exercises,omitempty" json:"exercises,omitempty"`
}

// Drill is an entry of the calendar of drills.
type Drill struct {
	Name  string        `yaml:"name" json:"name"`
	Title Text          `yaml:"title" json:"title"`
	Every string        `yaml:"every" json:"every" jsonschema:"enum=monthly,enum=quarterly,enum=half-yearly,enum=yearly"` // monthly, quarterly, half-yearly or yearly
	Takes time.Duration `yaml:"takes" json:"takes"`
	// Participants are teams of the plan.
	Participants []string `yaml:"participants" json:"participants"`
}

// Exercise is what is done in a drill, and when it has succeeded.
type Exercise struct {
	Name  string `yaml:"name" json:"name"`
	Title Text   `yaml:"title" json:"title"`
	// Drill is the entry of the calendar in which it is practised.
	Drill string `yaml:"drill" json:"drill"`
	// Scenario is the row of the scenario matrix that it exercises.
	Scenario string `yaml:"scenario" json:"scenario"`
	Purpose  Text   `yaml:"purpose" json:"purpose"`
	// Expected is how long the recovery takes at most; never more than the plan's recovery-time objective.
	Expected time.Duration `yaml:"expected" json:"expected"`
	// Success lists what must be true in the end.
	Success []Text `yaml:"success" json:"success"`
	Steps   []Text `yaml:"steps" json:"steps"`
	// Checks lists what is looked at afterwards.
	Checks []Text `yaml:"checks,omitempty" json:"checks,omitempty"`
}

func (p Plan) validateDrills(c checker) {
	if !c.isSaid("drills") {
		return
	}
	if len(p.Drills.Calendar) == 0 {
		c.wrong("drills.calendar", "missing: name at least one drill")
	}
	var calendar []string
	seen := map[string]bool{}
	for i, drill := range p.Drills.Calendar {
		path := fmt.Sprintf("drills.calendar[%d]", i)
		c.name(path+".name", drill.Name)
		c.unique(path+".name", drill.Name, seen)
		drill.validate(c, path, p)
		calendar = append(calendar, drill.Name)
	}
	exercises := map[string]bool{}
	for i, exercise := range p.Drills.Exercises {
		path := fmt.Sprintf("drills.exercises[%d]", i)
		c.required(path+".name", exercise.Name)
		c.unique(path+".name", exercise.Name, exercises)
		c.oneOf(path+".drill", exercise.Drill, calendar)
		exercise.validate(c, path, p)
	}
}

func (d Drill) validate(c checker, path string, p Plan) {
	c.text(path+".title", d.Title)
	c.oneOf(path+".every", d.Every, cycles())
	c.positive(path+".takes", d.Takes)
	if len(d.Participants) == 0 {
		c.wrong(path+".participants", "missing: name at least one team; valid are %s", orNothing(p.teamNames()))
	}
	seen := map[string]bool{}
	for i, team := range d.Participants {
		at := fmt.Sprintf("%s.participants[%d]", path, i)
		c.oneOf(at, team, p.teamNames())
		c.unique(at, team, seen)
	}
}

func (e Exercise) validate(c checker, path string, p Plan) {
	c.text(path+".title", e.Title)
	c.oneOf(path+".scenario", e.Scenario, p.scenarioNames())
	c.text(path+".purpose", e.Purpose)
	c.positive(path+".expected", e.Expected)
	c.within(path+".expected", e.Expected, p.Objectives)
	c.texts(path+".success", e.Success, "what must be true in the end")
	c.texts(path+".steps", e.Steps, "what is done")
	for i, check := range e.Checks {
		c.text(fmt.Sprintf("%s.checks[%d]", path, i), check)
	}
}

// texts reports an empty list, and what is empty in it.
func (c checker) texts(path string, values []Text, what string) {
	if len(values) == 0 {
		c.wrong(path, "missing: %s", what)
	}
	for i, value := range values {
		c.text(fmt.Sprintf("%s[%d]", path, i), value)
	}
}
