package estate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Synthetic services make an estate large: each is one pod of lab/shodo that depends on nothing, in one of four tiers. How many
// there are is read from the cluster.

const (
	// syntheticTiers are as many as the services are spread over.
	syntheticTiers = 4
	// firstNodePort is that before the first synthetic service's.
	firstNodePort = 30100
	// MostSynthetic is how many there may be: a node takes 110 pods, of all kinds.
	MostSynthetic = 400
	// syntheticPatience is how long they may take until all are Ready: two slow cores start about two pods a second.
	syntheticPatience = 10 * time.Minute
)

// Synthetic are so many services, as evenly as possible in the tiers.
func Synthetic(count int) []Service {
	var services []Service
	for number := 1; number <= count; number++ {
		services = append(services, synthetic(1+(number-1)*syntheticTiers/count, number))
	}
	return services
}

func synthetic(tier, number int) Service {
	return Service{
		Name: fmt.Sprintf("tier%d-%02d", tier, number), Tier: tier, Program: "ai-server", Replicas: 1, Readiness: "/health",
		NodePort: firstNodePort + number,
	}
}

// SyntheticService is the synthetic service of that name.
func SyntheticService(name string) (Service, bool) {
	var tier, number int
	if _, err := fmt.Sscanf(name, "tier%d-%d", &tier, &number); err != nil {
		return Service{}, false
	}
	service := synthetic(tier, number)
	return service, service.Name == name && tier >= 1 && tier <= syntheticTiers && number >= 1 && number <= MostSynthetic
}

// AddSynthetic makes the synthetic services be so many, each of which takes startsIn until it listens, and returns when all are Ready.
func (e Estate) AddSynthetic(ctx context.Context, count int, startsIn time.Duration) error {
	there, err := e.syntheticServices(ctx)
	if err != nil {
		return err
	}
	if len(there) > 0 && len(there) != count { // their names have their tiers, which depend on the number
		if err := e.RemoveSynthetic(ctx); err != nil {
			return err
		}
	}
	services := Synthetic(count)
	for i := range services {
		services[i].StartsIn = startsIn
	}
	v, err := e.values(services)
	if err != nil {
		return err
	}
	if err := e.applyAll(ctx, v, "synthetic-worker.yaml", "services.yaml", "deployments.yaml"); err != nil {
		return err
	}
	return e.awaitReady(ctx, syntheticPatience)
}

// RemoveSynthetic takes all of them away.
func (e Estate) RemoveSynthetic(ctx context.Context) error {
	_, err := e.kubectl(ctx, nil, "delete", "deployment,service,role,rolebinding", "-n", "shodo", "-l", "estate=synthetic", "--cascade=foreground")
	return err
}

// syntheticServices are those that are there, in the order of their numbers.
func (e Estate) syntheticServices(ctx context.Context) ([]Service, error) {
	all, err := e.deployments(ctx)
	if err != nil {
		return nil, err
	}
	var services []Service
	for _, name := range names(all) { // numbers grow with the tiers
		if service, known := SyntheticService(name); known {
			services = append(services, service)
		}
	}
	return services, nil
}

// SyntheticPlan is a plan with the synthetic services added.
func (e Estate) SyntheticPlan(ctx context.Context, plan string) (string, error) {
	services, err := e.requireSynthetic(ctx)
	if err != nil {
		return "", err
	}
	return addTo(plan, planEntries(services))
}

// SyntheticSite is the lab's site file with the synthetic services added.
func (e Estate) SyntheticSite(ctx context.Context) (string, error) {
	services, err := e.requireSynthetic(ctx)
	if err != nil {
		return "", err
	}
	site, err := os.ReadFile(e.Folder.Site())
	if err != nil {
		return "", fmt.Errorf("read the lab's site file: %w", err)
	}
	return addTo(string(site), siteEntries(services, e.Lab.SyntheticURL()))
}

func (e Estate) requireSynthetic(ctx context.Context) ([]Service, error) {
	services, err := e.syntheticServices(ctx)
	if err == nil && len(services) == 0 {
		err = errors.New("the estate has no synthetic services; make some with: lab synthetic up --services 60")
	}
	return services, err
}

// addTo adds entries to the list of services of a YAML file.
func addTo(file, entries string) (string, error) {
	const list = "\nservices:\n"
	before, after, found := strings.Cut(file, list)
	if !found || !strings.HasPrefix(after, "  - ") {
		return "", errors.New("the file has no list of services that begins with a line of its own")
	}
	return before + list + entries + after, nil
}

// planEntries says of each service that it needs one of the tier before.
func planEntries(services []Service) string {
	tiers := map[int][]string{}
	var text strings.Builder
	for _, service := range services {
		place := len(tiers[service.Tier])
		tiers[service.Tier] = append(tiers[service.Tier], service.Name)
		fmt.Fprintf(&text, "  - name: %s\n    tier: %d\n    deployment: %s\n    port: 8080\n    health: [/health]\n    healthy: '\"status\":\"ok\"'\n",
			service.Name, service.Tier, service.Name)
		if before := tiers[service.Tier-1]; len(before) > 0 {
			fmt.Fprintf(&text, "    needs: [%s]\n", before[place%len(before)])
		}
	}
	return text.String()
}

func siteEntries(services []Service, url string) string {
	var text strings.Builder
	for _, service := range services {
		fmt.Fprintf(&text, "  - {name: %s, url: %s}\n", service.Name, strconv.Quote(url+"/"+service.Name))
	}
	return text.String()
}
