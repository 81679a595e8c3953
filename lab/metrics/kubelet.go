package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// summaryPath is where a kubelet says what its node and its pods use.
const summaryPath = "/stats/summary?only_cpu_and_memory=true"

// summary is the part of a kubelet's answer that is served on.
type summary struct {
	Node nodeStats  `json:"node"`
	Pods []podStats `json:"pods"`
}

type nodeStats struct {
	Name string `json:"nodeName"`
	stats
}

type podStats struct {
	Ref        metadata         `json:"podRef"`
	Containers []containerStats `json:"containers"`
}

type containerStats struct {
	Name string `json:"name"`
	stats
}

// stats are the figures of anything that is measured. A kubelet that has looked only once knows no rate yet.
type stats struct {
	CPU struct {
		Time      time.Time `json:"time"`
		NanoCores *uint64   `json:"usageNanoCores"`
	} `json:"cpu"`
	Memory struct {
		WorkingSet *uint64 `json:"workingSetBytes"`
	} `json:"memory"`
}

// used are the figures in the words of the API, and whether both are known.
func (s stats) used() (usage *used, complete bool) {
	if s.CPU.NanoCores == nil || s.Memory.WorkingSet == nil {
		return nil, false
	}
	return &used{CPU: fmt.Sprintf("%dn", *s.CPU.NanoCores), Memory: fmt.Sprintf("%dKi", *s.Memory.WorkingSet>>10)}, true
}

// object is a pod as the API serves it: only with the figures of all its containers, because a part would look like little use.
func (p podStats) object() (measured object, complete bool) {
	measured = object{Kind: "PodMetrics", APIVersion: groupVersion, Metadata: p.Ref, Window: window}
	for _, one := range p.Containers {
		usage, complete := one.used()
		if !complete {
			return object{}, false
		}
		if measured.Timestamp.Before(one.CPU.Time) {
			measured.Timestamp = one.CPU.Time
		}
		measured.Containers = append(measured.Containers, container{Name: one.Name, Usage: *usage})
	}
	return measured, len(p.Containers) > 0
}

// ask asks all kubelets at the same time. A kubelet that does not answer in time is left out: of its node nothing is known.
func (s *Server) ask(ctx context.Context) []summary {
	var (
		work  sync.WaitGroup
		mutex sync.Mutex
		heard []summary
	)
	for _, kubelet := range s.Kubelets {
		work.Go(func() {
			said, err := s.summary(ctx, kubelet)
			if err != nil {
				return
			}
			mutex.Lock()
			defer mutex.Unlock()
			heard = append(heard, said)
		})
	}
	work.Wait()
	return heard
}

func (s *Server) summary(ctx context.Context, kubelet string) (summary, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, kubelet+summaryPath, nil)
	if err != nil {
		return summary{}, err
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return summary{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return summary{}, fmt.Errorf("%s answers %s", kubelet, response.Status)
	}
	var said summary
	return said, json.NewDecoder(response.Body).Decode(&said)
}
