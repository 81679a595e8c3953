// Package command is the lab's command line.
package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

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
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	s := &session{}
	root := &cobra.Command{
		Use:           "lab",
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
	root.AddCommand(newUp(s), newDown(s))
	root.AddCommand(newInternals(s)...)
	return root
}

// interrupted explains an error that came of Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; what was begun is taken away with: lab down (%w)", err)
	}
	return err
}
