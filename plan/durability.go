package plan

import "fmt"

// When PostgreSQL acknowledges a commit.
const (
	Asynchronous = "asynchronous" // when the primary has it
	Synchronous  = "synchronous"  // when replicas have it too
)

// Durability says when PostgreSQL acknowledges a commit. Without it commits are asynchronous.
type Durability struct {
	Mode string `yaml:"mode,omitempty" json:"mode,omitempty" jsonschema:"enum=asynchronous,enum=synchronous"` // asynchronous or synchronous
	// Method is how the replicas that must have a commit are chosen, ANY or FIRST, and Standbys how many of them must. They
	// become synchronous_standby_names, for example ANY 1 (*).
	Method   string `yaml:"method,omitempty" json:"method,omitempty" jsonschema:"enum=ANY,enum=FIRST"`
	Standbys int    `yaml:"standbys,omitempty" json:"standbys,omitempty"`
}

// Synchronous says whether a commit waits for replicas.
func (d Durability) Synchronous() bool { return d.Mode == Synchronous }

// StandbyNames is PostgreSQL's setting synchronous_standby_names, empty when no commit waits.
func (d Durability) StandbyNames() string {
	if !d.Synchronous() {
		return ""
	}
	return fmt.Sprintf("%s %d (*)", d.Method, d.Standbys)
}

func (d Durability) validate(c checker, path string) {
	switch d.Mode {
	case "", Asynchronous:
		if d.Method != "" || d.Standbys != 0 {
			c.wrong(path+".mode", "method and standbys are for mode %s", Synchronous)
		}
	case Synchronous:
		c.oneOf(path+".method", d.Method, []string{"ANY", "FIRST"})
		if d.Standbys < 1 {
			c.wrong(path+".standbys", "%d: at least 1 replica must have a commit before it is acknowledged", d.Standbys)
		}
	default:
		c.oneOf(path+".mode", d.Mode, []string{Asynchronous, Synchronous})
	}
}
