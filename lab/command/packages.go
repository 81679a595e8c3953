package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/packages"
)

// newPackages is `lab packages`: the unpacked Debian packages, for tests that need PostgreSQL without a lab.
func newPackages(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "packages",
		Short:   "Fetch and unpack the Debian packages of the machines, and print the folder; nothing is installed",
		Example: "  FUKKYU_PACKAGES=$(lab packages) go test -tags integration ./activities/...",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := packages.Ensure(cmd.Context(), s.folder.Packages(), cmd.ErrOrStderr()); err != nil {
				return interrupted(cmd.Context(), err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), s.folder.Packages())
			return nil
		},
	}
}
