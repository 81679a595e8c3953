package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// newDaemon is `lab daemon`: a program that belongs to the lab for as long as it is up, such as the worker under trial.
func newDaemon(s *session) *cobra.Command {
	group := &cobra.Command{
		Use:     "daemon",
		Short:   "Let a program run in the background until the lab is taken away",
		Example: "  lab daemon start worker -- fukkyu-worker --plan plans/shodo.yaml --site site.yaml\n  lab daemon stop worker",
		Args:    cobra.ArbitraryArgs,
		RunE:    choose("daemon command"),
	}
	group.AddCommand(
		&cobra.Command{Use: "start NAME -- PROGRAM...", Short: "Start a program; one of that name that runs is left alone", Example: "  lab daemon start worker -- fukkyu-worker --help", Args: cobra.MinimumNArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				if _, _, err := topology.Load(s.folder); err != nil {
					return err
				}
				daemon := process.Daemon{Folder: s.folder, Name: args[0]}
				if err := daemon.Start(args[1], args[2:]...); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s runs; its log is %s\n", args[0], daemon.Log())
				return nil
			}},
		&cobra.Command{Use: "stop NAME", Short: "Stop it", Example: "  lab daemon stop worker", Args: exactly(1, "NAME"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return process.Daemon{Folder: s.folder, Name: args[0]}.Stop(cmd.Context())
			}})
	return group
}
