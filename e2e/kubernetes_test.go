//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const region = "ap-northeast-1"

// scratch is a namespace of the lab's real API server for activities on their own, away from the estate.
const scratch = "scratch"

const scratchObjects = `
apiVersion: v1
kind: Namespace
metadata: {name: scratch}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: role, namespace: scratch}
data: {primary: db-0, epoch: "3"}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: scratch}
spec: {clusterIP: None, selector: {statefulset.kubernetes.io/pod-name: db-0}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: scratch}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {nodeSelector: {nobody: has-this}, containers: [{name: db, image: "lab.local/host:1"}]}
`

func scratchClusters(t *testing.T, kubeconfig string) kubernetes.SiteClusters {
	t.Helper()
	clusters, err := kubernetes.Connect(plan.Site{Regions: []plan.SiteRegion{{Name: region, Kubernetes: plan.Kubernetes{Kubeconfig: filepath.Join(lab.Dir, kubeconfig)}}}})
	require.NoError(t, err)
	return clusters
}

// onScratch gives a test fresh objects.
func onScratch(t *testing.T) (*kubernetes.Activities, kubernetes.SiteClusters) {
	t.Helper()
	apply(t, "delete", "--ignore-not-found", "--wait")
	apply(t, "apply")
	clusters := scratchClusters(t, "kubeconfig")
	return kubernetes.New(clusters), clusters
}

func apply(t *testing.T, verb string, flags ...string) {
	t.Helper()
	args := append([]string{"kubectl", "--kubeconfig", filepath.Join(lab.Dir, "kubeconfig"), verb, "-f", "-"}, flags...)
	command := exec.CommandContext(t.Context(), filepath.Join(lab.Bin, "kubernetes"), args...)
	command.Stdin = strings.NewReader(scratchObjects)
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
}

// requirePermanent holds an error to its kind, and to never being tried again.
func requirePermanent(t *testing.T, err error, kind string) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, kind, application.Type(), application.Message())
	require.True(t, application.NonRetryable(), application.Message())
}

// settled performs an activity as Temporal does: a failure that may pass is tried again. The controllers of the cluster write
// to the same objects at any moment.
func settled[P, R any](t *testing.T, activity func(context.Context, P) (R, error), params P) error {
	t.Helper()
	var last error
	require.NoError(t, estate.Await(t.Context(), "the activity", 20*time.Second, func() (bool, string) {
		_, last = activity(t.Context(), params)
		var application *temporal.ApplicationError
		if errors.As(last, &application) && !application.NonRetryable() {
			return false, last.Error()
		}
		return true, ""
	}))
	return last
}

func TestRole_ClosedAndOpened_IsConditionalAndRepeatable(t *testing.T) {
	activities, _ := onScratch(t)
	closing := kubernetes.CloseRoleParams{Namespace: scratch, Region: region, Role: "role", From: "db-0", Epoch: 4}
	first, err := activities.CloseRole(t.Context(), closing)
	require.NoError(t, err)
	require.False(t, first.Already)
	second, err := activities.CloseRole(t.Context(), closing)
	require.NoError(t, err)
	require.True(t, second.Already)

	_, err = activities.OpenRole(t.Context(), kubernetes.OpenRoleParams{Namespace: scratch, Region: region, Role: "role", Pod: "db-1", Epoch: 3})
	requirePermanent(t, err, failure.Conflict) // an older recovery must not move what a later one owns
	_, err = activities.OpenRole(t.Context(), kubernetes.OpenRoleParams{Namespace: scratch, Region: region, Role: "role", Pod: "db-1", Epoch: 4})
	require.NoError(t, err)
	_, err = activities.CloseRole(t.Context(), kubernetes.CloseRoleParams{Namespace: scratch, Region: region, Role: "role", From: "db-0", Epoch: 5})
	requirePermanent(t, err, failure.Conflict) // somebody else moved it
}

func TestHoldDown_EachPlaceInTheSet_IsHeldAndLetUpAgain(t *testing.T) {
	for _, c := range []struct {
		pod             string
		replicas, start int32
	}{{"db-0", 2, 1}, {"db-2", 2, 0}, {"db-1", 3, 0}} {
		t.Run(c.pod, func(t *testing.T) {
			activities, clusters := onScratch(t)
			before := setNow(t, clusters)
			for range 2 {
				require.NoError(t, settled(t, activities.HoldDown, kubernetes.HoldDownParams{Namespace: scratch, Region: region, Pod: c.pod, Before: before}))
			}
			held := setNow(t, clusters)
			require.Equal(t, []int32{c.replicas, c.start}, []int32{held.Replicas, held.Start})
			for range 2 {
				require.NoError(t, settled(t, activities.LetUp, kubernetes.LetUpParams{Namespace: scratch, Region: region, Pod: c.pod, Before: before}))
			}
			require.Equal(t, before, setNow(t, clusters))
		})
	}
}

