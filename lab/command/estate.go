package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/estate"
	"github.com/shodo-ecosystem/fukkyu/lab/faults"
	"github.com/shodo-ecosystem/fukkyu/lab/lifecycle"
	"github.com/shodo-ecosystem/fukkyu/lab/temporal"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// estates are the estates of the lab that is up, one in each region.
func (s *session) estates() ([]estate.Estate, error) {
	lab, state, err := topology.Load(s.folder)
	if err != nil {
		return nil, err
	}
	var estates []estate.Estate
	for _, region := range lab.Regions {
		estates = append(estates, estate.Estate{Lab: lab, Folder: s.folder, State: state, Region: region})
	}
	return estates, nil
}

// estateUp brings the estate up on machines that are Ready. A lab without the estate's program is machines alone.
func (s *session) estateUp(ctx context.Context, talk io.Writer) error {
	estates, err := s.estates()
	if err != nil {
		return err
	}
	for _, e := range estates {
		if e.State.Shodo == "" {
			fmt.Fprintln(talk, "estate: left out, because no program is given by --shodo or LAB_SHODO")
			continue
		}
		begun := time.Now()
		fmt.Fprintln(talk, "estate: waiting for databases and services to be Ready")
		if err := e.Up(ctx); err != nil {
			return err
		}
		fmt.Fprintf(talk, "estate: Ready after %.1f s\n", time.Since(begun).Seconds())
	}
	return nil
}

// estateStatus is that of the estates whose API server answers: the machines' status already says of the others that it does not.
func (s *session) estateStatus(ctx context.Context, machines faults.Status) []estate.Status {
	estates, err := s.estates()
	if err != nil {
		return nil
	}
	var statuses []estate.Status
	for i, e := range estates {
		if e.State.Shodo != "" && machines.Regions[i].Answers {
			statuses = append(statuses, e.Status(ctx))
		}
	}
	return statuses
}

func printEstates(out io.Writer, estates []estate.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range estates {
		if e.Missing != "" {
			fmt.Fprintf(table, "\nestate of %s: not known: %s\n", e.Region, e.Missing)
			continue
		}
		fmt.Fprintf(table, "\nestate of %s: role object names %s (epoch %s), Service postgres leads to %s\n",
			e.Region, orNobody(e.Primary), cmp.Or(e.Epoch, "-"), orNobody(e.Service))
		fmt.Fprintln(table, "SERVICE\tREADY\tFAULTS")
		for _, service := range e.Services {
			fmt.Fprintf(table, "%s\t%d/%d\t%s\n", service.Name, service.Ready, service.Wanted, cmp.Or(strings.Join(service.Faults, ", "), "-"))
		}
		fmt.Fprintln(table, "\nPOD\tNODE\tPHASE\tREADY")
		for _, pod := range e.Pods {
			fmt.Fprintf(table, "%s\t%s\t%s\t%t\n", pod.Name, cmp.Or(pod.Node, "-"), pod.Phase, pod.Ready)
		}
	}
	return table.Flush()
}

func orNobody(pod string) string { return cmp.Or(pod, "nobody") }

// temporalUp starts Temporal. A lab without the temporal command does without.
func (s *session) temporalUp(ctx context.Context, talk io.Writer) error {
	_, state, err := topology.Load(s.folder)
	if err != nil {
		return err
	}
	if state.Temporal == "" {
		fmt.Fprintln(talk, "Temporal: left out, because no temporal command is given by --temporal or LAB_TEMPORAL")
		return nil
	}
	server := temporal.Server{Folder: s.folder, State: state}
	begun := time.Now()
	if err := server.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(talk, "Temporal: listens on %s, UI at %s, after %.1f s\n", server.Address(), server.UI(), time.Since(begun).Seconds())
	return nil
}

// newReset is `lab reset`: the database as it was at the very first start.
func newReset(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "reset",
		Short:   "Put the database and Redis back to their first state, empty, and services to the version that was applied",
		Example: "  lab mend all && lab reset",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unlock, err := lifecycle.Lock(s.folder, "reset")
			if err != nil {
				return err
			}
			defer unlock()
			estates, err := s.estates()
			if err != nil {
				return err
			}
			for _, e := range estates {
				if e.State.Shodo == "" {
					return errors.New("this lab has no estate; bring one up with --shodo")
				}
				begun := time.Now()
				if err := e.Reset(cmd.Context()); err != nil {
					return interrupted(cmd.Context(), err)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "the database and Redis of %s are as at their first start, after %.1f s\n", e.Region.Name, time.Since(begun).Seconds())
			}
			return nil
		},
	}
}
