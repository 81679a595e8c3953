package command

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/balancer"
	"github.com/shodo-ecosystem/fukkyu/lab/controlplane"
	"github.com/shodo-ecosystem/fukkyu/lab/estate"
	"github.com/shodo-ecosystem/fukkyu/lab/inbox"
	"github.com/shodo-ecosystem/fukkyu/lab/machine"
	"github.com/shodo-ecosystem/fukkyu/lab/node"
	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/power"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newInternals are the commands the lab runs itself with, inside its machines and as its daemon.
func newInternals(s *session) []*cobra.Command {
	return []*cobra.Command{
		{Use: "launch TAG MACHINE PIDFILE -- INIT...", Hidden: true, Args: cobra.MinimumNArgs(4),
			RunE: func(_ *cobra.Command, args []string) error {
				return machine.Launch(args[0], args[1], args[2], args[3:])
			}},
		{Use: "init-node NODE", Hidden: true, Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				n, err := node.New(s.folder, args[0])
				if err != nil {
					return err
				}
				return n.Run(context.Background())
			}},
		{Use: "init-control-plane REGION", Hidden: true, Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				c, err := controlplane.New(s.folder, args[0])
				if err != nil {
					return err
				}
				return c.Run(context.Background())
			}},
		{Use: "serve", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), s.folder) }},
	}
}

// serve is the lab's daemon: what it offers on the host's side, until it is told to end.
func serve(ctx context.Context, folder topology.Folder) error {
	lab, _, err := topology.Load(folder)
	if err != nil {
		return err
	}
	_ = os.Chdir("/")
	services, ctx := errgroup.WithContext(ctx)
	services.Go(func() error {
		service, err := power.New(folder, lab)
		if err != nil {
			return err
		}
		return service.Serve(ctx)
	})
	services.Go(func() error { return inbox.New(folder, lab).Serve(ctx) })
	services.Go(func() error { return objectstore.New(folder, lab).Serve(ctx) })
	for _, balanced := range balancers(lab) {
		services.Go(func() error { return balanced.Serve(ctx) })
	}
	services.Go(func() error { return syntheticRouter(lab).Serve(ctx) })
	return services.Wait()
}

// syntheticRouter leads to the synthetic services, however many there are.
func syntheticRouter(lab topology.Lab) balancer.Router {
	router := balancer.Router{Listen: fmt.Sprintf("%s:%d", lab.Host(), topology.SyntheticPort), Port: func(name string) (int, bool) {
		service, known := estate.SyntheticService(name)
		return service.NodePort, known
	}}
	for _, node := range lab.Nodes() {
		router.Nodes = append(router.Nodes, node.Address.String())
	}
	return router
}

// balancers are one for each service, in front of the node ports of all nodes.
func balancers(lab topology.Lab) []balancer.Balancer {
	var all []balancer.Balancer
	for _, service := range estate.Services() {
		balanced := balancer.Balancer{Listen: fmt.Sprintf("%s:%d", lab.Host(), service.Port), Check: service.Readiness}
		for _, node := range lab.Nodes() {
			balanced.Backends = append(balanced.Backends, fmt.Sprintf("%s:%d", node.Address, service.NodePort))
		}
		all = append(all, balanced)
	}
	return all
}
