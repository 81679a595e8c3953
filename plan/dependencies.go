package plan

import (
	"fmt"
	"net"
)

// Dependency is something outside the estate that it cannot do without, for example DNS or an object store. The site says where it
// is asked.
type Dependency struct {
	Name  string `yaml:"name" json:"name"`
	Title Text   `yaml:"title" json:"title"`
}

// SiteDependency is how a dependency is asked at this site: exactly one of the ways.
type SiteDependency struct {
	Name string `yaml:"name" json:"name"`
	URL  string `yaml:"url,omitempty" json:"url,omitempty"` // answers an HTTP request with less than 500
	TCP  string `yaml:"tcp,omitempty" json:"tcp,omitempty"` // host:port that accepts connections
	DNS  string `yaml:"dns,omitempty" json:"dns,omitempty"` // host name that has an address
}

func (p Plan) dependencyNames() []string {
	var names []string
	for _, dependency := range p.Dependencies {
		names = append(names, dependency.Name)
	}
	return names
}

func (p Plan) validateDependencies(c checker) {
	seen := map[string]bool{}
	for i, dependency := range p.Dependencies {
		path := fmt.Sprintf("dependencies[%d]", i)
		c.name(path+".name", dependency.Name)
		c.unique(path+".name", dependency.Name, seen)
		c.text(path+".title", dependency.Title)
	}
}

func (s Site) validateDependencies(c checker, p Plan) {
	seen := map[string]bool{}
	for i, dependency := range s.Dependencies {
		path := fmt.Sprintf("dependencies[%d]", i)
		c.oneOf(path+".name", dependency.Name, p.dependencyNames())
		c.unique(path+".name", dependency.Name, seen)
		dependency.validate(c, path)
	}
	for _, name := range p.dependencyNames() {
		if !seen[name] {
			c.wrong("dependencies", "dependency %s of the plan is missing", name)
		}
	}
}

func (d SiteDependency) validate(c checker, path string) {
	ways := 0
	for _, way := range []string{d.URL, d.TCP, d.DNS} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 {
		c.wrong(path, "say exactly one of url, tcp and dns")
	}
	if d.URL != "" {
		c.url(path+".url", d.URL)
	}
	if d.TCP != "" {
		if _, _, err := net.SplitHostPort(d.TCP); err != nil {
			c.wrong(path+".tcp", "%q is no host:port", d.TCP)
		}
	}
}
