package estate

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ServiceStatus is one service's.
type ServiceStatus struct {
	Name   string   `json:"name"`
	Wanted int      `json:"wanted"` // pods
	Ready  int      `json:"ready"`
	Faults []string `json:"faults,omitempty"` // rolled out sick, stopped processes, processes that answer 500
}

// askPodWithin bounds one question to a pod: those that are well answer within milliseconds.
const askPodWithin = 300 * time.Millisecond

// services reads the faults of services from their Deployments and from their processes.
func (e Estate) services(ctx context.Context) ([]ServiceStatus, error) {
	all, err := e.deployments(ctx)
	if err != nil {
		return nil, err
	}
	stopped, err := e.stopped(ctx)
	if err != nil {
		return nil, err
	}
	failing, err := e.failing(ctx)
	if err != nil {
		return nil, err
	}
	var statuses []ServiceStatus
	for _, name := range names(all) {
		d := all[name]
		service, known := d.service()
		if !known {
			continue
		}
		status := ServiceStatus{Name: name, Wanted: d.Spec.Replicas, Ready: d.Status.ReadyReplicas, Faults: d.faults(service)}
		if count := stopped[name]; count > 0 {
			status.Faults = append(status.Faults, fmt.Sprintf("%d processes stopped", count))
		}
		if count := failing[name]; count > 0 {
			status.Faults = append(status.Faults, fmt.Sprintf("%d processes answer 500", count))
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// stopped counts the processes of each service that were stopped.
func (e Estate) stopped(ctx context.Context) (map[string]int, error) {
	running, err := e.processes(ctx)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for service, processes := range running {
		for _, p := range processes {
			if p.Stopped() {
				count[service]++
			}
		}
	}
	return count, nil
}

// failing counts the pods of each service that answer 500, asked all at once from the host.
func (e Estate) failing(ctx context.Context) (map[string]int, error) {
	pods, err := e.servicePods(ctx)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: askPodWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	count := map[string]int{}
	var mutex sync.Mutex
	var asking sync.WaitGroup
	for _, pod := range pods {
		if pod.Status.PodIP == "" {
			continue
		}
		asking.Go(func() {
			if statusOf(ctx, client, "http://"+pod.Status.PodIP+":8080/health") == http.StatusInternalServerError {
				mutex.Lock()
				defer mutex.Unlock()
				count[pod.Metadata.Labels["app"]]++
			}
		})
	}
	asking.Wait()
	return count, nil
}

// statusOf is the status of an answer, 0 when there is none.
func statusOf(ctx context.Context, client *http.Client, url string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	if response.Body.Close() != nil {
		return 0
	}
	return response.StatusCode
}
