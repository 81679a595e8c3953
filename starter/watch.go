package main

import (
	"context"
	"fmt"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"golang.org/x/term"
)

// plainHelp is the flag of every command that shows a run.
const plainHelp = "print one line for each thing that happens instead of drawing the run"

// watchFlags say how a run is watched.
type watchFlags struct {
	plain     bool
	approveAs string
}

func (s *session) watchCommand() *cobra.Command {
	var f watchFlags
	command := &cobra.Command{
		Use: "watch [WORKFLOW]", Short: "Watch a run until it ends: its steps, its clocks, its question",
		Long: `Watch shows a run that somebody started, until it ends, and then prints its report. WORKFLOW may be left out while exactly one
recovery runs. On a terminal the run is drawn; elsewhere, or with --plain, each thing that happens is a line.

q or Ctrl-C stops watching and nothing else: the run goes on. The exit code is that of the run.`,
		Example: "  fukkyu watch\n  fukkyu watch database-failover/shodo --plain", Args: atMostOne,
		RunE: func(command *cobra.Command, args []string) error { return s.watch(command, args, f) },
	}
	command.Flags().BoolVar(&f.plain, "plain", false, plainHelp)
	return command
}

func (s *session) watch(command *cobra.Command, args []string, f watchFlags) error {
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	id, err := s.workflowOf(command.Context(), connection, args)
	if err != nil {
		return err
	}
	run, running, err := runOf(command.Context(), connection, id)
	if err != nil {
		return err
	}
	f.plain = f.plain || !running // there is nothing to draw
	return s.watchRun(command, connection, run, f)
}

// watchRun shows a run until it ends, prints its report, and turns its outcome into the exit code.
func (s *session) watchRun(command *cobra.Command, connection client.Client, run client.WorkflowRun, f watchFlags) error {
	followed := &follower{connection: connection, run: run, approveAs: f.approveAs}
	var final report.Report
	var err error
	if f.plain || !s.canDraw() {
		followed.display = &lines{talk: command.ErrOrStderr(), quiet: f.approveAs != ""}
		final, err = followed.follow(command.Context())
	} else {
		final, err = followDrawn(command.Context(), followed, tea.WithInput(os.Stdin), tea.WithOutput(os.Stderr))
	}
	if err != nil {
		return err
	}
	return s.conclude(command.OutOrStdout(), final)
}

// canDraw says whether a person sits at a terminal that can be drawn on. Results go to standard output, so it need not be one.
func (s *session) canDraw() bool {
	return s.output == outputText && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// followDrawn draws the run until it ends or the person leaves, which is told as the follower tells it.
func followDrawn(ctx context.Context, f *follower, terminal ...tea.ProgramOption) (report.Report, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	program := tea.NewProgram(newView(f.run.GetID()), append(terminal, tea.WithoutSignalHandler())...)
	f.display = drawing{program}
	type end struct {
		final report.Report
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		final, err := f.follow(ctx)
		ended <- end{final, err}
		program.Quit()
	}()
	_, err := program.Run()
	leave()
	followed := <-ended
	if err != nil {
		return report.Report{}, &exit{code: exitWaiting, err: fmt.Errorf("draw the run, which goes on: %w; watch it with: fukkyu watch %s --plain", err, f.run.GetID())}
	}
	return followed.final, followed.err
}

// drawing is the display that hands everything to the view. What is handed over after the view has ended is dropped.
type drawing struct{ program *tea.Program }

func (d drawing) show(now report.Report)  { d.program.Send(now) }
func (d drawing) silence(sentence string) { d.program.Send(silent(sentence)) }
func (d drawing) tell(sentence string)    { d.program.Send(told(sentence)) }
