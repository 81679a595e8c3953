package plan

import "fmt"

// Edition says which edition of the written plan this is: who answers for it, when it is looked at again, what has changed, and
// who has signed it. Its version is the plan's.
type Edition struct {
	// Title is what the plan is called.
	Title Text `yaml:"title" json:"title,omitzero"`
	// System is what the plan protects.
	System Text `yaml:"system,omitempty" json:"system,omitzero"`
	// Updated is when the plan was last changed.
	Updated Date `yaml:"updated" json:"updated,omitzero"`
	// Owner keeps the plan: a person, a role or a team of the plan.
	Owner string `yaml:"owner" json:"owner"`
	// Approver approves a new edition, in the document's words.
	Approver Text        `yaml:"approver,omitempty" json:"approver,omitzero"`
	Review   ReviewCycle `yaml:"review" json:"review"`
	// Revisions are the editions so far, the oldest first.
	Revisions []Revision `yaml:"revisions" json:"revisions"`
	// SignOff lists those who must sign this edition.
	SignOff []Signature `yaml:"signOff" json:"signOff"`
}

// ReviewCycle is how often the plan is looked at again.
type ReviewCycle struct {
	Every string `yaml:"every" json:"every" jsonschema:"enum=monthly,enum=quarterly,enum=half-yearly,enum=yearly"` // monthly, quarterly, half-yearly or yearly
	Next  Date   `yaml:"next" json:"next,omitzero"`                                                                // when the next review is due
}

// Revision is one edition of the plan.
type Revision struct {
	Version string `yaml:"version" json:"version"`
	Date    Date   `yaml:"date" json:"date,omitzero"`
	Change  Text   `yaml:"change" json:"change,omitzero"` // what is new in it
	// ApprovedBy is who approved it: a person, a role or a team of the plan.
	ApprovedBy string `yaml:"approvedBy" json:"approvedBy"`
}

// Signature is the place where one role signs. Without a name and a date it is not signed.
type Signature struct {
	Role string `yaml:"role" json:"role"` // a role of the plan
	// Name is the person who signed, one who has the role.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Date is when they signed.
	Date Date `yaml:"date,omitempty" json:"date,omitzero"`
}

// Signed says whether somebody has signed.
func (s Signature) Signed() bool { return s.Name != "" && !s.Date.IsZero() }

func (p Plan) validateEdition(c checker) {
	if !c.isSaid("edition") {
		return
	}
	e := p.Edition
	c.text("edition.title", e.Title)
	c.date("edition.updated", e.Updated)
	c.oneOf("edition.owner", e.Owner, p.parties())
	c.oneOf("edition.review.every", e.Review.Every, cycles())
	c.date("edition.review.next", e.Review.Next)
	if e.Review.Next.before(e.Updated) {
		c.wrong("edition.review.next", "%s is before %s, when the plan was last updated", e.Review.Next, e.Updated)
	}
	p.validateRevisions(c)
	p.validateSignOff(c)
}

func (p Plan) validateRevisions(c checker) {
	revisions := p.Edition.Revisions
	if len(revisions) == 0 {
		c.wrong("edition.revisions", "missing: name at least the first edition")
		return
	}
	seen := map[string]bool{}
	for i, revision := range revisions {
		path := fmt.Sprintf("edition.revisions[%d]", i)
		c.required(path+".version", revision.Version)
		c.unique(path+".version", revision.Version, seen)
		c.date(path+".date", revision.Date)
		c.text(path+".change", revision.Change)
		c.oneOf(path+".approvedBy", revision.ApprovedBy, p.parties())
		if i > 0 && revision.Date.before(revisions[i-1].Date) {
			c.wrong(path+".date", "%s is before the %s of %s; the oldest comes first", revision.Date, revisions[i-1].Date, revisions[i-1].Version)
		}
	}
	if last := revisions[len(revisions)-1]; last.Version != p.Version {
		c.wrong(fmt.Sprintf("edition.revisions[%d].version", len(revisions)-1), "%q, and the plan is version %q; the newest revision is the plan's own", last.Version, p.Version)
	}
}

func (p Plan) validateSignOff(c checker) {
	if len(p.Edition.SignOff) == 0 {
		c.wrong("edition.signOff", "missing: name at least one role that must sign")
	}
	seen := map[string]bool{}
	for i, signature := range p.Edition.SignOff {
		path := fmt.Sprintf("edition.signOff[%d]", i)
		c.oneOf(path+".role", signature.Role, p.roles())
		c.unique(path+".role", signature.Role, seen)
		if signature.Name != "" {
			c.oneOf(path+".name", signature.Name, p.namesOf(signature.Role))
		}
		switch {
		case signature.Name == "" && !signature.Date.IsZero():
			c.wrong(path+".name", "missing: somebody signed on %s", signature.Date)
		case signature.Name != "" && signature.Date.IsZero():
			c.wrong(path+".date", "missing: when did %s sign?", signature.Name)
		}
	}
}

func (c checker) date(path string, value Date) {
	if value.IsZero() {
		c.wrong(path, "missing: write for example 2024-01-31, or 2024-01 when the day is not known")
	}
}