func TestLetUp_SomebodyElseHasScaledSince_IsNotOverwritten(t *testing.T) {
	activities, clusters := onScratch(t)
	before := setNow(t, clusters)
	require.NoError(t, settled(t, activities.HoldDown, kubernetes.HoldDownParams{Namespace: scratch, Region: region, Pod: "db-2", Before: before}))
	kubectl(t, "-n", scratch, "scale", "statefulset", "db", "--replicas=7")
	err := settled(t, activities.LetUp, kubernetes.LetUpParams{Namespace: scratch, Region: region, Pod: "db-2", Before: before})
	requirePermanent(t, err, failure.Conflict)
	require.Equal(t, int32(7), setNow(t, clusters).Replicas)
}

func setNow(t *testing.T, clusters kubernetes.SiteClusters) kubernetes.Set {
	t.Helper()
	set, err := clusters[region].Client.AppsV1().StatefulSets(scratch).Get(t.Context(), "db", metav1.GetOptions{})
	require.NoError(t, err)
	now := kubernetes.Set{Name: set.Name, UID: string(set.UID), Replicas: *set.Spec.Replicas}
	if set.Spec.Ordinals != nil {
		now.Start = set.Spec.Ordinals.Start
	}
	return now
}

func TestPointService_MovedBySomebodyElse_IsLeftAlone(t *testing.T) {
	activities, _ := onScratch(t)
	move := kubernetes.PointServiceParams{Namespace: scratch, Region: region, Service: "db", From: "db-0", To: "db-1"}
	for range 2 {
		_, err := activities.PointService(t.Context(), move)
		require.NoError(t, err)
	}
	move.From, move.To = "db-0", "db-2"
	_, err := activities.PointService(t.Context(), move)
	requirePermanent(t, err, failure.Conflict)
}

func TestFreePod_WithoutAProof_DeletesNothing(t *testing.T) {
	activities, _ := onScratch(t)
	_, err := activities.FreePod(t.Context(), kubernetes.FreePodParams{Namespace: scratch, Region: region, Pod: "db-0", UID: "any"})
	requirePermanent(t, err, failure.Unexpected)
}

// ledger is what Temporal would say of holders.
type ledger map[string]time.Time

func (l ledger) Closed(_ context.Context, holder string) (bool, time.Time, error) {
	at, closed := l[holder]
	return closed, at, nil
}

func TestLease_PassesOnOnlyWhenItsHolderIsClosedForLongEnough(t *testing.T) {
	_, clusters := onScratch(t)
	closed := ledger{}
	activities := lease.New(clusters, closed)
	place := lease.Place{Namespace: scratch, Region: region, Target: "db"}
	take := func(holder string) (lease.AcquireLeaseResult, error) {
		return activities.AcquireLease(t.Context(), lease.AcquireLeaseParams{Place: place, Holder: holder, Rest: 5 * time.Second})
	}
	first, err := take("a/1")
	require.NoError(t, err)
	again, err := take("a/1")
	require.NoError(t, err)
	require.Equal(t, lease.AcquireLeaseResult{Epoch: first.Epoch, Already: true}, again)

	_, err = take("b/1")
	requirePermanent(t, err, failure.Conflict)
	closed["a/1"] = time.Now()
	_, err = take("b/1")
	requirePermanent(t, err, failure.Conflict) // its last activity may still be at work
	closed["a/1"] = time.Now().Add(-time.Minute)
	second, err := take("b/1")
	require.NoError(t, err)
	require.Equal(t, first.Epoch+1, second.Epoch)

	_, err = activities.RecordLease(t.Context(), lease.RecordLeaseParams{Place: place, Holder: "a/1", Epoch: first.Epoch})
	requirePermanent(t, err, failure.Conflict) // who has lost the lease writes nothing
	release := lease.ReleaseLeaseParams{Place: place, Holder: "b/1", Epoch: second.Epoch, Record: lease.Record{Holder: "b/1", Phase: "finished"}}
	for range 2 {
		_, err = activities.ReleaseLease(t.Context(), release)
		require.NoError(t, err)
	}
	found, err := activities.ReadLease(t.Context(), lease.ReadLeaseParams{Place: place})
	require.NoError(t, err)
	require.False(t, found.Held)
	require.Equal(t, "finished", found.Last.Phase)
}

// The worker's own permissions end at what the plan names.
func TestPermissions_OfTheWorker_DoNotReachFurther(t *testing.T) {
	activities := kubernetes.New(scratchClusters(t, "worker.kubeconfig"))
	_, err := activities.OpenRole(t.Context(), kubernetes.OpenRoleParams{Namespace: "shodo", Region: region, Role: "kube-root-ca.crt", Pod: "x", Epoch: 1})
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, failure.Forbidden, application.Type())
	require.ErrorContains(t, err, `cannot get resource "configmaps"`)
}
