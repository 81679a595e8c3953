package main

// What a PostgreSQL instance may do when its pod starts. The gate is why a primary that comes back after it was replaced
// cannot take writes: it starts as a primary only when the role object names it.

// situation is what the gate sees.
type situation struct {
	Pod     string // this pod
	Primary string // whom the role object names, empty for nobody
	Epoch   int64  // of the recovery that wrote the role object, 0 before the first
	Data    bool   // there is a data directory
	Standby bool   // and it is a replica's
	Clean   bool   // its server was shut down in order
}

// action is what the gate does.
type action string

const (
	initialise action = "make a new database and start as the primary"
	startAsIs  action = "start as it is"
	follow     action = "follow the primary that took over after the shutdown"
	setAside   action = "set the data directory aside and clone the primary"
	clone      action = "clone the primary"
	hold       action = "hold: wait for the role object to change"
)

// decide is the whole of the gate's judgement.
func decide(s situation) action {
	named := s.Primary == s.Pod
	switch {
	case s.Data && s.Standby:
		return startAsIs // only a promotion makes a primary of it, and that is the recovery's to do
	case s.Data && named:
		return startAsIs
	case s.Data && s.Primary != "" && s.Clean:
		return follow // if its successor left off where it stopped; else it is set aside too
	case s.Data && s.Primary != "":
		return setAside
	case !s.Data && named && s.Epoch == 0:
		return initialise // the estate's very first start
	case !s.Data && s.Primary != "" && !named:
		return clone
	default:
		return hold // nobody may be primary, or the named primary has lost its data: a person must look
	}
}
