package plan

import (
	"fmt"
	"regexp"
	"strings"
)

// How applications learn of a new primary. Its Service is moved in any case: replicas follow it.
const (
	RedirectByService   = "service"   // applications connect to the Service
	RedirectBySecret    = "secret"    // applications are given an address by a Secret, and start anew to read it
	RedirectByPgBouncer = "pgbouncer" // applications connect to a PgBouncer, which is told the new address
)

// Redirect says how applications learn of a new primary. Without it they connect to the Service.
type Redirect struct {
	By        string             `yaml:"by,omitempty" json:"by,omitempty" jsonschema:"enum=service,enum=secret,enum=pgbouncer"` // service, secret or pgbouncer
	Secret    *SecretRedirect    `yaml:"secret,omitempty" json:"secret,omitempty"`
	PgBouncer *PgBouncerRedirect `yaml:"pgbouncer,omitempty" json:"pgbouncer,omitempty"`
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

// The kinds of workload that a PgBouncer may be.
const (
	Deployment  = "Deployment"
	StatefulSet = "StatefulSet"
)

// PgBouncerRedirect is a PgBouncer between the applications and the primary.
type PgBouncerRedirect struct {
	Kind      string `yaml:"kind,omitempty" json:"kind,omitempty" jsonschema:"enum=Deployment,enum=StatefulSet"` // Deployment or StatefulSet; Deployment without it
	Name      string `yaml:"name" json:"name"`                                                                   // of that workload; all its pods are told
	Container string `yaml:"container" json:"container"`                                                         // container of PgBouncer in its pods
	// ConfigMap and Key are where its configuration is, so that a pod that starts later has the new address too.
	ConfigMap string `yaml:"configMap" json:"configMap"`
	Key       string `yaml:"key" json:"key"`
	// File is where PgBouncer reads it in the container: a copy on a volume that can be written, because Kubernetes brings a changed
	// ConfigMap to a running container only after a minute. Without it /etc/pgbouncer/pgbouncer.ini.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Database is the entry of its section [databases] whose host is replaced.
	Database string `yaml:"database" json:"database"`
	// Host is what is written there; {pod} in it is replaced by the pod of the new primary.
	Host string `yaml:"host" json:"host"`
}

// HostOf is the host under which PgBouncer reaches a pod.
func (b PgBouncerRedirect) HostOf(pod string) string { return hostOf(b.Host, pod) }

// HostOf is the host under which applications reach a pod.
func (s SecretRedirect) HostOf(pod string) string { return hostOf(s.Host, pod) }

func hostOf(host, pod string) string { return strings.ReplaceAll(host, "{pod}", pod) }

// BySecret is the Secret that must be changed, if any.
func (r Redirect) BySecret() (SecretRedirect, bool) {
	if r.By != RedirectBySecret || r.Secret == nil {
		return SecretRedirect{}, false
	}
	return *r.Secret, true
}

// ByPgBouncer is the PgBouncer that must be told, if any.
func (r Redirect) ByPgBouncer() (PgBouncerRedirect, bool) {
	if r.By != RedirectByPgBouncer || r.PgBouncer == nil {
		return PgBouncerRedirect{}, false
	}
	return *r.PgBouncer, true
}

func (r Redirect) validate(c checker, path string) {
	by := r.By
	if by == "" {
		by = RedirectByService
	}
	c.oneOf(path+".by", by, []string{RedirectByService, RedirectBySecret, RedirectByPgBouncer})
	switch {
	case r.Secret != nil && by != RedirectBySecret:
		c.wrong(path+".by", "a Secret is named, so it must be %s", RedirectBySecret)
	case r.Secret == nil && by == RedirectBySecret:
		c.wrong(path+".secret", "missing: which Secret holds the address?")
	case r.Secret != nil:
		r.Secret.validate(c, path+".secret")
	}
	switch {
	case r.PgBouncer != nil && by != RedirectByPgBouncer:
		c.wrong(path+".by", "a PgBouncer is named, so it must be %s", RedirectByPgBouncer)
	case r.PgBouncer == nil && by == RedirectByPgBouncer:
		c.wrong(path+".pgbouncer", "missing: which PgBouncer stands between the applications and the primary?")
	case r.PgBouncer != nil:
		r.PgBouncer.validate(c, path+".pgbouncer")
	}
}

func (s SecretRedirect) validate(c checker, path string) {
	c.name(path+".name", s.Name)
	c.required(path+".key", s.Key)
	c.hostOfPod(path+".host", s.Host)
	if len(s.Deployments) == 0 {
		c.wrong(path+".deployments", "missing: name at least one that reads the Secret")
	}
	seen := map[string]bool{}
	for i, deployment := range s.Deployments {
		at := fmt.Sprintf("%s.deployments[%d]", path, i)
		c.name(at, deployment)
		c.unique(at, deployment, seen)
	}
}

func (b PgBouncerRedirect) validate(c checker, path string) {
	if b.Kind != "" {
		c.oneOf(path+".kind", b.Kind, []string{Deployment, StatefulSet})
	}
	c.name(path+".name", b.Name)
	c.name(path+".container", b.Container)
	c.name(path+".configMap", b.ConfigMap)
	c.required(path+".key", b.Key)
	c.required(path+".database", b.Database)
	if b.Database != "" && !bouncerDatabase.MatchString(b.Database) {
		c.wrong(path+".database", "%q cannot be named on PgBouncer's console: letters, digits and _ only", b.Database)
	}
	c.hostOfPod(path+".host", b.Host)
}

// bouncerDatabase is what PgBouncer's console reads as one word.
var bouncerDatabase = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c checker) hostOfPod(path, host string) {
	if !strings.Contains(host, "{pod}") {
		c.wrong(path, "{pod} is missing: it would be the same host for every primary")
	}
}
