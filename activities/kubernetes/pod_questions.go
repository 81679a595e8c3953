package kubernetes

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"k8s.io/client-go/kubernetes"
)

// PodQuestions are what the pods of a workload that are ready are asked, from inside the cluster.
type PodQuestions struct {
	Port    int           `json:"port"`
	Paths   []string      `json:"paths"`
	Healthy string        `json:"healthy,omitempty"` // a text that every answer must contain
	Timeout time.Duration `json:"timeout"`           // of each answer
}

// proxyForbidden is in the API server's own refusal, and not in a pod's.
const proxyForbidden = `cannot get resource "pods/proxy"`

// PodCheck is one answer of a pod.
type PodCheck struct {
	Pod  string        `json:"pod"`
	Path string        `json:"path"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took"`
	Said string        `json:"said,omitempty"` // what was wrong
}

// askMembers asks the pods of a workload that are ready: through the API server, which reaches pods where this worker may not. All are
// asked at the same time. Without questions nobody is asked. Error: Forbidden.
func askMembers(ctx context.Context, client kubernetes.Interface, name WorkloadName, members []Member, questions *PodQuestions) ([]PodCheck, error) {
	if questions == nil {
		return nil, nil
	}
	var checks []PodCheck
	for _, member := range members {
		if !member.Ready || member.Deleting {
			continue
		}
		for _, path := range questions.Paths {
			checks = append(checks, PodCheck{Pod: member.Pod, Path: path})
		}
	}
	var asking sync.WaitGroup
	for i := range checks {
		asking.Go(func() { checks[i].ask(ctx, client, name.Namespace, *questions) })
	}
	asking.Wait()
	for _, check := range checks {
		if strings.Contains(check.Said, proxyForbidden) { // our own fault, which says nothing of the pod
			return nil, failure.Transient(failure.Forbidden, "ask the pods of %s: %s; see the Roles in deployments/kubernetes", name, check.Said)
		}
	}
	return checks, nil
}

// ask asks one path of one pod. An answer outside 2xx is an error of the API server's client.
func (c *PodCheck) ask(ctx context.Context, client kubernetes.Interface, namespace string, questions PodQuestions) {
	ctx, cancel := context.WithTimeout(ctx, questions.Timeout)
	defer cancel()
	began := time.Now()
	body, err := client.CoreV1().Pods(namespace).ProxyGet("http", c.Pod, strconv.Itoa(questions.Port), c.Path, nil).DoRaw(ctx)
	c.Took = time.Since(began)
	switch {
	case err != nil:
		c.Said = shorten(fmt.Sprintf("%s %s", err, body), 300)
	case !strings.Contains(string(body), questions.Healthy):
		c.Said = fmt.Sprintf("its answer does not contain %q: %s", questions.Healthy, shorten(string(body), 160))
	default:
		c.OK = true
	}
}
