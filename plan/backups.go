package plan

import (
	"fmt"
	"regexp"
	"time"
)

// What a backup is.
const (
	FullBackup             = "full"
	IncrementalBackup      = "incremental"
	PointInTimeBackup      = "point-in-time"
	SnapshotBackup         = "snapshot"
	AppendOnlyFile         = "append-only-file"
	Synchronization        = "synchronization"
	Replication            = "replication"
	CrossRegionReplication = "cross-region-replication"
	EncryptedBackup        = "encrypted"
)

func backupKinds() []string {
	return []string{FullBackup, IncrementalBackup, PointInTimeBackup, SnapshotBackup, AppendOnlyFile, Synchronization, Replication, CrossRegionReplication, EncryptedBackup}
}

// Backup is how one kind of data is kept safe.
type Backup struct {
	Name  string `yaml:"name" json:"name"`
	Title Text   `yaml:"title" json:"title"`
	// Databases are those of the plan whose data this is.
	Databases []string       `yaml:"databases,omitempty" json:"databases,omitempty"`
	Methods   []BackupMethod `yaml:"methods" json:"methods"`
	// Retention is how long backups are kept. 0 where there is nothing to keep, as with replication.
	Retention time.Duration `yaml:"retention,omitempty" json:"retention,omitempty"`
}

// BackupMethod is one way in which the data is kept safe, and how often.
type BackupMethod struct {
	Kind string `yaml:"kind" json:"kind" jsonschema:"enum=full,enum=incremental,enum=point-in-time,enum=snapshot,enum=append-only-file,enum=synchronization,enum=replication,enum=cross-region-replication,enum=encrypted"`
	// To is where the data goes, for example S3.
	To string `yaml:"to,omitempty" json:"to,omitempty"`
	// Continuous says that it never stops. With Every, that is how much may be missing.
	Continuous bool `yaml:"continuous,omitempty" json:"continuous,omitempty"`
	// Every is the time between two of them.
	Every time.Duration `yaml:"every,omitempty" json:"every,omitempty"`
	// At is the time of day, as in 02:00, and Zone the IANA time zone that it is in, as in Asia/Tokyo.
	At   string `yaml:"at,omitempty" json:"at,omitempty" jsonschema:"pattern=^([01][0-9]|2[0-3]):[0-5][0-9]$"`
	Zone string `yaml:"zone,omitempty" json:"zone,omitempty"`
}

func (p Plan) validateBackups(c checker) {
	seen := map[string]bool{}
	for i, backup := range p.Backups {
		path := fmt.Sprintf("backups[%d]", i)
		c.name(path+".name", backup.Name)
		c.unique(path+".name", backup.Name, seen)
		c.text(path+".title", backup.Title)
		databases := map[string]bool{}
		for j, database := range backup.Databases {
			at := fmt.Sprintf("%s.databases[%d]", path, j)
			c.oneOf(at, database, p.DatabaseNames())
			c.unique(at, database, databases)
		}
		c.positiveIfSaid(path+".retention", backup.Retention)
		if len(backup.Methods) == 0 {
			c.wrong(path+".methods", "missing: name at least one way in which the data is kept safe")
		}
		for j, method := range backup.Methods {
			method.validate(c, fmt.Sprintf("%s.methods[%d]", path, j))
		}
	}
}

// timeOfDay is an hour and a minute as a clock on the wall of a station shows them.
var timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

func (m BackupMethod) validate(c checker, path string) {
	c.oneOf(path+".kind", m.Kind, backupKinds())
	c.positiveIfSaid(path+".every", m.Every)
	if !m.Continuous && !c.isSaid(path+".every") {
		c.wrong(path+".every", "missing: how often, for example 1h, or continuous: true")
	}
	if m.At != "" && !timeOfDay.MatchString(m.At) {
		c.wrong(path+".at", "%q is no time of day; write for example 02:00", m.At)
	}
	switch {
	case m.At != "" && m.Zone == "":
		c.wrong(path+".zone", "missing: in which time zone is it %s? For example Asia/Tokyo", m.At)
	case m.At == "" && m.Zone != "":
		c.wrong(path+".at", "missing: zone is of no use without it")
	}
}
