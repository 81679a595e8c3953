// Package plan is the disaster-recovery plan as data: what is protected, to which standard, and who decides.
//
// A plan is policy. It is signed off, reviewed, and the same in every environment; where things are found is
// the business of a Site. Both are read from strict YAML: what the reader does not know is an error.
package plan

//go:generate go test -run TestSchema . -update

import (
	"reflect"
	"time"
)

// Plan is one disaster-recovery plan.
type Plan struct {
	Name    string `yaml:"plan" json:"plan"`
	Version string `yaml:"version" json:"version"`
	// Edition is who answers for this version of the plan, and when it is reviewed.
	Edition    Edition    `yaml:"edition,omitempty" json:"edition,omitzero"`
	Regions    []string   `yaml:"regions" json:"regions"`
	Namespace  string     `yaml:"namespace" json:"namespace"` // Kubernetes namespace of everything below
	Objectives Objectives `yaml:"objectives" json:"objectives"`
	// Tiers say what is recovered first.
	Tiers []Tier `yaml:"tiers,omitempty" json:"tiers,omitempty"`
	// Scenarios are the disasters that the plan is prepared for: the scenario matrix.
	Scenarios []Scenario `yaml:"scenarios,omitempty" json:"scenarios,omitempty"`
	// Backups are how data is kept safe.
	Backups []Backup `yaml:"backups,omitempty" json:"backups,omitempty"`
	// Teams are groups of people that are called as one.
	Teams  []Team   `yaml:"teams,omitempty" json:"teams,omitempty"`
	People []Person `yaml:"people" json:"people"`
	// Escalation is the ladder by which more people learn of a disaster, in its order.
	Escalation []EscalationLevel `yaml:"escalation" json:"escalation"`
	Contacts   Contacts          `yaml:"contacts,omitempty" json:"contacts,omitzero"`
	Drills     Drills            `yaml:"drills,omitempty" json:"drills,omitzero"`
	PostMortem PostMortem        `yaml:"postMortem,omitempty" json:"postMortem,omitzero"`
	// Tools are what people need at hand.
	Tools []Tool `yaml:"tools,omitempty" json:"tools,omitempty"`
	// References are documents that the plan relies on.
	References []Reference `yaml:"references,omitempty" json:"references,omitempty"`
	Databases  []Database  `yaml:"databases" json:"databases"`
	Services   []Service   `yaml:"services" json:"services"`
	Runbooks   Runbooks    `yaml:"runbooks" json:"runbooks"`
}

// Database is a PostgreSQL primary with streaming replicas, run as StatefulSets.
type Database struct {
	Name      string   `yaml:"name" json:"name"`                                      // what people type
	Region    string   `yaml:"region" json:"region"`                                  // where its StatefulSets run
	Catalog   string   `yaml:"catalog" json:"catalog"`                                // database inside the server that checks connect to
	Port      int      `yaml:"port" json:"port" jsonschema:"minimum=1,maximum=65535"` // TCP port of every instance
	Primary   string   `yaml:"primary" json:"primary"`                                // StatefulSet that holds the primary in normal times
	Replicas  []string `yaml:"replicas" json:"replicas"`                              // StatefulSets that hold replicas in normal times
	Container string   `yaml:"container" json:"container"`                            // container of the server in its pods
	// Service is the Kubernetes Service by which applications reach the primary. Its selector names one pod.
	Service string `yaml:"service" json:"service"`
	// Role is the ConfigMap that names the pod which may be primary: the object a start gate obeys.
	Role string `yaml:"role" json:"role"`
	// StartGate says that every instance asks Role before it starts as a primary.
	StartGate  bool       `yaml:"startGate" json:"startGate"`
	Redirect   Redirect   `yaml:"redirect,omitempty" json:"redirect,omitzero"`
	Durability Durability `yaml:"durability,omitempty" json:"durability,omitzero"`
	// Canary is the write that proves, through the application, that the database serves again.
	Canary    Canary  `yaml:"canary" json:"canary"`
	Integrity []Query `yaml:"integrity,omitempty" json:"integrity"`
}

// Canary is one write and its reading back through an application. `{number}` in Body, Write and Read is replaced by a
// number that is the same for every attempt of one run, so that repeating it is harmless.
type Canary struct {
	Service string `yaml:"service" json:"service"`     // a service of the plan
	Write   string `yaml:"write" json:"write"`         // path of the POST
	Body    string `yaml:"body,omitempty" json:"body"` // JSON of the POST
	Read    string `yaml:"read" json:"read"`           // path of the GET, which answers 2xx only when the row is there
}

// Query is a question to the database whose answer shows that its contents are sound.
type Query struct {
	Name string `yaml:"name" json:"name"`
	SQL  string `yaml:"sql" json:"sql"`
	// Expect is the text of the first column of the only row. Empty: the query must succeed, its answer is only recorded.
	Expect string `yaml:"expect,omitempty" json:"expect,omitempty"`
}

// Service is an application that users notice when it is gone.
type Service struct {
	Name       string   `yaml:"name" json:"name"`
	Tier       int      `yaml:"tier" json:"tier" jsonschema:"minimum=1,maximum=3"` // 1 critical, 2 important, 3 standard
	Deployment string   `yaml:"deployment" json:"deployment"`
	Health     []string `yaml:"health" json:"health"` // paths that answer 2xx when the service is well
}

// Runbooks is the policy of each scenario.
type Runbooks struct {
	DatabaseFailover   DatabaseFailover   `yaml:"database-failover" json:"database-failover"`
	DatabaseSwitchover DatabaseSwitchover `yaml:"database-switchover" json:"database-switchover"`
	Rejoin             Rejoin             `yaml:"rejoin,omitempty" json:"rejoin,omitzero"`
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

// Approval says who must agree before a step that cannot be taken lightly.
type Approval struct {
	// Needed is how many different people must agree. 0: nobody is asked, the plan has decided, and the report says so.
	Needed int `yaml:"needed" json:"needed" jsonschema:"minimum=0"`
	// From lists the roles whose holders may answer.
	From       []string   `yaml:"from,omitempty" json:"from"`
	Unanswered Unanswered `yaml:"unanswered,omitempty" json:"unanswered"`
}

// Unanswered is what happens to a question that nobody answers.
type Unanswered struct {
	After time.Duration `yaml:"after" json:"after"`                                              // how long it stays visible first
	Then  string        `yaml:"then" json:"then" jsonschema:"enum=proceed,enum=hold,enum=abort"` // proceed, hold or abort; never proceed when data would be lost or a fence is unproven
}

// What may stand in Unanswered.Then.
const (
	Proceed = "proceed"
	Hold    = "hold"
	Abort   = "abort"
)

// Pinned is a plan as one run holds on to it: later edits of the file do not reach it.
type Pinned struct {
	Plan Plan   `json:"plan"`
	Hash string `json:"hash"` // "sha256:" and the digest of the file's bytes
}
