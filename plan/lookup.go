package plan

import "slices"

// Database finds a database of the plan by its name.
func (p Plan) Database(name string) (Database, bool) {
	for _, database := range p.Databases {
		if database.Name == name {
			return database, true
		}
	}
	return Database{}, false
}

// DatabaseNames lists the databases, in the plan's order.
func (p Plan) DatabaseNames() []string {
	var names []string
	for _, database := range p.Databases {
		names = append(names, database.Name)
	}
	return names
}

func (p Plan) serviceNames() []string {
	var names []string
	for _, service := range p.Services {
		names = append(names, service.Name)
	}
	return names
}

func (p Plan) roles() []string {
	var roles []string
	for _, person := range p.People {
		if person.Role != "" && !slices.Contains(roles, person.Role) {
			roles = append(roles, person.Role)
		}
	}
	return roles
}

// holders counts the people who have one of the roles.
func (p Plan) holders(roles []string) int {
	count := 0
	for _, person := range p.People {
		if slices.Contains(roles, person.Role) {
			count++
		}
	}
	return count
}

// Power is the power service of a region; false when the site has none there.
func (s Site) Power(region string) (Power, bool) {
	for _, candidate := range s.Regions {
		if candidate.Name == region && candidate.Power != nil {
			return *candidate.Power, true
		}
	}
	return Power{}, false
}

// URL is where a service answers; false when the site does not say.
func (s Site) URL(service string) (string, bool) {
	for _, candidate := range s.Services {
		if candidate.Name == service {
			return candidate.URL, true
		}
	}
	return "", false
}
