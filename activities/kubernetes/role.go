package kubernetes

import (
	"context"
	"fmt"
	"strconv"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fieldManager is the name under which Kubernetes records our writes.
const fieldManager = "fukkyu"

// CloseRoleParams names the role object and whom it should name until then.
type CloseRoleParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Role      string `json:"role"`
	From      string `json:"from"`  // the pod that it names, or empty
	Epoch     int64  `json:"epoch"` // of the lease
}

// CloseRoleResult says whether there was anything to do.
type CloseRoleResult struct {
	Already bool `json:"already"`
}

// CloseRole lets nobody start as a primary: the role object names no pod. Called twice it changes nothing. Errors: Conflict, for
// good, when a later recovery owns the object or it names somebody else than expected.
func (a *Activities) CloseRole(ctx context.Context, params CloseRoleParams) (CloseRoleResult, error) {
	already, err := a.writeRole(ctx, params.Namespace, params.Region, params.Role, params.Epoch, "", func(named string) bool {
		return named == params.From
	})
	return CloseRoleResult{Already: already}, err
}

// OpenRoleParams names the role object and the pod that may be primary.
type OpenRoleParams struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Role      string `json:"role"`
	Pod       string `json:"pod"`
	Epoch     int64  `json:"epoch"` // of the lease
}

// OpenRoleResult says whether there was anything to do.
type OpenRoleResult struct {
	Already bool `json:"already"`
}

// OpenRole lets one pod start as a primary, and only it. Called twice it changes nothing. Error: Conflict, for good, when a
// later recovery owns the object.
func (a *Activities) OpenRole(ctx context.Context, params OpenRoleParams) (OpenRoleResult, error) {
	already, err := a.writeRole(ctx, params.Namespace, params.Region, params.Role, params.Epoch, params.Pod, func(string) bool { return true })
	return OpenRoleResult{Already: already}, err
}

// writeRole writes primary and epoch into the role object if the pod that it names is one that may be replaced.
func (a *Activities) writeRole(ctx context.Context, namespace, region, name string, epoch int64, pod string, mayReplace func(string) bool) (already bool, err error) {
	client, err := a.client(region)
	if err != nil {
		return false, err
	}
	doing := fmt.Sprintf("write ConfigMap %s/%s", namespace, name)
	role, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, Failure(doing, err)
	}
	stands, err := epochOf(role)
	if err != nil {
		return false, failure.Permanent(failure.Unexpected, "%s: %s; its key epoch must be a number", doing, err)
	}
	named := role.Data[rolePrimary]
	switch {
	case stands > epoch:
		return false, failure.Permanent(failure.Conflict, "%s: it belongs to a later recovery, epoch %d, and this one has epoch %d", doing, stands, epoch)
	case named == pod && stands == epoch:
		return true, nil
	case !mayReplace(named) && named != pod:
		return false, failure.Permanent(failure.Conflict, "%s: it names %q now; somebody else moved it", doing, named)
	}
	if role.Data == nil {
		role.Data = map[string]string{}
	}
	role.Data[rolePrimary], role.Data[roleEpoch] = pod, strconv.FormatInt(epoch, 10)
	if _, err := client.CoreV1().ConfigMaps(namespace).Update(ctx, role, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return false, Failure(doing, err)
	}
	return false, nil
}
