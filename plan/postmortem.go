package plan

import (
	"fmt"
	"time"
)

// PostMortem is what follows a recovery.
type PostMortem struct {
	// Steps are done in their order, each within its time after service is back.
	Steps []PostMortemStep `yaml:"steps" json:"steps"`
	// Improvements are what every post-mortem must look for.
	Improvements []Text `yaml:"improvements,omitempty" json:"improvements,omitempty"`
}

// PostMortemStep is one step after a recovery.
type PostMortemStep struct {
	Name   string        `yaml:"name" json:"name"`
	Title  Text          `yaml:"title" json:"title"`
	Within time.Duration `yaml:"within" json:"within"` // time after the recovery
}

func (p Plan) validatePostMortem(c checker) {
	if !c.isSaid("postMortem") {
		return
	}
	if len(p.PostMortem.Steps) == 0 {
		c.wrong("postMortem.steps", "missing: name at least one step")
	}
	steps := map[string]bool{}
	for i, step := range p.PostMortem.Steps {
		path := fmt.Sprintf("postMortem.steps[%d]", i)
		c.name(path+".name", step.Name)
		c.unique(path+".name", step.Name, steps)
		c.text(path+".title", step.Title)
		c.positive(path+".within", step.Within)
		if i > 0 && step.Within <= p.PostMortem.Steps[i-1].Within {
			c.wrong(path+".within", "%s is not later than the %s of %s before it; deadlines rise", step.Within, p.PostMortem.Steps[i-1].Within, p.PostMortem.Steps[i-1].Name)
		}
	}
	improvements := map[string]bool{}
	for i, improvement := range p.PostMortem.Improvements {
		path := fmt.Sprintf("postMortem.improvements[%d]", i)
		c.text(path, improvement)
		c.unique(path, improvement.In("en"), improvements)
	}
}
