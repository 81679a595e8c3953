package plan

import (
	"fmt"
	"net/url"
)

// Tool is what people need at hand in a disaster.
type Tool struct {
	Name string `yaml:"name" json:"name"`
	Use  Text   `yaml:"use" json:"use"` // what it is for
	URL  string `yaml:"url" json:"url"`
}

// Reference is a document that the plan relies on.
type Reference struct {
	Title Text   `yaml:"title" json:"title"`
	Path  string `yaml:"path" json:"path"` // beside the plan, or a URL
}

func (p Plan) validateTools(c checker) {
	names := map[string]bool{}
	for i, tool := range p.Tools {
		path := fmt.Sprintf("tools[%d]", i)
		c.required(path+".name", tool.Name)
		c.unique(path+".name", tool.Name, names)
		c.text(path+".use", tool.Use)
		c.url(path+".url", tool.URL)
	}
	paths := map[string]bool{}
	for i, reference := range p.References {
		path := fmt.Sprintf("references[%d]", i)
		c.text(path+".title", reference.Title)
		c.required(path+".path", reference.Path)
		c.unique(path+".path", reference.Path, paths)
		if _, err := url.Parse(reference.Path); err != nil {
			c.wrong(path+".path", "%q is neither a path nor a URL", reference.Path)
		}
	}
}
