package command

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/lifecycle"
	"github.com/shodo-ecosystem/fukkyu/lab/temporal"
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
			begun := time.Now()
			unlock, err := lifecycle.Lock(s.folder, "up")
			if err != nil {
				return err
			}
			defer unlock()
			talk := cmd.ErrOrStderr()
			state.Temporal = temporal.Find(state.Temporal)
			lab, err := lifecycle.Up(cmd.Context(), s.folder, state, talk)
			if err != nil {
				return interrupted(cmd.Context(), err)
			}
			fmt.Fprintf(talk, "machines: %d nodes Ready after %.1f s\n", len(lab.Nodes()), time.Since(begun).Seconds())
			work, ctx := errgroup.WithContext(cmd.Context())
			work.Go(func() error { return s.estateUp(ctx, talk) })
			work.Go(func() error { return s.temporalUp(ctx, talk) })
			if err := work.Wait(); err != nil {
				return interrupted(cmd.Context(), err)
			}
			fmt.Fprintf(talk, "the lab is up after %.1f s; look at it with: lab status; take it away with: lab down\n", time.Since(begun).Seconds())
			return nil
		},
	}
	up.Flags().StringVar(&state.Network, "network", topology.DefaultNetwork, "IPv4 /16 of the lab; the two after it hold pods and services")
	up.Flags().StringSliceVar(&state.Packages, "packages", nil, "more Debian packages for the machines")
	up.Flags().StringVar(&state.Profile, "profile", "tuned", "tuned (a lost node is NotReady after 8 s) or default (50 s)")
	up.Flags().StringVar(&state.Kubernetes, "kubernetes", os.Getenv("LAB_KUBERNETES"), "path of the kubernetes binary ($LAB_KUBERNETES)")
	up.Flags().StringVar(&state.Shodo, "shodo", os.Getenv("LAB_SHODO"), "path of the estate's program, static ($LAB_SHODO)")
	up.Flags().StringVar(&state.Deployments, "deployments", os.Getenv("LAB_DEPLOYMENTS"), "folder of the product's manifests ($LAB_DEPLOYMENTS)")
	up.Flags().StringVar(&state.Temporal, "temporal", os.Getenv("LAB_TEMPORAL"), "path of the temporal command ($LAB_TEMPORAL, else the one on the PATH)")
	up.Flags().IntVar(&state.TemporalPort, "temporal-port", 7233, "port of Temporal on 127.0.0.1")
	up.Flags().IntVar(&state.TemporalUIPort, "temporal-ui-port", 8233, "port of the Temporal UI on 127.0.0.1")
	return up
}

func newDown(s *session) *cobra.Command {
	var purge bool
	down := &cobra.Command{
		Use:     "down",
		Short:   "Take the lab away, also what is left of one that crashed; downloads and logs stay",
		Example: "  lab down\n  lab down --purge",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unlock, err := lifecycle.Lock(s.folder, "down")
			if err != nil {
				return err
			}
			defer unlock()
			if err := lifecycle.Down(cmd.Context(), s.folder, purge); err != nil {
				return interrupted(cmd.Context(), err)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "the lab is down; nothing of it runs")
			return nil
		},
	}
	down.Flags().BoolVar(&purge, "purge", false, "also remove downloads, logs and the data folder itself")
	return down
}
