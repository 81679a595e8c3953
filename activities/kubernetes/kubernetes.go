// Package kubernetes reads and changes the Kubernetes objects of a database: its pods and StatefulSets, the object that its
// start gates obey, and the Service that applications connect to.
//
// Every change is conditional: on the resource version that was read, on a UID, or on what the object said. Whoever else
// writes these objects is noticed and never overwritten.
package kubernetes

import (
	"context"
	"errors"
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// PodNameLabel is the label by which a Service selects exactly one pod of a StatefulSet.
const PodNameLabel = "statefulset.kubernetes.io/pod-name"

// The keys of a role object, the ConfigMap that a start gate obeys.
const (
	rolePrimary = "primary" // the pod that may be primary, empty for nobody
	roleEpoch   = "epoch"   // of the recovery that wrote it
)

// Cluster is one Kubernetes cluster.
type Cluster struct {
	Client kubernetes.Interface
	Config *rest.Config // for exec, which has no typed client
}

// Clusters finds the cluster of a region.
type Clusters interface {
	Cluster(region string) (Cluster, error)
}

// Activities change clusters.
type Activities struct{ clusters Clusters }

// New returns activities that act on clusters.
func New(clusters Clusters) *Activities { return &Activities{clusters: clusters} }

func (a *Activities) client(region string) (kubernetes.Interface, error) {
	cluster, err := a.clusters.Cluster(region)
	if err != nil {
		return nil, err
	}
	return cluster.Client, nil
}

// Failure turns an error of the Kubernetes API into a failure of the right kind.
func Failure(doing string, err error) error {
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, context.Canceled):
		return err // Temporal tells a cancelled activity by this error itself
	case apierrors.IsForbidden(err):
		// An API server that has just started denies everything until it has read its roles, so this may pass.
		return failure.Transient(failure.Forbidden, "%s: %s; see the Roles in deployments/kubernetes", doing, err)
	case apierrors.IsNotFound(err):
		return failure.Permanent(failure.NotFound, "%s: %s; does the plan name it rightly?", doing, err)
	case apierrors.IsConflict(err):
		// Trying again reads the object anew, and decides anew.
		return failure.Transient(failure.Conflict, "%s: %s", doing, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return failure.Permanent(failure.Unexpected, "%s: %s", doing, err)
	case apierrors.IsUnauthorized(err):
		return failure.Transient(failure.Forbidden, "%s: the API server does not accept the worker's credentials: %s", doing, err)
	case errors.As(err, &status):
		return failure.Transient(failure.Unreachable, "%s: the API server answers: %s", doing, err)
	default:
		return failure.Transient(failure.Unreachable, "%s: %s", doing, err)
	}
}

// describePod is a pod for an error message.
func describePod(namespace, pod string) string { return fmt.Sprintf("pod %s/%s", namespace, pod) }
