package kubernetes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// heartbeat is a kubelet's last sign of life.
type heartbeat struct {
	at   time.Time     // by the clock of its machine
	each time.Duration // how often it gives one; 0 when nobody knows
}

// readHeartbeats are those of all kubelets, by the names of their nodes: they renew their leases every few seconds, the conditions of a node
// rarely.
func readHeartbeats(ctx context.Context, client kubernetes.Interface) (map[string]heartbeat, error) {
	leases, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, Failure("list the leases of kubelets", err)
	}
	heard := map[string]heartbeat{}
	for _, lease := range leases.Items {
		if lease.Spec.RenewTime == nil {
			continue
		}
		beat := heartbeat{at: lease.Spec.RenewTime.Time}
		if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil {
			beat.each = time.Duration(*seconds) * time.Second / 4 // a kubelet renews four times in the time that its lease holds
		}
		heard[lease.Name] = beat
	}
	return heard, nil
}

// late says that a sign of life is missing, unless the machine's clock is behind.
func (h heartbeat) late(now time.Time) bool { return h.each > 0 && now.Sub(h.at) > 2*h.each }
