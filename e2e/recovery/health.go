package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// askWithin bounds one question to a service.
	askWithin = 2 * time.Second
	// lookEvery is the shortest pause between two looks at all services, and askEvery that between two questions on average: whoever is
	// measured needs the same cores.
	lookEvery = 250 * time.Millisecond
	askEvery  = 20 * time.Millisecond
)

// pause is the one between two looks.
func (s *scene) pause() time.Duration {
	return max(lookEvery, time.Duration(len(s.services))*askEvery)
}

// connect is the lab's administrator at the API server.
func connect(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	return kubernetes.NewForConfig(config)
}

// servicesOf are the services of a plan with their addresses by the site: those of its own, or only the synthetic ones.
func servicesOf(planFile, siteFile string, synthetic bool) ([]service, error) {
	pinned, err := plan.Load(planFile)
	if err != nil {
		return nil, err
	}
	whole := pinned.Plan
	site, err := plan.LoadSite(siteFile, whole)
	if err != nil {
		return nil, err
	}
	var services []service
	for _, known := range whole.Services {
		if strings.HasPrefix(known.Name, syntheticPrefix) != synthetic {
			continue
		}
		url, found := site.URL(known.Name)
		if !found || len(known.Health) == 0 {
			return nil, fmt.Errorf("service %s of %s has no address in %s, or no health endpoint", known.Name, planFile, siteFile)
		}
		services = append(services, service{name: known.Name, health: strings.TrimSuffix(url, "/") + known.Health[0], healthy: known.Healthy})
	}
	return services, nil
}

// sick are the services that do not answer their customers as they should, each with what it says.
func (s *scene) sick(ctx context.Context) []string {
	client := &http.Client{Timeout: askWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	said := make([]string, len(s.services))
	var asking sync.WaitGroup
	for i, service := range s.services {
		asking.Go(func() {
			if err := ask(ctx, client, service); err != nil {
				said[i] = service.name + ": " + err.Error()
			}
		})
	}
	asking.Wait()
	return slices.DeleteFunc(said, func(one string) bool { return one == "" })
}

func ask(ctx context.Context, client *http.Client, of service) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, of.health, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || !strings.Contains(string(body), of.healthy)) {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return err
}

// broken is what customers notice, and what they will: services that lack pods of the version that is wanted.
func (s *scene) broken(ctx context.Context) ([]string, error) {
	list, err := s.cluster.AppsV1().Deployments("shodo").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the Deployments: %w", err)
	}
	broken := s.sick(ctx)
	for _, d := range list.Items {
		wanted, there := *d.Spec.Replicas, min(d.Status.AvailableReplicas, d.Status.UpdatedReplicas)
		if there < wanted && slices.Contains(s.names(), d.Name) {
			broken = append(broken, fmt.Sprintf("%s: %d of %d pods", d.Name, there, wanted))
		}
	}
	return broken, nil
}
