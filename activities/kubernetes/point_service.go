package kubernetes

import (
	"context"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PointServiceParams names a Service, the pod that it selects and the one that it should.
type PointServiceParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Service   string `json:"service"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// PointServiceResult says whether there was anything to do.
type PointServiceResult struct {
	Already bool `json:"already"`
}

// PointService lets a Service select one pod, by one conditional write. Connections that exist stay where they are. Called twice
// it changes nothing. Error: Conflict, for good, when the Service selects neither pod.
func (a *Activities) PointService(ctx context.Context, params PointServiceParams) (PointServiceResult, error) {
	client, err := a.client(params.Region)
	if err != nil {
		return PointServiceResult{}, err
	}
	doing := fmt.Sprintf("point Service %s/%s at pod %s", params.Namespace, params.Service, params.To)
	service, err := client.CoreV1().Services(params.Namespace).Get(ctx, params.Service, metav1.GetOptions{})
	if err != nil {
		return PointServiceResult{}, Failure(doing, err)
	}
	switch stands := service.Spec.Selector[PodNameLabel]; stands {
	case params.To:
		return PointServiceResult{Already: true}, nil
	case params.From:
	default:
		return PointServiceResult{}, failure.Permanent(failure.Conflict, "%s: it selects %q now and selected %q before; somebody else moved it", doing, stands, params.From)
	}
	if service.Spec.Selector == nil {
		service.Spec.Selector = map[string]string{}
	}
	service.Spec.Selector[PodNameLabel] = params.To
	if _, err := client.CoreV1().Services(params.Namespace).Update(ctx, service, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return PointServiceResult{}, Failure(doing, err)
	}
	return PointServiceResult{}, nil
}
