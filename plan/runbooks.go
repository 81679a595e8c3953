package plan

import (
	"reflect"
	"time"
)

// Runbooks is the policy of each scenario.
type Runbooks struct {
	DatabaseFailover   DatabaseFailover   `yaml:"database-failover" json:"database-failover"`
	DatabaseSwitchover DatabaseSwitchover `yaml:"database-switchover" json:"database-switchover"`
	Rejoin             Rejoin             `yaml:"rejoin,omitempty" json:"rejoin,omitzero"`
	RedisRecovery      RedisRecovery      `yaml:"redis-recovery,omitempty" json:"redis-recovery,omitzero"`
	ServiceRecovery    ServiceRecovery    `yaml:"service-recovery,omitempty" json:"service-recovery,omitzero"`
	FullOutage         FullOutage         `yaml:"full-outage,omitempty" json:"full-outage,omitzero"`
	ZoneEvacuation     ZoneEvacuation     `yaml:"zone-evacuation,omitempty" json:"zone-evacuation,omitzero"`
	NodeRecovery       NodeRecovery       `yaml:"node-recovery,omitempty" json:"node-recovery,omitzero"`
}

// runbookNames are the scenarios that a plan can have a policy for: what may be named as a runbook.
func runbookNames() []string { return fieldsOf(reflect.TypeFor[Runbooks]()).names }

// DatabaseFailover is the policy for replacing a dead primary.
type DatabaseFailover struct {
	// CoolingOff is how long after a recovery the next one of the same database needs the override `cooling-off`.
	CoolingOff time.Duration `yaml:"coolingOff" json:"coolingOff"`
	// PowerOff lets the fence switch the primary's machine off, with everything on it, when nothing else proves that the primary
	// is stopped. It needs the site's power service.
	PowerOff bool     `yaml:"powerOff,omitempty" json:"powerOff,omitempty"`
	Approval Approval `yaml:"approval" json:"approval"`
}

// DatabaseSwitchover is the policy for letting a replica take over from a healthy primary.
type DatabaseSwitchover struct {
	// CatchUp is how long the replica may take to catch up before anything is changed; 1m without it.
	CatchUp time.Duration `yaml:"catchUp,omitempty" json:"catchUp"`
	// WriteGap is how long the shutdown and its proof may take while nobody can write; 5s without it. After it the old primary is
	// started again.
	WriteGap time.Duration `yaml:"writeGap,omitempty" json:"writeGap"`
	Approval Approval      `yaml:"approval" json:"approval"`
}

// Rejoin is the policy for bringing a former primary back as a replica. Without it nobody is asked: rows that only the former
// primary has are kept before anything is changed.
type Rejoin struct {
	Approval Approval `yaml:"approval" json:"approval"`
}

// RedisRecovery is the policy for bringing a Redis back. Without it nobody is asked.
type RedisRecovery struct {
	// Settle is how long the master may take to come back by itself, and again after its pod was replaced, before a replica is
	// promoted; 20s without it.
	Settle   time.Duration `yaml:"settle,omitempty" json:"settle"`
	Approval Approval      `yaml:"approval" json:"approval"`
}

// ServiceRecovery is the policy for bringing one service back. Without it nobody is asked.
type ServiceRecovery struct {
	// Settle is how long each remedy may take until the service is well again, before the next one is tried; 2m without it.
	Settle   time.Duration `yaml:"settle,omitempty" json:"settle"`
	Approval Approval      `yaml:"approval" json:"approval"`
}

// FullOutage is the policy for bringing everything back. Without it nobody is asked.
type FullOutage struct {
	// Declare, Diagnose and Recover are the budgets of its phases; 5m, 10m and 15m without them.
	Declare  time.Duration `yaml:"declare,omitempty" json:"declare"`
	Diagnose time.Duration `yaml:"diagnose,omitempty" json:"diagnose"`
	Recover  time.Duration `yaml:"recover,omitempty" json:"recover"`
	// AtOnce is how many services of a tier are recovered at the same time; 8 without it.
	AtOnce   int      `yaml:"atOnce,omitempty" json:"atOnce" jsonschema:"minimum=1"`
	Approval Approval `yaml:"approval" json:"approval"`
}

// ZoneEvacuation is the policy for emptying a zone. Without it nobody is asked.
type ZoneEvacuation struct {
	// Drain is how long one node may take until its pods are elsewhere; 5m without it.
	Drain    time.Duration `yaml:"drain,omitempty" json:"drain"`
	Approval Approval      `yaml:"approval" json:"approval"`
}

// NodeRecovery is the policy for lost nodes. Without it nobody is asked.
type NodeRecovery struct {
	// Watch is how long Kubernetes may take to heal the loss by itself, before the run acts. It is less than the recovery time of every row
	// of the matrix that names this runbook; without it 1m, or half of such a time when that is less.
	Watch    time.Duration `yaml:"watch,omitempty" json:"watch"`
	Approval Approval      `yaml:"approval" json:"approval"`
}

func (r Runbooks) validate(c checker, p Plan) {
	r.DatabaseFailover.validate(c, "runbooks.database-failover", p)
	r.DatabaseSwitchover.validate(c, "runbooks.database-switchover", p)
	if path := "runbooks.rejoin"; c.isSaid(path) {
		r.Rejoin.Approval.validate(c, path+".approval", p)
	}
	if path := "runbooks.redis-recovery"; c.isSaid(path) {
		c.positiveIfSaid(path+".settle", r.RedisRecovery.Settle)
		r.RedisRecovery.Approval.validate(c, path+".approval", p)
	}
	if path := "runbooks.service-recovery"; c.isSaid(path) {
		c.positiveIfSaid(path+".settle", r.ServiceRecovery.Settle)
		r.ServiceRecovery.Approval.validate(c, path+".approval", p)
	}
	if path := "runbooks.full-outage"; c.isSaid(path) {
		r.FullOutage.validate(c, path, p)
	}
	if path := "runbooks.zone-evacuation"; c.isSaid(path) {
		c.positiveIfSaid(path+".drain", r.ZoneEvacuation.Drain)
		r.ZoneEvacuation.Approval.validate(c, path+".approval", p)
	}
	if path := "runbooks.node-recovery"; c.isSaid(path) {
		r.NodeRecovery.validate(c, path, p)
	}
}

func (f FullOutage) validate(c checker, path string, p Plan) {
	c.positiveIfSaid(path+".declare", f.Declare)
	c.positiveIfSaid(path+".diagnose", f.Diagnose)
	c.positiveIfSaid(path+".recover", f.Recover)
	if c.isSaid(path+".atOnce") && f.AtOnce < 1 {
		c.wrong(path+".atOnce", "%d: at least 1", f.AtOnce)
	}
	f.Approval.validate(c, path+".approval", p)
}

func (n NodeRecovery) validate(c checker, path string, p Plan) {
	c.positiveIfSaid(path+".watch", n.Watch)
	if row, found := p.soonest("node-recovery"); found && n.Watch >= row.RTO.Within {
		c.wrong(path+".watch", "%s leaves no time to act: %s is to be recovered within %s", n.Watch, row.Name, row.RTO)
	}
	n.Approval.validate(c, path+".approval", p)
}

func (f DatabaseFailover) validate(c checker, path string, p Plan) {
	c.positive(path+".coolingOff", f.CoolingOff)
	f.Approval.validate(c, path+".approval", p)
}

func (s DatabaseSwitchover) validate(c checker, path string, p Plan) {
	c.positiveIfSaid(path+".catchUp", s.CatchUp)
	c.positiveIfSaid(path+".writeGap", s.WriteGap)
	s.Approval.validate(c, path+".approval", p)
}
