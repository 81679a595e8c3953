package diagnosis

import (
	"slices"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Patient is a part of the plan that is not well: a database, a Redis server or a service.
type Patient struct {
	Name string // as the plan names it
	Said string // what is wrong with it
	// Heals says that it has nothing of its own: it comes back with what it needs, or Kubernetes brings its pods back.
	Heals bool
}

// Patients lists the parts of a plan that are not well, in the order in which they are recovered: databases, Redis servers, services by tier.
func Patients(p plan.Plan, d Diagnosis) []Patient {
	v := view{plan: p, Diagnosis: d}
	var sick []Patient
	broken := map[string]bool{}
	add := func(name, said string, heals bool) {
		sick = append(sick, Patient{Name: name, Said: said, Heals: heals})
		broken[name] = true
	}
	for _, database := range d.Databases {
		if trouble := v.databaseTrouble(database); trouble.primary != "" {
			add(database.Name, trouble.primary, false)
		}
	}
	for _, redis := range v.redisHere() {
		if trouble := v.redisTrouble(redis.Name); trouble.master != "" {
			add(redis.Name, trouble.master, false)
		}
	}
	services := v.servicesHere()
	slices.SortStableFunc(services, func(a, b plan.Service) int { return a.Tier - b.Tier })
	for _, service := range services {
		if trouble := v.serviceTrouble(service); trouble.any() {
			follows := len(trouble.down) > 0 && firstOf(service.Needs, broken) != ""
			add(service.Name, trouble.said(), len(trouble.own) == 0 && (follows || trouble.byNode != "" || len(trouble.down) == 0))
		}
	}
	return sick
}

// Blind says why nothing is known of the region: its API server does not answer. Then nothing can be changed there either. Empty: it does.
func (d Diagnosis) Blind() string { return view{Diagnosis: d}.clusterSilent() }
