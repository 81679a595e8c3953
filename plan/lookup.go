package plan

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
