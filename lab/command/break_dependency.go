package command

import (
	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newBreakDependency puts what the estate needs of others out of order.
func newBreakDependency(s *session) *cobra.Command {
	var how string
	command := &cobra.Command{
		Use: "dependency", Short: "Put the object store, which the estate needs of others, out of order",
		Example: "  lab break dependency\n  lab break dependency --how hang", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := topology.Load(s.folder); err != nil {
				return err
			}
			if err := needRoot(); err != nil {
				return err
			}
			if err := objectstore.Break(s.folder, objectstore.Fault(how)); err != nil {
				return wrongUsage{err}
			}
			return done(cmd, "the object store is out of order (%s)", how)
		},
	}
	command.Flags().StringVar(&how, "how", string(objectstore.Refuse), "what is wrong with it: "+words(objectstore.Faults()))
	return command
}

func (s *session) mendDependency(cmd *cobra.Command) error {
	if _, _, err := topology.Load(s.folder); err != nil {
		return err
	}
	if err := needRoot(); err != nil {
		return err
	}
	if err := objectstore.Mend(s.folder); err != nil {
		return err
	}
	return done(cmd, "the object store is in order")
}
