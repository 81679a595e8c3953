package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/shodo-ecosystem/fukkyu/lab/estate"
	"github.com/shodo-ecosystem/fukkyu/lab/faults"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newServiceFaults are the faults of services.
func newServiceFaults(s *session) []*cobra.Command {
	var sickness string
	rollout := onServices(s, "rollout", "Roll out a version that is sick; by default one that never gets Ready", func(ctx context.Context, e estate.Estate, services []string) (string, error) {
		return "a version that is sick (" + sickness + ") is rolled out", e.RollOutSick(ctx, services, estate.Sickness(sickness))
	})
	rollout.Flags().StringVar(&sickness, "sick", string(estate.NeverReady), "what is wrong with it: "+words(estate.Sicknesses()))
	rollout.Example += "\n  lab break rollout shodo-ai-server --sick wrong-body"
	return []*cobra.Command{
		rollout,
		onServices(s, "crash", "Roll out a version whose containers crash", func(ctx context.Context, e estate.Estate, services []string) (string, error) {
			return "a version that crashes is rolled out", e.RollOutSick(ctx, services, estate.Crash)
		}),
		onServices(s, "image", "Roll out a version whose image is missing", func(ctx context.Context, e estate.Estate, services []string) (string, error) {
			return "a version without an image is rolled out", e.RollOutMissingImage(ctx, services)
		}),
		onServices(s, "hang", "Stop the processes of a service: they take requests and answer none, until they are restarted", func(ctx context.Context, e estate.Estate, services []string) (string, error) {
			count, err := e.StopProcesses(ctx, services)
			return fmt.Sprintf("%d processes are stopped", count), err
		}),
		onServices(s, "errors", "Let the processes of a service answer 500, until they are restarted", func(ctx context.Context, e estate.Estate, services []string) (string, error) {
			count, err := e.TurnSick(ctx, services)
			return fmt.Sprintf("%d processes answer 500", count), err
		}),
	}
}

func words[T ~string](all []T) string {
	var said []string
	for _, one := range all {
		said = append(said, string(one))
	}
	return strings.Join(said, ", ")
}

// onServices is a fault of one or more services of the estate.
func onServices(s *session, name, short string, act func(context.Context, estate.Estate, []string) (string, error)) *cobra.Command {
	return &cobra.Command{Use: name + " SERVICE...", Short: short, Example: "  lab break " + name + " shodo-frontend",
		Args: atLeastOne("SERVICE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			did, err := act(cmd.Context(), estates[0], args)
			if err != nil {
				return err
			}
			return done(cmd, "%s: %s", strings.Join(args, ", "), did)
		}}
}

// atLeastOne refuses no arguments by saying what was wanted.
func atLeastOne(wanted string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return wrongUsage{fmt.Errorf("%s wants at least one %s\n\nExamples:\n%s", cmd.CommandPath(), wanted, cmd.Example)}
		}
		return nil
	}
}

// livingEstates are the estates, of which there must be one.
func (s *session) livingEstates() ([]estate.Estate, error) {
	estates, err := s.estates()
	if err != nil {
		return nil, err
	}
	if err := needRoot(); err != nil {
		return nil, err
	}
	for _, e := range estates {
		if e.State.Shodo == "" {
			return nil, errors.New("this lab has no estate; bring one up with --shodo")
		}
	}
	return estates, nil
}

// mendServices undoes the faults of services, where there are any.
func (s *session) mendServices(ctx context.Context) error {
	estates, err := s.estates()
	if err != nil {
		return err
	}
	for _, e := range estates {
		if e.State.Shodo == "" {
			continue
		}
		if err := e.Mend(ctx); err != nil {
			return fmt.Errorf("mend the services of %s: %w", e.Region.Name, err)
		}
	}
	return nil
}

// newBreakZone switches off all machines of a zone.
func newBreakZone(s *session) *cobra.Command {
	return &cobra.Command{Use: "zone ZONE", Short: "Take the power of all nodes of a zone away, at once", Args: exactly(1, "ZONE"),
		Example: "  lab break zone ap-northeast-1c\n  lab break zone primary",
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, err := faults.Load(s.folder)
			if err != nil {
				return err
			}
			nodes, err := lab.Zone(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := needRoot(); err != nil {
				return err
			}
			return zoneOff(cmd, lab, nodes)
		}}
}

func zoneOff(cmd *cobra.Command, lab faults.Lab, nodes []topology.Node) error {
	begun := time.Now()
	work, ctx := errgroup.WithContext(cmd.Context())
	var off []string
	for _, node := range nodes {
		off = append(off, node.Name)
		work.Go(func() error { return lab.PowerOff(ctx, node) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return done(cmd, "zone %s is off: %s (proven after %d ms)", nodes[0].Zone, strings.Join(off, ", "), time.Since(begun).Milliseconds())
}
