package diagnose

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
)

// metricsAPI is where a cluster that measures says so.
const metricsAPI = "/apis/metrics.k8s.io/v1beta1/"

// notServed is why nothing is measured in a cluster without a metrics server.
const notServed = "the cluster serves no metrics API"

// measured is the part of the metrics API's lists that is read here, of nodes and of pods.
type measured struct {
	Items []struct {
		Metadata   struct{ Name string }
		Usage      used
		Containers []struct{ Usage used }
	}
}

type used struct{ CPU, Memory resource.Quantity }

func (l *look) askUsage(ctx context.Context) {
	var nodes, pods diagnosis.Usage
	together(
		func() { nodes = l.usageOf(ctx, "usage of nodes", "nodes") },
		func() { pods = l.usageOf(ctx, "usage of pods", fmt.Sprintf("namespaces/%s/pods", l.plan.Namespace)) },
	)
	l.Usage = diagnosis.Usage{NotMeasured: nodes.NotMeasured, Nodes: nodes.Nodes, Pods: pods.Nodes}
	if l.Usage.NotMeasured == "" {
		l.Usage.NotMeasured = pods.NotMeasured
	}
}

// usageOf reads one list. That a cluster does not measure is no fault of the estate.
func (l *look) usageOf(ctx context.Context, asked, path string) diagnosis.Usage {
	client := l.client.Discovery().RESTClient()
	if client == nil {
		return diagnosis.Usage{NotMeasured: notServed}
	}
	notMeasured := "not read"
	list, ok := ask(ctx, l, asked, probeTimeout, func(ctx context.Context) (*measured, error) {
		body, err := client.Get().AbsPath(metricsAPI + path).DoRaw(ctx)
		if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var list measured
		return &list, json.Unmarshal(body, &list)
	})
	if ok && list == nil {
		notMeasured = notServed
	}
	if list == nil {
		return diagnosis.Usage{NotMeasured: notMeasured}
	}
	var usage diagnosis.Usage
	for _, item := range list.Items {
		sum := diagnosis.Used{Name: item.Metadata.Name, CPU: item.Usage.CPU.MilliValue(), Memory: item.Usage.Memory.Value()}
		for _, container := range item.Containers {
			sum.CPU += container.Usage.CPU.MilliValue()
			sum.Memory += container.Usage.Memory.Value()
		}
		usage.Nodes = append(usage.Nodes, sum)
	}
	return usage
}
