package plan

import "time"

// Objectives are what recovery is measured against.
type Objectives struct {
	RTO time.Duration `yaml:"rto" json:"rto"` // longest time without service
	RPO time.Duration `yaml:"rpo" json:"rpo"` // longest stretch of acknowledged writes that may be lost
	// Availability is the share of time in which the system serves.
	Availability Percent `yaml:"availability,omitempty" json:"availability,omitempty"`
	// Integrity is the share of the data that must be sound after a recovery.
	Integrity Percent `yaml:"integrity,omitempty" json:"integrity,omitempty"`
	// Current is what is known to be reached today. Each may be left out while nobody has measured it.
	Current Capability `yaml:"current,omitempty" json:"current,omitzero"`
}

// Capability is what is reached today.
type Capability struct {
	RTO          *MeasuredTime  `yaml:"rto,omitempty" json:"rto,omitempty"`
	RPO          *MeasuredTime  `yaml:"rpo,omitempty" json:"rpo,omitempty"`
	Availability *MeasuredShare `yaml:"availability,omitempty" json:"availability,omitempty"`
	Integrity    *MeasuredShare `yaml:"integrity,omitempty" json:"integrity,omitempty"`
}

// MeasuredTime is a time that was measured, and how.
type MeasuredTime struct {
	Value time.Duration `yaml:"value" json:"value"`
	Basis Text          `yaml:"basis,omitempty" json:"basis,omitzero"` // how it is known, for example a drill
}

// MeasuredShare is a share that was measured, and how.
type MeasuredShare struct {
	Value Percent `yaml:"value" json:"value"`
	Basis Text    `yaml:"basis,omitempty" json:"basis,omitzero"` // how it is known, for example the last three months
}

func (o Objectives) validate(c checker) {
	const path = "objectives"
	c.positive(path+".rto", o.RTO)
	c.positive(path+".rpo", o.RPO)
	c.shareIfSaid(path+".availability", o.Availability)
	c.shareIfSaid(path+".integrity", o.Integrity)
	o.Current.RTO.validate(c, path+".current.rto")
	o.Current.RPO.validate(c, path+".current.rpo")
	o.Current.Availability.validate(c, path+".current.availability")
	o.Current.Integrity.validate(c, path+".current.integrity")
}

func (m *MeasuredTime) validate(c checker, path string) {
	if m == nil {
		return
	}
	c.said(path+".value", "the time that was measured, for example 20m")
	if m.Value < 0 {
		c.wrong(path+".value", "%s: no time is less than 0", m.Value)
	}
}

func (m *MeasuredShare) validate(c checker, path string) {
	if m == nil {
		return
	}
	c.said(path+".value", "the share that was measured, for example 99.96%")
	c.atMostWhole(path+".value", m.Value)
}

func (c checker) shareIfSaid(path string, value Percent) {
	if !c.isSaid(path) {
		return
	}
	if value == 0 {
		c.wrong(path, "0%%: a target is more than nothing")
	}
	c.atMostWhole(path, value)
}

func (c checker) atMostWhole(path string, value Percent) {
	if value > whole {
		c.wrong(path, "%s is more than everything: 100%% at most", value)
	}
}
