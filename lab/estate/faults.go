package estate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/image"
	"github.com/shodo-ecosystem/fukkyu/lab/process"
)

// Faults of services. Bad rollouts are real ones, made as a person makes them, so that `kubectl rollout undo` cures them. Nothing
// is remembered: what is wrong is read from the Deployments and from the processes of their pods.

// sickVariable tells the program of a service to be sick.
const sickVariable = "SHODO_SICK"

// startVariable tells the program of a service how long to take until it listens.
const startVariable = "SHODO_STARTS_IN"

// missingImage is one that no machine has and that cannot be pulled.
const missingImage = "lab.local/shodo:missing"

// Sickness is what a bad rollout does to a service.
type Sickness string

// The sicknesses of lab/shodo.
const (
	NeverReady Sickness = "never-ready" // answers 503 to its readiness probe for ever
	Crash      Sickness = "crash"       // its containers end at once
	Hang       Sickness = "hang"        // takes requests and answers none
	Errors     Sickness = "500"         // answers 500
	WrongBody  Sickness = "wrong-body"  // is Ready, and answers 200 with a body that no healthy service has
)

// Sicknesses lists them.
func Sicknesses() []Sickness { return []Sickness{NeverReady, Crash, Hang, Errors, WrongBody} }

// Signals that lab/shodo understands: to answer 500 from now on, and to be well again.
const (
	turnSick = syscall.SIGUSR1
	turnWell = syscall.SIGUSR2
)

// RollOutSick rolls out a version of the services that is sick.
func (e Estate) RollOutSick(ctx context.Context, services []string, sickness Sickness) error {
	if !slices.Contains(Sicknesses(), sickness) {
		return fmt.Errorf("no such sickness %s: there are %v", sickness, Sicknesses())
	}
	return e.rollOut(ctx, "env", services, fmt.Sprintf("%s=%s", sickVariable, sickness))
}

// RollOutMissingImage rolls out a version of the services whose image is nowhere.
func (e Estate) RollOutMissingImage(ctx context.Context, services []string) error {
	return e.rollOut(ctx, "image", services, container+"="+missingImage)
}

// rollOut changes Deployments by `kubectl set`.
func (e Estate) rollOut(ctx context.Context, what string, services []string, to string) error {
	if err := e.mustHave(ctx, services); err != nil {
		return err
	}
	args := []string{"set", what, "-n", "shodo"}
	for _, service := range services {
		args = append(args, "deployment/"+service)
	}
	_, err := e.kubectl(ctx, nil, append(args, to)...)
	return err
}

// StopProcesses stops the processes of the services where they stand: connections are still taken, and nothing is answered. It
// says how many it stopped. A restart cures it.
func (e Estate) StopProcesses(ctx context.Context, services []string) (int, error) {
	return e.signal(ctx, services, syscall.SIGSTOP)
}

// TurnSick lets the processes of the services answer 500 until they are restarted, and says how many.
func (e Estate) TurnSick(ctx context.Context, services []string) (int, error) {
	return e.signal(ctx, services, turnSick)
}

// signal sends a signal to every process of the services.
func (e Estate) signal(ctx context.Context, services []string, sent syscall.Signal) (int, error) {
	if err := e.mustHave(ctx, services); err != nil {
		return 0, err
	}
	running, err := e.processes(ctx)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, service := range services {
		if len(running[service]) == 0 {
			return count, fmt.Errorf("no process of %s runs; look at its pods: lab status", service)
		}
		for _, p := range running[service] {
			if err := p.Signal(sent); err != nil {
				return count, fmt.Errorf("signal process %d of %s: %w", p.PID, service, err)
			}
			count++
		}
	}
	return count, nil
}

