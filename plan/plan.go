// Package plan is the disaster-recovery plan as data: what is protected, to which standard, and who decides.
//
// A plan is policy. It is signed off, reviewed, and the same in every environment; where things are found is
// the business of a Site. Both are read from strict YAML: what the reader does not know is an error.
package plan

//go:generate go test -run TestSchema . -update

import "time"

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
	// Redis are the Redis servers.
	Redis    []Redis   `yaml:"redis,omitempty" json:"redis,omitempty"`
	Services []Service `yaml:"services" json:"services"`
	// Dependencies are what the estate needs of others.
	Dependencies []Dependency `yaml:"dependencies,omitempty" json:"dependencies,omitempty"`
	Runbooks     Runbooks     `yaml:"runbooks" json:"runbooks"`
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
