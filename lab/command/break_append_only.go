package command

import (
	"github.com/spf13/cobra"
)

// newBreakAppendOnly damages the append-only file of a Redis server.
func newBreakAppendOnly(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "append-only POD", Short: "Damage the append-only file of a Redis server and let it crash: it does not start again",
		Long: "Damage the append-only file of a Redis server and let it crash: it refuses to read the file, and does not start again. What mends it is a\n" +
			"replica that takes over, or: lab reset",
		Example: "  lab break append-only redis-master-0", Args: exactly(1, "POD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estates, err := s.livingEstates()
			if err != nil {
				return err
			}
			if err := estates[0].DamageAppendOnly(cmd.Context(), args[0]); err != nil {
				return err
			}
			return done(cmd, "the append-only file of %s is damaged, and its server has ended", args[0])
		},
	}
}
