// Package controlplane is what runs inside the machine of a region's control plane: etcd, API server, controller
// manager and scheduler, all on their standard ports.
package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shodo-ecosystem/fukkyu/lab/authority"
	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/metrics"
	"github.com/shodo-ecosystem/fukkyu/lab/supervise"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// Services that can be stopped by themselves, the rest of the control plane running on.
const (
	APIServer = "kube-apiserver"
	Etcd      = "etcd"
)

// ControlPlane is a control plane as its first process sees it.
type ControlPlane struct {
	lab    topology.Lab
	state  topology.State
	folder topology.Folder
	region topology.Region
}

// New finds out about the control plane of the region in the lab of the folder.
func New(folder topology.Folder, region string) (ControlPlane, error) {
	lab, state, err := topology.Load(folder)
	if err != nil {
		return ControlPlane{}, err
	}
	found, err := lab.Region(region)
	return ControlPlane{lab: lab, state: state, folder: folder, region: found}, err
}

// switches is the folder in which a file keeps a service down.
func switches(folder topology.Folder, region string) string {
	return filepath.Join(folder.ControlPlane(region), "switches")
}

// Stop kills a service of the region's control plane and keeps it down; Resume lets it come back.
func Stop(folder topology.Folder, region, service string) error {
	if err := os.MkdirAll(switches(folder, region), 0o755); err != nil {
		return err
	}
	return os.WriteFile(supervise.Switch(switches(folder, region), service), nil, 0o644)
}

// Slow makes a service of the region's control plane stand still for a time, work for a moment, and stand still again, until it is
// resumed.
func Slow(folder topology.Folder, region, service string, still time.Duration) error {
	if err := os.MkdirAll(switches(folder, region), 0o755); err != nil {
		return err
	}
	return topology.WriteFile(supervise.Slow(switches(folder, region), service), []byte(still.String()), 0o644)
}

// Pause is how long a service stands still at a time; 0: it is not slow.
func Pause(folder topology.Folder, region, service string) time.Duration {
	return supervise.Pause(switches(folder, region), service)
}

// Resume lets a stopped service come back, and a slow one be as fast as it was. One with no fault runs on.
func Resume(folder topology.Folder, region, service string) error {
	for _, file := range []string{supervise.Switch(switches(folder, region), service), supervise.Slow(switches(folder, region), service)} {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// Stopped says whether a service is kept down.
func Stopped(folder topology.Folder, region, service string) bool {
	_, err := os.Stat(supervise.Switch(switches(folder, region), service))
	return err == nil
}

// Run is the life of the control plane's first process. It returns only with an error.
func (c ControlPlane) Run(ctx context.Context) error {
	if err := unix.Sethostname([]byte(c.region.Machine())); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to the machine: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	server, err := cluster.New(c.folder, c.region)
	if err != nil {
		return err
	}
	usage, err := metrics.New(c.folder, c.region)
	if err != nil {
		return err
	}
	go func() {
		// Reported and not fatal: a cluster that measures nothing is still of use.
		fmt.Fprintln(os.Stderr, usage.Serve(ctx))
	}()
	first := supervise.New(c.folder.Logs(c.region.Machine()), switches(c.folder, c.region.Name))
	services := c.services()
	first.Add(services[0])
	first.Add(services[1])
	go func() {
		// The others would only fail and try again until the API server answers.
		_ = server.Ready(ctx)
		first.AddLater(services[2:]...)
	}()
	first.Run()
	return nil
}

// services are etcd, API server, controller manager and scheduler, in this order.
func (c ControlPlane) services() []supervise.Service {
	issued := func(file string) string { return filepath.Join(c.folder.Authority(c.region.Name), file) }
	profile := c.lab.Profile
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	service := func(name string, flags ...string) supervise.Service {
		return supervise.Service{Name: name, Env: env, Command: append([]string{c.state.Kubernetes, name}, flags...)}
	}
	flag := func(name string, value any) string { return fmt.Sprintf("--%s=%v", name, value) }
	toleration := int(profile.Toleration.Seconds())
	return []supervise.Service{
		service(Etcd, filepath.Join(c.folder.ControlPlane(c.region.Name), "etcd")),
		service(APIServer,
			flag("etcd-servers", "http://127.0.0.1:2379"),
			flag("bind-address", "0.0.0.0"), flag("secure-port", topology.APIServerPort), flag("advertise-address", c.region.ControlPlane),
			flag("tls-cert-file", issued(authority.APIServer+".crt")), flag("tls-private-key-file", issued(authority.APIServer+".key")),
			flag("client-ca-file", issued(authority.CA+".crt")),
			flag("kubelet-client-certificate", issued(authority.KubeletClient+".crt")), flag("kubelet-client-key", issued(authority.KubeletClient+".key")),
			flag("kubelet-certificate-authority", issued(authority.CA+".crt")), flag("kubelet-preferred-address-types", "InternalIP"),
			flag("proxy-client-cert-file", issued(authority.Aggregator+".crt")), flag("proxy-client-key-file", issued(authority.Aggregator+".key")),
			flag("service-account-issuer", "https://kubernetes.default.svc"),
			flag("service-account-key-file", issued(authority.ServiceAccount+".key")), flag("service-account-signing-key-file", issued(authority.ServiceAccount+".key")),
			flag("authorization-mode", strings.Join([]string{"Node", "RBAC"}, ",")), flag("enable-admission-plugins", "NodeRestriction"),
			flag("service-cluster-ip-range", c.region.Services), flag("allow-privileged", true), flag("profiling", false),
			flag("default-not-ready-toleration-seconds", toleration), flag("default-unreachable-toleration-seconds", toleration)),
		service("kube-controller-manager", append(elected(),
			flag("kubeconfig", issued(authority.Controllers+".kubeconfig")),
			flag("service-account-private-key-file", issued(authority.ServiceAccount+".key")), flag("root-ca-file", issued(authority.CA+".crt")),
			flag("use-service-account-credentials", true), flag("allocate-node-cidrs", false),
			flag("node-monitor-period", profile.MonitorPeriod), flag("node-monitor-grace-period", profile.GracePeriod))...),
		service("kube-scheduler", append(elected(), flag("kubeconfig", issued(authority.Scheduler+".kubeconfig")))...),
	}
}

// elected makes a controller the leader, although there is no other: one that has lost its API server gives up and starts anew, as
// everywhere, instead of acting on what it saw before the outage for a minute more.
func elected() []string {
	return []string{"--leader-elect=true", "--leader-elect-lease-duration=10s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=1s"}
}
