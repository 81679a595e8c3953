// Package command is the lab's command line.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

// wrongUsage is an error of the person at the keyboard: nothing was tried.
type wrongUsage struct{ error }

// session is what every command shares: the data folder, chosen once by flag or environment.
type session struct {
	folder topology.Folder
}

// Run runs the command line and returns the exit code: 0 done, 1 failed, 2 wrong usage.
func Run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		if wrong := (wrongUsage{}); errors.As(err, &wrong) {
			return 2
		}
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	s := &session{}
	root := &cobra.Command{
		Use:           "lab",
		Args:          cobra.ArbitraryArgs,
		Short:         "A whole estate on one machine: real Kubernetes, PostgreSQL and Redis, to be broken and mended",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var dir string
	root.PersistentFlags().StringVar(&dir, "dir", "", "data folder of the lab (default $LAB_DIR or ~/.cache/fukkyu-lab)")
	root.PersistentPreRunE = func(*cobra.Command, []string) (err error) {
		if dir == "" {
			s.folder, err = topology.DefaultFolder()
			return err
		}
		absolute, err := filepath.Abs(dir)
		s.folder = topology.Folder(absolute)
		return err
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return wrongUsage{fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())}
	})
	root.RunE = choose("command")
	root.AddCommand(newUp(s), newDown(s), newStatus(s), newKubeconfig(s), newBreak(s), newMend(s), newReset(s), newReferee(s), newInbox(s), newSynthetic(s), newDaemon(s), newPackages(s))
	root.AddCommand(newInternals(s)...)
	return root
}

// choose shows the help of a command that is only a group of others, and refuses a word that is none of them.
func choose(what string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var known []string
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() && child.Name() != "completion" && child.Name() != "help" {
				known = append(known, child.Name())
			}
		}
		return wrongUsage{fmt.Errorf("no such %s %s: there are %s", what, args[0], strings.Join(known, ", "))}
	}
}

// interrupted explains an error that came of Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; what was begun is taken away with: lab down (%w)", err)
	}
	return err
}
