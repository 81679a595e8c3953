package plan

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// kubernetesName is what Kubernetes takes as the name of an object (RFC 1123).
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// checker reports what is wrong with the values of one file.
type checker struct{ *document }

func (c checker) name(path, value string) {
	switch {
	case value == "":
		c.wrong(path, "missing")
	case !kubernetesName.MatchString(value):
		c.wrong(path, "%q is no name: small letters, digits, - and . only", value)
	}
}

func (c checker) required(path, value string) {
	if strings.TrimSpace(value) == "" {
		c.wrong(path, "missing")
	}
}

// text reports a text that is missing in every language.
func (c checker) text(path string, value Text) {
	c.required(path, value.EN+value.JA)
}

// said reports a field that was left out although its zero value means something, which nobody should get by forgetting it.
func (c checker) said(path, valid string) {
	if !c.isSaid(path) {
		c.wrong(path, "missing: %s", valid)
	}
}

func (c checker) isSaid(path string) bool {
	_, there := c.places[path]
	return there
}

func (c checker) positive(path string, value time.Duration) {
	if value <= 0 {
		c.wrong(path, "missing, or not longer than 0")
	}
}

// positiveIfSaid is for durations with a default.
func (c checker) positiveIfSaid(path string, value time.Duration) {
	if c.isSaid(path) {
		c.positive(path, value)
	}
}

func (c checker) oneOf(path, value string, valid []string) {
	if !slices.Contains(valid, value) {
		c.wrong(path, "%q is unknown; valid are %s", value, orNothing(valid))
	}
}

func (c checker) unique(path, value string, seen map[string]bool) {
	if seen[value] {
		c.wrong(path, "%q is there twice", value)
	}
	seen[value] = true
}

func (c checker) path(path, value string) {
	if !strings.HasPrefix(value, "/") {
		c.wrong(path, "%q is no path of a URL: it begins with /", value)
	}
}

func (c checker) port(path string, port int) {
	if port < 1 || port > 65535 {
		c.wrong(path, "%d is no port: 1 to 65535", port)
	}
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "none, because there is nothing of the kind in the plan"
	}
	return strings.Join(names, ", ")
}

func (p Plan) validate(read *document) {
	c := checker{read}
	c.name("plan", p.Name)
	c.required("version", p.Version)
	c.name("namespace", p.Namespace)
	if len(p.Regions) == 0 {
		c.wrong("regions", "missing: name at least one region")
	}
	regions := map[string]bool{}
	for i, region := range p.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		c.name(path, region)
		c.unique(path, region, regions)
	}
	p.Objectives.validate(c)
	p.validateEdition(c)
	p.validateTiers(c)
	p.validateScenarios(c)
	p.validateBackups(c)
	p.validatePeople(c)
	p.validateEscalation(c)
	p.validateContacts(c)
	p.validateDrills(c)
	p.validatePostMortem(c)
	p.validateTools(c)
	if len(p.Databases) == 0 {
		c.wrong("databases", "missing: name at least one database")
	}
	seen := map[string]bool{}
	for i, database := range p.Databases {
		path := fmt.Sprintf("databases[%d]", i)
		c.unique(path+".name", database.Name, seen)
		database.validate(c, path, p)
	}
	p.validateRedis(c)
	p.validateServices(c)
	p.validateDependencies(c)
	p.Runbooks.validate(c, p)
}

func (d Database) validate(c checker, path string, p Plan) {
	c.name(path+".name", d.Name)
	c.oneOf(path+".region", d.Region, p.Regions)
	c.required(path+".catalog", d.Catalog)
	c.port(path+".port", d.Port)
	c.name(path+".primary", d.Primary)
	if len(d.Replicas) == 0 {
		c.wrong(path+".replicas", "missing: without a replica there is nothing to fail over to")
	}
	sets := map[string]bool{d.Primary: true}
	for i, replica := range d.Replicas {
		at := fmt.Sprintf("%s.replicas[%d]", path, i)
		c.name(at, replica)
		c.unique(at, replica, sets)
	}
	c.name(path+".container", d.Container)
	c.name(path+".service", d.Service)
	c.name(path+".role", d.Role)
	c.said(path+".startGate", "true or false; false when an instance may start as primary without asking")
	d.Redirect.validate(c, path+".redirect")
	d.Durability.validate(c, path+".durability")
	c.oneOf(path+".canary.service", d.Canary.Service, p.ServiceNames())
	c.path(path+".canary.write", d.Canary.Write)
	c.path(path+".canary.read", d.Canary.Read)
	d.Canary.validate(c, path+".canary")
	for i, query := range d.Integrity {
		c.required(fmt.Sprintf("%s.integrity[%d].name", path, i), query.Name)
		c.required(fmt.Sprintf("%s.integrity[%d].sql", path, i), query.SQL)
	}
}

