package plan

import (
	"fmt"
	"strings"
)

// How applications learn of a new primary. Its Service is moved in any case: replicas follow it.
const (
	RedirectByService = "service" // applications connect to the Service
	RedirectBySecret  = "secret"  // applications are given an address by a Secret, and start anew to read it
)

// Redirect says how applications learn of a new primary. Without it they connect to the Service.
type Redirect struct {
	By     string          `yaml:"by,omitempty" json:"by,omitempty"` // service or secret
	Secret *SecretRedirect `yaml:"secret,omitempty" json:"secret,omitempty"`
}

// SecretRedirect is a Secret that holds the address of the primary.
type SecretRedirect struct {
	Name string `yaml:"name" json:"name"`
	Key  string `yaml:"key" json:"key"` // its value is a host, or a URL whose host is replaced
	// Host is what is written there; {pod} in it is replaced by the pod of the new primary.
	Host string `yaml:"host" json:"host"`
	// Deployments are rolled out anew, because a process reads a Secret when it starts.
	Deployments []string `yaml:"deployments" json:"deployments"`
}

// HostOf is the host under which applications reach a pod.
func (s SecretRedirect) HostOf(pod string) string { return strings.ReplaceAll(s.Host, "{pod}", pod) }

// BySecret is the Secret that must be changed, if any.
func (r Redirect) BySecret() (SecretRedirect, bool) {
	if r.By != RedirectBySecret || r.Secret == nil {
		return SecretRedirect{}, false
	}
	return *r.Secret, true
}

func (r Redirect) validate(c checker, path string) {
	switch {
	case r.By == "" && r.Secret == nil:
		return
	case r.By == RedirectBySecret && r.Secret == nil:
		c.wrong(path+".secret", "missing: which Secret holds the address?")
		return
	case r.By != RedirectBySecret && r.Secret != nil:
		c.wrong(path+".by", "a Secret is named, so it must be %s", RedirectBySecret)
		return
	case r.By != RedirectBySecret:
		c.oneOf(path+".by", r.By, []string{RedirectByService, RedirectBySecret})
		return
	}
	c.name(path+".secret.name", r.Secret.Name)
	c.required(path+".secret.key", r.Secret.Key)
	if !strings.Contains(r.Secret.Host, "{pod}") {
		c.wrong(path+".secret.host", "{pod} is missing: it would be the same host for every primary")
	}
	if len(r.Secret.Deployments) == 0 {
		c.wrong(path+".secret.deployments", "missing: name at least one that reads the Secret")
	}
	seen := map[string]bool{}
	for i, deployment := range r.Secret.Deployments {
		at := fmt.Sprintf("%s.secret.deployments[%d]", path, i)
		c.name(at, deployment)
		c.unique(at, deployment, seen)
	}
}
