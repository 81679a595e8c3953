// Package lease keeps two recoveries of one target apart. The lease is a Kubernetes Lease beside the target, taken by
// compare-and-swap. It does not expire by time: it passes on when the workflow of its holder is closed and whatever that
// workflow left behind has had time to end.
package lease

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	kube "github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recordAnnotation holds a Record as JSON.
const recordAnnotation = "fukkyu.dev/record"

// Record is how far the present recovery of a target has come or, in a free lease, how the last one ended.
type Record struct {
	Holder     string    `json:"holder"`
	Scenario   string    `json:"scenario,omitempty"` // what people call the recovery, for example database-failover
	Epoch      int64     `json:"epoch"`
	Phase      string    `json:"phase"` // see package workflows
	OldPrimary string    `json:"oldPrimary,omitempty"`
	OldNode    string    `json:"oldNode,omitempty"`
	Proof      string    `json:"proof,omitempty"` // that the old primary is stopped
	Promoted   string    `json:"promoted,omitempty"`
	Timeline   uint32    `json:"timeline,omitempty"` // that the promoted replica leaves
	SystemID   string    `json:"systemId,omitempty"`
	Standbys   int       `json:"standbys,omitempty"` // how many replicas there were, and should be again
	Relaxed    bool      `json:"relaxed,omitempty"`  // commits wait for no replica, although the plan says that they do
	Build      string    `json:"build,omitempty"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	Outcome    string    `json:"outcome,omitempty"`
}

// Holders know whether the workflow run of a holder is closed, and since when.
type Holders interface {
	Closed(ctx context.Context, holder string) (closed bool, at time.Time, err error)
}

// Activities take, keep and release leases.
type Activities struct {
	clusters kube.Clusters
	holders  Holders
}

// New returns activities that keep leases in clusters and ask holders whether they still run.
func New(clusters kube.Clusters, holders Holders) *Activities {
	return &Activities{clusters: clusters, holders: holders}
}

// Place is where a lease lies: beside the target that it protects.
type Place struct {
	Namespace string `json:"namespace"`
	Region    string `json:"region"`
	Target    string `json:"database"` // what is recovered; a database was the first of them
}

func (p Place) name() string { return "fukkyu-" + p.Target }

func (p Place) String() string { return fmt.Sprintf("lease %s/%s", p.Namespace, p.name()) }

// get reads the lease; a lease that nobody ever took is nil.
func (a *Activities) get(ctx context.Context, where Place) (*coordinationv1.Lease, error) {
	cluster, err := a.clusters.Cluster(where.Region)
	if err != nil {
		return nil, err
	}
	lease, err := cluster.Client.CoordinationV1().Leases(where.Namespace).Get(ctx, where.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, kube.Failure("read "+where.String(), err)
	}
	return lease, nil
}

// put writes the lease if it is still as it was read.
func (a *Activities) put(ctx context.Context, where Place, lease *coordinationv1.Lease) error {
	cluster, err := a.clusters.Cluster(where.Region)
	if err != nil {
		return err
	}
	leases := cluster.Client.CoordinationV1().Leases(where.Namespace)
	if lease.ResourceVersion == "" {
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if apierrors.IsAlreadyExists(err) {
		return failure.Transient(failure.Conflict, "take %s: somebody else was first", where)
	}
	if err != nil {
		return kube.Failure("write "+where.String(), err)
	}
	return nil
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease == nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

func epochOf(lease *coordinationv1.Lease) int64 {
	if lease == nil || lease.Spec.LeaseTransitions == nil {
		return 0
	}
	return int64(*lease.Spec.LeaseTransitions)
}

func recordOf(lease *coordinationv1.Lease) (Record, error) {
	var record Record
	if lease == nil || lease.Annotations[recordAnnotation] == "" {
		return record, nil
	}
	if err := json.Unmarshal([]byte(lease.Annotations[recordAnnotation]), &record); err != nil {
		return record, failure.Permanent(failure.Unexpected, "read annotation %s of lease %s/%s: %s", recordAnnotation, lease.Namespace, lease.Name, err)
	}
	return record, nil
}

func setRecord(lease *coordinationv1.Lease, record Record) error {
	text, err := json.Marshal(record)
	if err != nil {
		return failure.Permanent(failure.Unexpected, "write annotation %s: %s", recordAnnotation, err)
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[recordAnnotation] = string(text)
	return nil
}

// owned reads a lease that this run must hold. Conflict, for good, when it does not.
func (a *Activities) owned(ctx context.Context, where Place, holder string, epoch int64) (*coordinationv1.Lease, error) {
	lease, err := a.get(ctx, where)
	if err != nil {
		return nil, err
	}
	if holderOf(lease) != holder || epochOf(lease) != epoch {
		return nil, failure.Permanent(failure.Conflict, "%s is held by %q in epoch %d, not by this run in epoch %d", where, holderOf(lease), epochOf(lease), epoch)
	}
	return lease, nil
}
