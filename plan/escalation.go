package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// EscalationLevel is one level of the ladder by which more and more people learn of a disaster. A run climbs it by its clock;
// people climb it by the condition.
type EscalationLevel struct {
	// Level names it, for example L1.
	Level string `yaml:"level" json:"level"`
	// Condition says when people call it.
	Condition Text `yaml:"condition" json:"condition"`
	// At is the share of the recovery-time objective that is used up when a run climbs to this level: 0% when it begins.
	At Percent `yaml:"at" json:"at"`
	// Who must act: people, roles or teams of the plan.
	Who []string `yaml:"who" json:"who"`
	// RespondWithin is how soon they must answer; 0s means at once.
	RespondWithin time.Duration `yaml:"respondWithin" json:"respondWithin"`
	// Notify names the channels by which they are told. The site binds each of them to something real.
	Notify []string `yaml:"notify" json:"notify"`
}

// Channels lists the names of all channels that the plan notifies, each once, in the plan's order.
func (p Plan) Channels() []string {
	var channels []string
	for _, level := range p.Escalation {
		for _, channel := range level.Notify {
			if !slices.Contains(channels, channel) {
				channels = append(channels, channel)
			}
		}
	}
	return channels
}

// channelName is what names a channel: it stands in file names of secrets and in metrics.
var channelName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

func (p Plan) validateEscalation(c checker) {
	if len(p.Escalation) == 0 {
		c.wrong("escalation", "missing: name at least one level")
	}
	seen := map[string]bool{}
	for i, level := range p.Escalation {
		path := fmt.Sprintf("escalation[%d]", i)
		c.required(path+".level", level.Level)
		c.unique(path+".level", level.Level, seen)
		level.validate(c, path, p)
		if i > 0 && level.At <= p.Escalation[i-1].At {
			c.wrong(path+".at", "%s is not later than the %s of %s before it; levels rise", level.At, p.Escalation[i-1].At, p.Escalation[i-1].Level)
		}
	}
}

func (l EscalationLevel) validate(c checker, path string, p Plan) {
	c.text(path+".condition", l.Condition)
	c.said(path+".at", "the share of the RTO at which a run climbs here, for example 50%; 0% when it begins")
	c.parties(path+".who", l.Who, p)
	for i, who := range l.Who {
		if p.knows(who) && len(p.PeopleOf(who)) == 0 {
			c.wrong(fmt.Sprintf("%s.who[%d]", path, i), "nobody is in %s", who)
		}
	}
	c.said(path+".respondWithin", "how soon they must answer, for example 15m; 0s means at once")
	if l.RespondWithin < 0 {
		c.wrong(path+".respondWithin", "%s: nobody can answer before they are told", l.RespondWithin)
	}
	if len(l.Notify) == 0 {
		c.wrong(path+".notify", "missing: name at least one channel; the site says what it is")
	}
	seen := map[string]bool{}
	for i, channel := range l.Notify {
		at := fmt.Sprintf("%s.notify[%d]", path, i)
		c.unique(at, channel, seen)
		if !channelName.MatchString(channel) {
			c.wrong(at, "%q names no channel: small letters, digits and - only", channel)
		}
	}
}

// parties reports an empty list of people, roles and teams, and those that the plan does not know.
func (c checker) parties(path string, who []string, p Plan) {
	if len(who) == 0 {
		c.wrong(path, "missing: name at least one person, role or team; valid are %s", strings.Join(p.parties(), ", "))
	}
	seen := map[string]bool{}
	for i, name := range who {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.unique(at, name, seen)
		c.oneOf(at, name, p.parties())
	}
}
