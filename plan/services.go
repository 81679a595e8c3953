package plan

import (
	"fmt"
	"slices"
)

// Service is an application that users notice when it is gone: a Deployment or a StatefulSet.
type Service struct {
	Name   string `yaml:"name" json:"name"`
	Tier   int    `yaml:"tier" json:"tier" jsonschema:"minimum=1,maximum=9"` // 1 is recovered first
	Region string `yaml:"region,omitempty" json:"region,omitempty"`          // where its pods run; the plan's first region without it
	// Deployment or StatefulSet is its workload: exactly one of them.
	Deployment  string `yaml:"deployment,omitempty" json:"deployment,omitempty"`
	StatefulSet string `yaml:"statefulSet,omitempty" json:"statefulSet,omitempty"`
	// Health are paths that answer 2xx when the service is well.
	Health []string `yaml:"health" json:"health"`
	// Healthy is a text that every such answer must contain: some services answer 200 whatever is wrong with them.
	Healthy string `yaml:"healthy,omitempty" json:"healthy,omitempty"`
	// Port is the TCP port of its pods on which the same paths are asked from inside the cluster. Without it only the outside is asked.
	Port int `yaml:"port,omitempty" json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// ScaleTo is how many pods it is scaled out to when neither a restart nor a rollback helps. Without it it is not.
	ScaleTo int `yaml:"scaleTo,omitempty" json:"scaleTo,omitempty" jsonschema:"minimum=1"`
	// Needs are the databases, Redis servers and services that must be well before it can be.
	Needs []string `yaml:"needs,omitempty" json:"needs,omitempty"`
}

// Workload is the kind and the name of what runs the service.
func (s Service) Workload() (kind, name string) {
	if s.StatefulSet != "" {
		return StatefulSet, s.StatefulSet
	}
	return Deployment, s.Deployment
}

// Service finds a service of the plan by its name.
func (p Plan) Service(name string) (Service, bool) {
	at := slices.IndexFunc(p.Services, func(s Service) bool { return s.Name == name })
	if at < 0 {
		return Service{}, false
	}
	return p.Services[at], true
}

// ServiceNames lists the services, in the plan's order.
func (p Plan) ServiceNames() []string {
	var names []string
	for _, service := range p.Services {
		names = append(names, service.Name)
	}
	return names
}

func (p Plan) validateServices(c checker) {
	seen := map[string]bool{}
	for i, service := range p.Services {
		path := fmt.Sprintf("services[%d]", i)
		c.name(path+".name", service.Name)
		c.unique(path+".name", service.Name, seen)
		service.validate(c, path, p)
	}
}

func (s Service) validate(c checker, path string, p Plan) {
	c.tier(path+".tier", s.Tier)
	if s.Region != "" {
		c.oneOf(path+".region", s.Region, p.Regions)
	}
	switch {
	case s.Deployment != "" && s.StatefulSet != "":
		c.wrong(path+".statefulSet", "a service has either a deployment or a statefulSet")
	case s.StatefulSet != "":
		c.name(path+".statefulSet", s.StatefulSet)
	default:
		c.name(path+".deployment", s.Deployment)
	}
	if len(s.Health) == 0 {
		c.wrong(path+".health", "missing: name at least one path")
	}
	for i, health := range s.Health {
		c.path(fmt.Sprintf("%s.health[%d]", path, i), health)
	}
	if c.isSaid(path + ".port") {
		c.port(path+".port", s.Port)
	}
	if s.ScaleTo < 0 {
		c.wrong(path+".scaleTo", "%d: it cannot be less than 1", s.ScaleTo)
	}
	for i, need := range s.Needs {
		at := fmt.Sprintf("%s.needs[%d]", path, i)
		c.oneOf(at, need, slices.Concat(p.DatabaseNames(), p.RedisNames(), p.ServiceNames()))
		if other, isService := p.Service(need); isService && (need == s.Name || other.Tier > s.Tier) {
			c.wrong(at, "%s is of tier %d and this one of tier %d: nothing needs itself, or what is recovered after it", need, other.Tier, s.Tier)
		}
	}
}
