package workflows

import (
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// member is one thing that a full outage may take away, and the runbook that brings it back.
type member struct {
	name     string
	needs    []string
	scenario Scenario
	flag     string                    // that names it on the command line
	request  func(runbook.Request) any // of its runbook
	service  *plan.Service             // nil for anything else
}

func databaseMember(database plan.Database) member {
	return member{name: database.Name, scenario: Failover, flag: "database", request: func(asked runbook.Request) any {
		return DatabaseFailoverRequest{Request: asked, Database: database.Name}
	}}
}

func redisMember(redis plan.Redis) member {
	return member{name: redis.Name, scenario: RedisLoss, flag: "redis", request: func(asked runbook.Request) any {
		return RedisRecoveryRequest{Request: asked, Redis: redis.Name}
	}}
}

func serviceMember(service plan.Service) member {
	return member{name: service.Name, needs: service.Needs, scenario: Recovering, flag: "service", service: &service, request: func(asked runbook.Request) any {
		return ServiceRecoveryRequest{Request: asked, Service: service.Name, Unattended: true}
	}}
}

// command brings the member back without the rest.
func (m member) command() string {
	return "fukkyu run " + m.scenario.Name + " --" + m.flag + " " + m.name
}