func (n Canary) validate(c checker, path string) {
	if !strings.Contains(n.Write+n.Body, "{number}") {
		c.wrong(path+".body", "{number} stands neither here nor in write: a repeated write could not be recognised")
	}
	if !strings.Contains(n.Read, "{number}") {
		c.wrong(path+".read", "{number} is missing: it could not be told whether this write is there")
	}
	if n.Body != "" && !json.Valid([]byte(strings.ReplaceAll(n.Body, "{number}", "1"))) {
		c.wrong(path+".body", "with a number in place of {number} it is not JSON")
	}
}

func (a Approval) validate(c checker, path string, p Plan) {
	for i, role := range a.From {
		c.oneOf(fmt.Sprintf("%s.from[%d]", path, i), role, p.roles())
	}
	c.said(path+".needed", "how many must agree; 0 when nobody is to be asked")
	holders := p.holders(a.From)
	switch {
	case a.Needed < 0:
		c.wrong(path+".needed", "%d: it cannot be less than 0", a.Needed)
	case a.Needed > holders:
		c.wrong(path+".needed", "%d people are needed, and only %d have a role in from", a.Needed, holders)
	}
	if a.Needed > 0 {
		c.oneOf(path+".unanswered.then", a.Unanswered.Then, []string{Proceed, Hold, Abort})
		c.positive(path+".unanswered.after", a.Unanswered.After)
	}
}

func (s Site) validate(read *document, p Plan) {
	c := checker{read}
	c.name("site", s.Name)
	if s.Plan != p.Name {
		c.wrong("plan", "%q: the site is for another plan than %s", s.Plan, p.Name)
	}
	if len(s.Regions) == 0 {
		c.wrong("regions", "missing: name at least one region")
	}
	seen := map[string]bool{}
	for i, region := range s.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		c.oneOf(path+".name", region.Name, p.Regions)
		c.unique(path+".name", region.Name, seen)
		if region.Power != nil {
			region.Power.validate(c, path+".power")
		}
	}
	for _, database := range p.Databases {
		if !seen[database.Region] {
			c.wrong("regions", "region %s of database %s is missing", database.Region, database.Name)
		}
	}
	s.validateDatabases(c, p)
	s.validateServices(c, p)
	s.validateDependencies(c, p)
	s.validateChannels(c, p)
}

func (p Power) validate(c checker, path string) {
	c.url(path+".url", p.URL)
	switch { // a service may ask nobody who they are
	case p.Username == "" && p.PasswordFile != "":
		c.wrong(path+".username", "missing: passwordFile is of no use without it")
	case p.Username != "" && p.PasswordFile == "":
		c.wrong(path+".passwordFile", "missing: username is of no use without it")
	}
	if len(p.Systems) == 0 {
		c.wrong(path+".systems", "missing: the Redfish system of each node")
	}
	for node, system := range p.Systems {
		c.required(path+".systems."+node, system)
	}
}

func (s Site) validateDatabases(c checker, p Plan) {
	seen := map[string]bool{}
	for i, database := range s.Databases {
		path := fmt.Sprintf("databases[%d]", i)
		c.oneOf(path+".name", database.Name, p.DatabaseNames())
		c.unique(path+".name", database.Name, seen)
		c.name(path+".secret", database.Secret)
	}
	for _, name := range p.DatabaseNames() {
		if !seen[name] {
			c.wrong("databases", "database %s of the plan is missing", name)
		}
	}
}

func (s Site) validateServices(c checker, p Plan) {
	seen := map[string]bool{}
	for i, service := range s.Services {
		path := fmt.Sprintf("services[%d]", i)
		c.oneOf(path+".name", service.Name, p.ServiceNames())
		c.unique(path+".name", service.Name, seen)
		c.url(path+".url", service.URL)
	}
	for _, name := range p.ServiceNames() {
		if !seen[name] {
			c.wrong("services", "service %s of the plan is missing", name)
		}
	}
}

func (c checker) url(path, value string) {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		c.wrong(path, "%q is no URL with http or https", value)
	}
}
