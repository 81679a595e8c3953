package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// CheckPodsParams says what is asked of the pods of a workload, from inside the cluster.
type CheckPodsParams struct {
	Workload WorkloadRef   `json:"workload"`
	Port     int           `json:"port"`
	Paths    []string      `json:"paths"`
	Healthy  string        `json:"healthy,omitempty"` // a text that every answer must contain
	Timeout  time.Duration `json:"timeout"`           // of one answer
}

// CheckPodsResult has one check for each ready pod and path.
type CheckPodsResult struct {
	Checks []PodCheck `json:"checks"`
}

// PodCheck is one answer of a pod.
type PodCheck struct {
	Pod  string `json:"pod"`
	Path string `json:"path"`
	OK   bool   `json:"ok"`
	Said string `json:"said,omitempty"` // what was wrong
}

// CheckPods asks every ready pod of a workload through the API server, all at the same time, so that an answer does not come from another
// one. It changes nothing. A pod that is not well is a finding. Errors: NotFound, Forbidden, Unreachable for the workload itself.
func (a *Activities) CheckPods(ctx context.Context, params CheckPodsParams) (CheckPodsResult, error) {
	client, err := a.client(params.Workload.Region)
	if err != nil {
		return CheckPodsResult{}, err
	}
	seen, _, err := look(ctx, client, params.Workload)
	if err != nil {
		return CheckPodsResult{}, err
	}
	var result CheckPodsResult
	for _, pod := range seen.Pods {
		if !pod.Ready {
			continue
		}
		for _, path := range params.Paths {
			result.Checks = append(result.Checks, PodCheck{Pod: pod.Name, Path: path})
		}
	}
	var asking sync.WaitGroup
	for i := range result.Checks {
		check := &result.Checks[i]
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, params.Timeout)
			defer cancel()
			target := fmt.Sprintf("%s:%d", check.Pod, params.Port)
			body, err := client.CoreV1().Pods(params.Workload.Namespace).ProxyGet("http", check.Pod, fmt.Sprint(params.Port), check.Path, nil).DoRaw(ctx)
			switch {
			case err != nil:
				check.Said = fmt.Sprintf("%s: %s", target, err)
			case !strings.Contains(string(body), params.Healthy):
				check.Said = fmt.Sprintf("%s: the answer does not contain %q", target, params.Healthy)
			default:
				check.OK = true
			}
		})
	}
	asking.Wait()
	return result, nil
}
