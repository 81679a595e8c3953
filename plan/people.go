package plan

import (
	"fmt"
	"slices"
)

// Person can be asked. Name is what they sign decisions with.
type Person struct {
	Name string `yaml:"name" json:"name"`
	Role string `yaml:"role" json:"role"`
	Team string `yaml:"team,omitempty" json:"team,omitempty"` // a team of the plan
}

// Team is a group of people that is called as one.
type Team struct {
	Name  string `yaml:"name" json:"name"`
	Title Text   `yaml:"title" json:"title"` // what people call it
}

// PeopleOf lists those whom a name stands for: the person, the holders of the role, or the members of the team, in the plan's order.
func (p Plan) PeopleOf(name string) []Person {
	var people []Person
	for _, person := range p.People {
		if person.Name == name || person.Role == name || person.Team == name {
			people = append(people, person)
		}
	}
	return people
}

// namesOf are the names of those whom a name stands for.
func (p Plan) namesOf(name string) []string {
	var names []string
	for _, person := range p.PeopleOf(name) {
		names = append(names, person.Name)
	}
	return names
}

// parties are all names by which the plan can call somebody: teams, roles and people.
func (p Plan) parties() []string {
	return slices.Concat(p.teamNames(), p.roles(), p.peopleNames())
}

func (p Plan) knows(name string) bool { return slices.Contains(p.parties(), name) }

func (p Plan) teamNames() []string {
	var names []string
	for _, team := range p.Teams {
		names = append(names, team.Name)
	}
	return names
}

func (p Plan) peopleNames() []string {
	var names []string
	for _, person := range p.People {
		names = append(names, person.Name)
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

func (p Plan) validatePeople(c checker) {
	teams := map[string]bool{}
	for i, team := range p.Teams {
		path := fmt.Sprintf("teams[%d]", i)
		c.required(path+".name", team.Name)
		c.unique(path+".name", team.Name, teams)
		c.text(path+".title", team.Title)
	}
	if len(p.People) == 0 {
		c.wrong("people", "missing: name those who may decide")
	}
	seen := map[string]bool{}
	for i, person := range p.People {
		path := fmt.Sprintf("people[%d]", i)
		c.required(path+".name", person.Name)
		c.required(path+".role", person.Role)
		c.unique(path+".name", person.Name, seen)
		if person.Team != "" {
			c.oneOf(path+".team", person.Team, p.teamNames())
		}
		if teams[person.Role] || teams[person.Name] || slices.Contains(p.roles(), person.Name) {
			c.wrong(path, "%s, %s: a name stands for one thing only, a person, a role or a team", person.Name, person.Role)
		}
	}
}
