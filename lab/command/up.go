package command

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newUp is `lab up`: machines first, then the estate on them.
func newUp(s *session) *cobra.Command {
	var state topology.State
	up := &cobra.Command{
		Use:     "up",
		Short:   "Bring the lab up; on a lab that is up, start again what is missing",
		Example: "  lab up\n  lab up --profile default",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return nil
		},
	}
	up.Flags().StringVar(&state.Network, "network", topology.DefaultNetwork, "IPv4 /16 of the lab; the two after it hold pods and services")
	up.Flags().StringVar(&state.Profile, "profile", "tuned", "tuned (a lost node is NotReady after 8 s) or default (50 s)")
	up.Flags().StringVar(&state.Kubernetes, "kubernetes", os.Getenv("LAB_KUBERNETES"), "path of the kubernetes binary ($LAB_KUBERNETES)")
	up.Flags().StringVar(&state.Shodo, "shodo", os.Getenv("LAB_SHODO"), "path of the estate's program, static ($LAB_SHODO)")
	up.Flags().StringVar(&state.Deployments, "deployments", os.Getenv("LAB_DEPLOYMENTS"), "folder of the product's manifests ($LAB_DEPLOYMENTS)")
	return up
}
