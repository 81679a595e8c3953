package plan

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
)

// Contacts are who is called, and how. A plan is kept with every run that pins it: where a number is nobody's business, it says
// where the number is found.
type Contacts struct {
	// OnCall are called first, in their order.
	OnCall []Contact `yaml:"onCall" json:"onCall"`
	// Escalation are called when the first do not suffice.
	Escalation []Contact `yaml:"escalation,omitempty" json:"escalation,omitempty"`
	// External are outside the company, or outside its on-call rota.
	External []ExternalContact `yaml:"external,omitempty" json:"external,omitempty"`
}

// Contact is somebody of the plan who can be called.
type Contact struct {
	Title Text   `yaml:"title" json:"title"`
	Who   string `yaml:"who" json:"who"` // a person, a role or a team of the plan
	// Phone is the number, a reference to where it is kept, or a placeholder with X for its digits.
	Phone string `yaml:"phone" json:"phone"`
}

// ExternalContact is somebody who is not of the plan.
type ExternalContact struct {
	Title Text `yaml:"title" json:"title"`
	// Reach is how they are reached: an address, or the name of a console or of a kind of ticket.
	Reach string `yaml:"reach" json:"reach"`
}

// maskedDigits are the digits of a number that nobody has written down yet.
var maskedDigits = regexp.MustCompile(`(?i)x{3}`)

// Placeholder says whether the number is still to be filled in.
func (n Contact) Placeholder() bool { return maskedDigits.MatchString(n.Phone) }

func (p Plan) validateContacts(c checker) {
	if !c.isSaid("contacts") {
		return
	}
	if len(p.Contacts.OnCall) == 0 {
		c.wrong("contacts.onCall", "missing: name at least one who is called first")
	}
	titles := map[string]bool{}
	c.contacts("contacts.onCall", p.Contacts.OnCall, titles, p)
	c.contacts("contacts.escalation", p.Contacts.Escalation, titles, p)
	for i, contact := range p.Contacts.External {
		path := fmt.Sprintf("contacts.external[%d]", i)
		c.text(path+".title", contact.Title)
		c.unique(path+".title", contact.Title.In("en"), titles)
		c.required(path+".reach", contact.Reach)
		if strings.Contains(contact.Reach, "@") {
			c.mailAddress(path+".reach", contact.Reach)
		}
	}
}

func (c checker) contacts(path string, contacts []Contact, titles map[string]bool, p Plan) {
	for i, contact := range contacts {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.text(at+".title", contact.Title)
		c.unique(at+".title", contact.Title.In("en"), titles)
		c.oneOf(at+".who", contact.Who, p.parties())
		c.required(at+".phone", contact.Phone)
	}
}

func (c checker) mailAddress(path, value string) {
	if parsed, err := mail.ParseAddress(value); err != nil || parsed.Address != value {
		c.wrong(path, "%q is no mail address", value)
	}
}
