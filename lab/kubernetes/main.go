// Command kubernetes is every Kubernetes component of the lab in one binary: etcd, the control plane, the node agents and kubectl.
//
// One binary because the components share almost all of their code: together they are 183 MB stripped, apart ten times that.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// components constructs each component only when it is the one asked for: their constructors install
// signal handlers, and two of them in one process panic.
var components = map[string]func() *cobra.Command{
	"etcd":                    newEtcdCommand,
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	if len(os.Args) < 2 || components[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: kubernetes etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet|kubectl [flags]")
		os.Exit(2)
	}
	// The component reads os.Args itself, and finds its own name in first place as if it had been called by it.
	os.Args = os.Args[1:]
	os.Exit(cli.Run(components[os.Args[0]]()))
}

// newEtcdCommand serves etcd on 127.0.0.1 with its data in DIR. It does not sync to disk: the lab loses nothing worth a disk flush.
func newEtcdCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "etcd DIR",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config := embed.NewConfig()
			config.Dir = args[0]
			config.LogLevel = "error"
			config.UnsafeNoFsync = true
			server, err := embed.StartEtcd(config)
			if err != nil {
				return fmt.Errorf("start etcd in %s: %w", args[0], err)
			}
			defer server.Close()
			stop, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			select {
			case <-stop.Done():
				return nil
			case err := <-server.Err():
				return err
			}
		},
	}
}
