package kubernetes

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// CheckPodsParams names a workload and what its pods are asked.
type CheckPodsParams struct {
	WorkloadName
	Port    int           `json:"port"`
	Paths   []string      `json:"paths"`
	Healthy string        `json:"healthy,omitempty"` // a text that every answer must contain
	Timeout time.Duration `json:"timeout"`           // of each answer
}

// proxyForbidden is in the API server's own refusal, and not in a pod's.
const proxyForbidden = `cannot get resource "pods/proxy"`

// CheckPodsResult has one check for each path of each pod that is ready.
type CheckPodsResult struct {
	Checks []PodCheck `json:"checks"`
}

// PodCheck is one answer of a pod.
type PodCheck struct {
	Pod  string        `json:"pod"`
	Path string        `json:"path"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took"`
	Said string        `json:"said,omitempty"` // what was wrong
}

// CheckPods asks every pod of a workload that is ready, from inside the cluster: through the API server, which reaches pods where this
// worker may not. All are asked at the same time. It changes nothing, and a pod that is not well is a finding. Errors: NotFound,
// Forbidden, Unreachable.
func (a *Activities) CheckPods(ctx context.Context, params CheckPodsParams) (CheckPodsResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return CheckPodsResult{}, err
	}
	doing := "ask the pods of " + params.String()
	object, err := getWorkload(ctx, client, doing, params.WorkloadName)
	if err != nil {
		return CheckPodsResult{}, err
	}
	pods, err := client.CoreV1().Pods(params.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(object.selector())})
	if err != nil {
		return CheckPodsResult{}, Failure(doing, err)
	}
	var result CheckPodsResult
	for i := range pods.Items {
		if pod := &pods.Items[i]; isReplaced(pod) && podReady(pod) && pod.DeletionTimestamp == nil {
			result.Checks = append(result.Checks, checksOf(pod, params.Paths)...)
		}
	}
	var asking sync.WaitGroup
	for i := range result.Checks {
		asking.Go(func() { result.Checks[i].ask(ctx, client, params) })
	}
	asking.Wait()
	for _, check := range result.Checks {
		if strings.Contains(check.Said, proxyForbidden) { // our own fault, which says nothing of the pod
			return CheckPodsResult{}, failure.Transient(failure.Forbidden, "%s: %s; see the Roles in deployments/kubernetes", doing, check.Said)
		}
	}
	return result, nil
}

func checksOf(pod *corev1.Pod, paths []string) []PodCheck {
	var checks []PodCheck
	for _, path := range paths {
		checks = append(checks, PodCheck{Pod: pod.Name, Path: path})
	}
	return checks
}

// ask asks one path of one pod. An answer outside 2xx is an error of the API server's client.
func (c *PodCheck) ask(ctx context.Context, client kubernetes.Interface, params CheckPodsParams) {
	ctx, cancel := context.WithTimeout(ctx, params.Timeout)
	defer cancel()
	began := time.Now()
	body, err := client.CoreV1().Pods(params.Namespace).ProxyGet("http", c.Pod, strconv.Itoa(params.Port), c.Path, nil).DoRaw(ctx)
	c.Took = time.Since(began)
	switch {
	case err != nil:
		c.Said = shorten(fmt.Sprintf("%s %s", err, body), 300)
	case !strings.Contains(string(body), params.Healthy):
		c.Said = fmt.Sprintf("its answer does not contain %q: %s", params.Healthy, shorten(string(body), 160))
	default:
		c.OK = true
	}
}
