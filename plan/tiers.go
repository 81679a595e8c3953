package plan

import "fmt"

// Tier is a class of systems that matter equally.
type Tier struct {
	Tier  int  `yaml:"tier" json:"tier" jsonschema:"minimum=1,maximum=9"` // 1 is recovered first
	Title Text `yaml:"title" json:"title"`
	// Systems are what the document counts among them.
	Systems []System `yaml:"systems" json:"systems"`
}

// System is something that the plan protects.
type System struct {
	Name Text `yaml:"name" json:"name"`
	// Service, Database and Redis are the plan's own names for it, where the plan says more about it.
	Service  string `yaml:"service,omitempty" json:"service,omitempty"`
	Database string `yaml:"database,omitempty" json:"database,omitempty"`
	Redis    string `yaml:"redis,omitempty" json:"redis,omitempty"`
}

const lowestTier = 9

func (p Plan) validateTiers(c checker) {
	tiers, systems := map[int]bool{}, map[string]bool{}
	for i, tier := range p.Tiers {
		path := fmt.Sprintf("tiers[%d]", i)
		c.tier(path+".tier", tier.Tier)
		if tiers[tier.Tier] {
			c.wrong(path+".tier", "%d is there twice", tier.Tier)
		}
		tiers[tier.Tier] = true
		c.text(path+".title", tier.Title)
		if len(tier.Systems) == 0 {
			c.wrong(path+".systems", "missing: name at least one system")
		}
		for j, system := range tier.Systems {
			at := fmt.Sprintf("%s.systems[%d]", path, j)
			c.text(at+".name", system.Name)
			c.unique(at+".name", system.Name.In("en"), systems)
			system.validate(c, at, p, tier.Tier)
		}
	}
}

func (s System) validate(c checker, path string, p Plan, tier int) {
	if s.Database != "" {
		c.oneOf(path+".database", s.Database, p.DatabaseNames())
	}
	if s.Redis != "" {
		c.oneOf(path+".redis", s.Redis, p.RedisNames())
	}
	if s.Service == "" {
		return
	}
	c.oneOf(path+".service", s.Service, p.ServiceNames())
	for _, service := range p.Services {
		if service.Name == s.Service && service.Tier != tier {
			c.wrong(path+".service", "%s is of tier %d here and of tier %d in services", s.Service, tier, service.Tier)
		}
	}
}

func (c checker) tier(path string, tier int) {
	if tier < 1 || tier > lowestTier {
		c.wrong(path, "%d is no tier: 1 to %d, 1 is recovered first", tier, lowestTier)
	}
}
