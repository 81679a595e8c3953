package plan

import (
	"fmt"
	"slices"
)

// Redis is a Redis master, with or without replicas, run as StatefulSets.
type Redis struct {
	Name      string   `yaml:"name" json:"name"`
	Region    string   `yaml:"region" json:"region"`                                  // where its StatefulSets run
	Port      int      `yaml:"port" json:"port" jsonschema:"minimum=1,maximum=65535"` // TCP port of every instance
	Master    string   `yaml:"master" json:"master"`                                  // StatefulSet that holds the master in normal times
	Replicas  []string `yaml:"replicas,omitempty" json:"replicas,omitempty"`          // StatefulSets that hold replicas in normal times
	Container string   `yaml:"container" json:"container"`                            // container of the server in its pods
	// Service is the Kubernetes Service by which applications reach the master. With replicas its selector names one pod.
	Service string `yaml:"service" json:"service"`
	// Role is the ConfigMap that every server asks before it starts. Its key primary names the pod that may be master, epoch is a number.
	// With replicas it is needed: without it a master that comes back beside its successor would take writes.
	Role string `yaml:"role,omitempty" json:"role,omitempty"`
	// Keys is the pattern of keys of which a sample is looked at, for example session:*. Without it none is.
	Keys string `yaml:"keys,omitempty" json:"keys,omitempty"`
}

// RedisServer finds a Redis of the plan by its name.
func (p Plan) RedisServer(name string) (Redis, bool) {
	at := slices.IndexFunc(p.Redis, func(r Redis) bool { return r.Name == name })
	if at < 0 {
		return Redis{}, false
	}
	return p.Redis[at], true
}

// RedisNames lists the Redis servers, in the plan's order.
func (p Plan) RedisNames() []string {
	var names []string
	for _, redis := range p.Redis {
		names = append(names, redis.Name)
	}
	return names
}

func (p Plan) validateRedis(c checker) {
	seen := map[string]bool{}
	for i, redis := range p.Redis {
		path := fmt.Sprintf("redis[%d]", i)
		c.name(path+".name", redis.Name)
		c.unique(path+".name", redis.Name, seen)
		if slices.Contains(p.DatabaseNames(), redis.Name) {
			c.wrong(path+".name", "%q is a database: one name means one thing", redis.Name)
		}
		c.oneOf(path+".region", redis.Region, p.Regions)
		c.port(path+".port", redis.Port)
		c.name(path+".master", redis.Master)
		sets := map[string]bool{redis.Master: true}
		for j, replica := range redis.Replicas {
			at := fmt.Sprintf("%s.replicas[%d]", path, j)
			c.name(at, replica)
			c.unique(at, replica, sets)
		}
		c.name(path+".container", redis.Container)
		c.name(path+".service", redis.Service)
		switch {
		case redis.Role != "":
			c.name(path+".role", redis.Role)
		case len(redis.Replicas) > 0:
			c.wrong(path+".role", "missing: without it nothing keeps an old master from coming back beside a replica that was promoted")
		}
	}
}
