package command

import (
	"github.com/spf13/cobra"
)

// newBreakDisk fills the disk of a database pod.
func newBreakDisk(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "disk POD", Short: "Leave no space on the volume of a database pod; the first time the pod is replaced for it",
		Long: "Leave no space on the volume of a database pod: its server goes on until it must write more than it has. The first time the volume is\n" +
			"made a file system of its own, for which the pod is stopped and comes back some seconds later. Space comes back with: lab mend NODE",
		Example: "  lab break disk postgres-primary-0\n  lab break disk postgres-replica-1", Args: exactly(1, "POD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			if err := estates[0].FillDisk(cmd.Context(), args[0]); err != nil {
				return err
			}
			return done(cmd, "no space is left on the volume of %s", args[0])
		},
	}
}
