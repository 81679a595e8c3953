package plan

import (
	"cmp"
	"time"
)

// What holds where a plan is silent. What nobody should get by forgetting a line has no default: the reader asks for it.
const (
	defaultCatchUp  = time.Minute
	defaultWriteGap = 5 * time.Second

	defaultBouncerFile = "/etc/pgbouncer/pgbouncer.ini"
)

func (p *Plan) applyDefaults() {
	for i := range p.Databases {
		database := &p.Databases[i]
		database.Durability.Mode = cmp.Or(database.Durability.Mode, Asynchronous)
		database.Redirect.By = cmp.Or(database.Redirect.By, RedirectByService)
		if bouncer := database.Redirect.PgBouncer; bouncer != nil {
			bouncer.Kind = cmp.Or(bouncer.Kind, Deployment)
			bouncer.File = cmp.Or(bouncer.File, defaultBouncerFile)
		}
	}
	switchover := &p.Runbooks.DatabaseSwitchover
	switchover.CatchUp = cmp.Or(switchover.CatchUp, defaultCatchUp)
	switchover.WriteGap = cmp.Or(switchover.WriteGap, defaultWriteGap)
}
