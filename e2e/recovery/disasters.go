package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"k8s.io/client-go/kubernetes"
)

// disaster is what is broken, and the command that answers it.
type disaster struct {
	name, heading string
	large         bool          // the estate has synthetic services, and they are what is recovered
	startsIn      time.Duration // how long each of those takes until it listens
	// faults are commands of the lab; SERVICES stands for all that are recovered, FIFTHS for every fifth, OTHERS for those between.
	faults []string
	// command is what a person types, without who and why.
	command []string
}

var disasters = []disaster{
	{
		name: "restart", heading: "one service answers 500 until it is restarted",
		faults: []string{"break errors shodo-frontend"}, command: []string{"run", workflows.Recovering.Name, "--service", "shodo-frontend", "--unattended"},
	},
	{
		name: "rollout", heading: "one service has a version that crashes; old pods hold half of it up",
		faults: []string{"break crash shodo-frontend"}, command: []string{"run", workflows.Recovering.Name, "--service", "shodo-frontend", "--unattended"},
	},
	{
		name: "outage", heading: "the primary's node is off, the backend has no image, the frontend crashes, the AI server answers 500",
		faults: []string{"break image shodo-backend", "break crash shodo-frontend", "break errors shodo-ai-server", "break power-off primary"}, command: []string{"run", workflows.Outage.Name},
	},
	{
		name: "large", heading: "every service of a large estate answers 500 until it is restarted; four tiers", large: true,
		faults: []string{"break errors SERVICES"}, command: []string{"run", workflows.Outage.Name},
	},
	{
		name: "large-slow", heading: "the same, of services that take 5 s to start, as those do that load a model or fill a cache first", large: true, startsIn: 5 * time.Second,
		faults: []string{"break errors SERVICES"}, command: []string{"run", workflows.Outage.Name},
	},
	{
		name: "large-rollout", heading: "every fifth service of a large estate has a version that crashes, the others answer 500; four tiers", large: true,
		faults: []string{"break crash FIFTHS", "break errors OTHERS"}, command: []string{"run", workflows.Outage.Name},
	},
}

func names() []string {
	var names []string
	for _, d := range disasters {
		names = append(names, d.name)
	}
	return names
}

// scene is an estate with a worker, and the services that are recovered.
type scene struct {
	estate.Estate
	worker   *estate.Worker
	cluster  *kubernetes.Clientset
	services []service
}

// service is one that users know, and where they ask whether it is well.
type service struct{ name, health, healthy string }

// atOnce is how many services of a tier the plan lets be recovered at the same time: all of a tier of sixty in four.
const atOnce = 16

// setUp makes the estate that a disaster needs, and starts a worker for it.
func setUp(ctx context.Context, e estate.Estate, d disaster, count int) (*scene, error) {
	site := filepath.Join(e.Dir, "site.yaml")
	var err error
	if d.large {
		if e, site, err = enlarge(ctx, e, count, d.startsIn); err != nil {
			return nil, err
		}
	}
	if e, err = e.WithPlan(estate.Automatic, estate.AtOnce(atOnce)); err != nil {
		return nil, err
	}
	services, err := servicesOf(e.Plan, site, d.large)
	if err != nil {
		return nil, err
	}
	cluster, err := connect(filepath.Join(e.Dir, "kubeconfig"))
	if err != nil {
		return nil, err
	}
	worker, err := e.StartWorker(ctx, estate.Crew{Site: site})
	return &scene{Estate: e, worker: worker, cluster: cluster, services: services}, err
}

// enlarge adds synthetic services to the estate, to its plan and to the worker's site.
func enlarge(ctx context.Context, e estate.Estate, count int, startsIn time.Duration) (estate.Estate, string, error) {
	if err := e.Each(ctx, fmt.Sprintf("synthetic up --services %d --starts-in %s", count, startsIn)); err != nil {
		return e, "", err
	}
	files := map[string]string{}
	for name, command := range map[string][]string{"large-plan.yaml": {"synthetic", "plan", e.Plan}, "large-site.yaml": {"synthetic", "site"}} {
		text, err := e.Lab(ctx, command...)
		if err != nil {
			return e, "", err
		}
		files[name] = filepath.Join(e.Dir, name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			return e, "", fmt.Errorf("write the large estate's files: %w", err)
		}
	}
	e.Plan = files["large-plan.yaml"]
	return e, files["large-site.yaml"], nil
}

// syntheticPrefix begins the names of synthetic services.
const syntheticPrefix = "tier"

// names are those of the services, in the plan's order.
func (s *scene) names() []string {
	var names []string
	for _, service := range s.services {
		names = append(names, service.name)
	}
	return names
}

// everyFifth are the names of every fifth service, and of the others.
func (s *scene) everyFifth() (fifths, others []string) {
	for i, name := range s.names() {
		if i%5 == 0 {
			fifths = append(fifths, name)
		} else {
			others = append(others, name)
		}
	}
	return fifths, others
}

// breakIt brings the disaster about on an estate in its first state.
func (s *scene) breakIt(ctx context.Context, d disaster) error {
	if err := s.Each(ctx, "mend all", "reset"); err != nil {
		return err
	}
	if err := estate.Await(ctx, "healthy services before the disaster", time.Minute, func() (bool, string) {
		sick := s.sick(ctx)
		return len(sick) == 0, strings.Join(sick, ", ")
	}); err != nil {
		return err
	}
	fifths, others := s.everyFifth()
	named := strings.NewReplacer("SERVICES", strings.Join(s.names(), " "), "FIFTHS", strings.Join(fifths, " "), "OTHERS", strings.Join(others, " "))
	for _, fault := range d.faults {
		if err := s.Each(ctx, named.Replace(fault)); err != nil {
			return err
		}
	}
	return estate.Await(ctx, "the disaster", time.Minute, func() (bool, string) {
		broken, err := s.broken(ctx)
		return err == nil && len(broken) >= min(len(d.faults), len(s.services)), strings.Join(broken, ", ")
	})
}

// leave stops the worker and takes synthetic services away.
func (s *scene) leave(ctx context.Context) {
	s.worker.Stop()
	if strings.HasPrefix(s.services[0].name, syntheticPrefix) {
		_ = s.Each(context.WithoutCancel(ctx), "synthetic down") // a lab that is taken away next
	}
}