// Mend puts Deployments with a bad version back as they were applied, and makes the processes of services go on and be well. An API
// server that is coming back is waited for.
func (e Estate) Mend(ctx context.Context) error {
	if err := e.awaitServer(ctx); err != nil {
		return err
	}
	all, err := e.deployments(ctx)
	if err != nil {
		return err
	}
	var bad []Service
	for _, d := range all {
		if service, known := d.service(); known && len(d.faults(service)) > 0 {
			bad = append(bad, service)
		}
	}
	if len(bad) > 0 {
		if err := e.replace(ctx, bad); err != nil {
			return err
		}
	}
	running, err := e.processes(ctx)
	if err != nil {
		return err
	}
	for service, processes := range running {
		for _, p := range processes {
			if err := mendProcess(p); err != nil {
				return fmt.Errorf("mend process %d of %s: %w", p.PID, service, err)
			}
		}
	}
	return nil
}

func (e Estate) awaitServer(ctx context.Context) error {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	return server.Ready(ctx)
}

func mendProcess(p process.Process) error {
	if err := p.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	return p.Signal(turnWell)
}

// replace writes the Deployments as they were applied first, without anything that was added since.
func (e Estate) replace(ctx context.Context, services []Service) error {
	v, err := e.values(services)
	if err != nil {
		return err
	}
	text, err := render("deployments.yaml", v)
	if err != nil {
		return err
	}
	_, err = e.kubectl(ctx, text, "replace", "-f", "-")
	return err
}

// serverPatience is how long an API server that was stopped may need to come back.
const serverPatience = 30 * time.Second

// container is the name of the one container of every service.
const container = "shodo"

// deployment is what runs a service, as far as faults go.
type deployment struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Replicas int  `json:"replicas"`
		Paused   bool `json:"paused"`
		Template struct {
			Spec struct {
				Containers []struct {
					Image string   `json:"image"`
					Args  []string `json:"args"`
					Env   []struct {
						Name  string `json:"name"`
						Value string `json:"value"`
					} `json:"env"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		ReadyReplicas int `json:"readyReplicas"`
	} `json:"status"`
}

// service is the one that the lab made the Deployment for.
func (d deployment) service() (Service, bool) {
	for _, service := range Services() {
		if service.Name == d.Metadata.Name {
			return service, true
		}
	}
	service, known := SyntheticService(d.Metadata.Name)
	service.StartsIn = d.startsIn()
	return service, known
}

// startsIn is how long the lab lets the program take until it listens.
func (d deployment) startsIn() time.Duration {
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, variable := range c.Env {
			if variable.Name == startVariable {
				takes, _ := time.ParseDuration(variable.Value) // somebody else's value is none of ours
				return takes
			}
		}
	}
	return 0
}

// faults says how the Deployment differs from what was applied.
func (d deployment) faults(applied Service) []string {
	var found []string
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, variable := range c.Env {
			if variable.Name == sickVariable {
				found = append(found, "rolled out sick: "+variable.Value)
			}
		}
		if c.Image != image.Shodo {
			found = append(found, "rolled out with image "+c.Image)
		}
		if !slices.Equal(c.Args, []string{applied.Program}) {
			found = append(found, "rolled out with arguments "+strings.Join(c.Args, " "))
		}
	}
	if d.Spec.Paused {
		found = append(found, "paused")
	}
	return found
}

// deployments are those of the estate, by name.
func (e Estate) deployments(ctx context.Context) (map[string]deployment, error) {
	server, err := cluster.New(e.Folder, e.Region)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []deployment `json:"items"`
	}
	if err := server.Get(ctx, "/apis/apps/v1/namespaces/shodo/deployments", &list); err != nil {
		return nil, fmt.Errorf("list the Deployments: %w", err)
	}
	all := map[string]deployment{}
	for _, d := range list.Items {
		all[d.Metadata.Name] = d
	}
	return all, nil
}

// mustHave refuses names of services of which there is no Deployment.
func (e Estate) mustHave(ctx context.Context, services []string) error {
	all, err := e.deployments(ctx)
	if err != nil {
		return err
	}
	for _, service := range services {
		if _, there := all[service]; !there {
			return fmt.Errorf("no such service %s: services are %s", service, strings.Join(names(all), ", "))
		}
	}
	return nil
}

func names(all map[string]deployment) []string {
	var sorted []string
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	return sorted
}
