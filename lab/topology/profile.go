package topology

import (
	"fmt"
	"time"
)

// Profile is how fast Kubernetes notices and gives up on a node. Every measurement names the profile it was made under.
type Profile struct {
	Name string
	// MonitorPeriod and GracePeriod: how often the node controller looks, and after what silence a node is NotReady.
	MonitorPeriod, GracePeriod time.Duration
	// Toleration is how long pods stay bound to a node that is not Ready or not reachable.
	Toleration time.Duration
	// Lease is how long a node's lease is valid; the kubelet renews it four times as often.
	Lease time.Duration
	// Status is how often the kubelet computes its status.
	Status time.Duration
	// PingAfter and PingTimeout bound how long node agents hold on to a dead connection to the API server.
	PingAfter, PingTimeout time.Duration
}

// Profiles returns the known profiles: `tuned`, which notices a lost node after 8 s, and `default`, which is
// Kubernetes as it comes.
func Profiles() []Profile {
	return []Profile{
		{Name: "tuned", MonitorPeriod: time.Second, GracePeriod: 8 * time.Second, Toleration: 10 * time.Second, Lease: 8 * time.Second,
			Status: 2 * time.Second, PingAfter: 3 * time.Second, PingTimeout: 2 * time.Second},
		{Name: "default", MonitorPeriod: 5 * time.Second, GracePeriod: 50 * time.Second, Toleration: 300 * time.Second, Lease: 40 * time.Second,
			Status: 10 * time.Second, PingAfter: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// ProfileNamed finds a profile by name.
func ProfileNamed(name string) (Profile, error) {
	for _, profile := range Profiles() {
		if profile.Name == name {
			return profile, nil
		}
	}
	return Profile{}, fmt.Errorf("no such profile %s: profiles are tuned (a lost node is NotReady after 8 s) and default (50 s)", name)
}
