// Package node is what runs inside the machine of a Kubernetes node: its first process lays out the file system, writes
// the configuration and runs containerd, kubelet and kube-proxy, all on their standard paths and ports.
package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shodo-ecosystem/fukkyu/lab/cluster"
	"github.com/shodo-ecosystem/fukkyu/lab/supervise"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// serverPatience is how long a starting node waits for its API server before it starts the kubelet all the same. A
// kubelet that finds the server at once is Ready seconds earlier than one that has to try again.
const serverPatience = 15 * time.Second

// importTries is how often the images are offered to a containerd that is still starting.
const importTries = 50

// path is where the machine's programs are.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Node is one node as its first process sees it.
type Node struct {
	lab    topology.Lab
	state  topology.State
	folder topology.Folder
	region topology.Region
	self   topology.Node
}

// New finds out about the node of the name in the lab of the folder.
func New(folder topology.Folder, name string) (Node, error) {
	lab, state, err := topology.Load(folder)
	if err != nil {
		return Node{}, err
	}
	self, err := lab.Node(name)
	if err != nil {
		return Node{}, err
	}
	region, err := lab.Region(self.Region)
	return Node{lab: lab, state: state, folder: folder, region: region, self: self}, err
}

// Run is the life of the node's first process. It returns only with an error.
func (n Node) Run(ctx context.Context) error {
	// Read while the host's file system is still there.
	files, err := n.files()
	if err != nil {
		return err
	}
	server, err := cluster.New(n.folder, n.region)
	if err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(n.self.Name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := n.layOut(); err != nil {
		return fmt.Errorf("lay out the file system of %s: %w", n.self.Name, err)
	}
	if err := forwardOnly(); err != nil {
		return err
	}
	for _, file := range files {
		if err := file.write(); err != nil {
			return fmt.Errorf("configure %s: %w", n.self.Name, err)
		}
	}
	if err := writeBaseSpec(ctx); err != nil {
		return err
	}
	services := n.services()
	first := supervise.New(logs, "/run/switches")
	first.Add(services[0])
	if err := importImages(ctx); err != nil {
		// Reported and not fatal: with the images of an earlier start the node is still of use.
		fmt.Fprintln(os.Stderr, err)
	}
	go func() {
		patient, cancel := context.WithTimeout(ctx, serverPatience)
		defer cancel()
		_ = server.Ready(patient)
		first.AddLater(services[1:]...)
	}()
	first.Run()
	return nil
}

// services are the node's programs, containerd first.
func (n Node) services() []supervise.Service {
	profile := n.lab.Profile
	env := []string{"PATH=" + path, "HOME=/root",
		fmt.Sprintf("HTTP2_READ_IDLE_TIMEOUT_SECONDS=%d", int(profile.PingAfter.Seconds())),
		fmt.Sprintf("HTTP2_PING_TIMEOUT_SECONDS=%d", int(profile.PingTimeout.Seconds()))}
	labels := fmt.Sprintf("topology.kubernetes.io/region=%s,topology.kubernetes.io/zone=%s", n.self.Region, n.self.Zone)
	return []supervise.Service{
		{Name: "containerd", Env: env, Command: []string{lookUp("containerd"), "--config", containerdConfig}},
		{Name: "kubelet", Env: env, Command: []string{kubernetes, "kubelet", "--config=" + kubeletConfig, "--kubeconfig=" + kubeletKubeconfig,
			"--hostname-override=" + n.self.Name, "--node-ip=" + n.self.Address.String(), "--node-labels=" + labels}},
		{Name: "kube-proxy", Env: env, Command: []string{kubernetes, "kube-proxy", "--config=" + proxyConfig}},
	}
}

// lookUp finds a program on the machine's own path, which is not that of the shell the lab was started from.
func lookUp(program string) string {
	for _, folder := range strings.Split(path, ":") {
		if info, err := os.Stat(folder + "/" + program); err == nil && info.Mode()&0o111 != 0 {
			return folder + "/" + program
		}
	}
	return program
}

func run(ctx context.Context, program string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, lookUp(program), args...)
	command.Env = []string{"PATH=" + path, "HOME=/root"}
	output, err := command.CombinedOutput()
	if err != nil {
		return output, fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(output)))
	}
	return output, nil
}

// forwardOnly makes the machine a router that never tells others of a better way. Between its start and the bridge of its first pod it
// has only the default route for its pods: it would send the packets of other machines back, and tell them to go there
// themselves, which they would remember for minutes.
func forwardOnly() error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("let the machine forward packets: %w", err)
	}
	links, err := filepath.Glob("/proc/sys/net/ipv4/conf/*/send_redirects")
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := os.WriteFile(link, []byte("0"), 0); err != nil {
			return fmt.Errorf("keep the machine from redirecting others: %w", err)
		}
	}
	return nil
}
