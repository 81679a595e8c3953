package plan

import (
	"cmp"
	"time"
)

// What holds where a plan is silent. What nobody should get by forgetting a line has no default: the reader asks for it.
const (
	defaultCatchUp  = time.Minute
	defaultWriteGap = 5 * time.Second

	defaultRedis    = 20 * time.Second
	defaultSettle   = 2 * time.Minute
	defaultDeclare  = 5 * time.Minute
	defaultDiagnose = 10 * time.Minute
	defaultRecover  = 15 * time.Minute
	defaultAtOnce   = 8
	defaultDrain    = 5 * time.Minute
	defaultWatch    = time.Minute

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
	redis := &p.Runbooks.RedisRecovery
	redis.Settle = cmp.Or(redis.Settle, defaultRedis)
	service := &p.Runbooks.ServiceRecovery
	service.Settle = cmp.Or(service.Settle, defaultSettle)
	outage := &p.Runbooks.FullOutage
	outage.Declare = cmp.Or(outage.Declare, defaultDeclare)
	outage.Diagnose = cmp.Or(outage.Diagnose, defaultDiagnose)
	outage.Recover = cmp.Or(outage.Recover, defaultRecover)
	outage.AtOnce = cmp.Or(outage.AtOnce, defaultAtOnce)
	evacuation := &p.Runbooks.ZoneEvacuation
	evacuation.Drain = cmp.Or(evacuation.Drain, defaultDrain)
	recovery, watch := &p.Runbooks.NodeRecovery, defaultWatch
	if row, found := p.soonest("node-recovery"); found {
		watch = min(watch, row.RTO.Within/2)
	}
	recovery.Watch = cmp.Or(recovery.Watch, watch)
	for i := range p.Services {
		if len(p.Regions) > 0 {
			p.Services[i].Region = cmp.Or(p.Services[i].Region, p.Regions[0])
		}
	}
}
