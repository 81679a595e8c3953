package plan

// Site says where one installation finds what the plan names. It holds references to secrets, never secrets.
type Site struct {
	Name    string       `yaml:"site" json:"site"`
	Plan    string       `yaml:"plan" json:"plan"` // the plan's name, so that a site is never used with another plan
	Regions []SiteRegion `yaml:"regions" json:"regions"`
	// Databases and Services are those of the plan, each where this installation has it.
	Databases    []SiteDatabase   `yaml:"databases" json:"databases"`
	Services     []SiteService    `yaml:"services" json:"services"`
	Dependencies []SiteDependency `yaml:"dependencies,omitempty" json:"dependencies,omitempty"`
	// Evidence is the folder into which diagnoses and reports are written, relative to the site file; evidence without it.
	Evidence string `yaml:"evidence,omitempty" json:"evidence,omitempty"`
	// Channels are those that the plan notifies, each bound to what reaches people. All of them, or none: then nobody is told.
	Channels []SiteChannel `yaml:"channels,omitempty" json:"channels,omitempty"`
}

// SiteRegion is one region of the plan at this site.
type SiteRegion struct {
	Name       string     `yaml:"name" json:"name"`
	Kubernetes Kubernetes `yaml:"kubernetes" json:"kubernetes"`
	// Power is the service that knows whether machines are on. Without one, a fence is proven by kubelets alone.
	Power *Power `yaml:"power,omitempty" json:"power,omitempty"`
}

// Kubernetes says how to reach a cluster. Both empty: the ServiceAccount of the pod the worker runs in.
type Kubernetes struct {
	Kubeconfig string `yaml:"kubeconfig,omitempty" json:"kubeconfig,omitempty"` // file, relative to the site file
	Context    string `yaml:"context,omitempty" json:"context,omitempty"`
}

// Power is a Redfish service.
type Power struct {
	URL          string            `yaml:"url" json:"url"`
	Username     string            `yaml:"username" json:"username"`
	PasswordFile string            `yaml:"passwordFile" json:"passwordFile"` // relative to the site file
	Systems      map[string]string `yaml:"systems" json:"systems"`           // Redfish system by Kubernetes node name
}

// SiteDatabase is where the credentials of a database are.
type SiteDatabase struct {
	Name string `yaml:"name" json:"name"`
	// Secret is a Kubernetes Secret in the plan's namespace with the keys username and password, of a role that may promote.
	Secret string `yaml:"secret" json:"secret"`
}

// SiteService is where a service answers from outside.
type SiteService struct {
	Name string `yaml:"name" json:"name"`
	URL  string `yaml:"url" json:"url"`
}
