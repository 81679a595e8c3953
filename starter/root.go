package main

import (
	"fmt"
	"log/slog"

	"github.com/shodo-ecosystem/fukkyu/internal/build"
	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// session is what all commands share: how to reach Temporal, and how to print.
type session struct {
	temporal temporalclient.Options
	output   string
}

// The forms of output.
const (
	outputText = "text"
	outputJSON = "json"
	outputHTML = "html" // of commands with the annotation rendersHTML
)

const rendersHTML = "renders-html"

// newRoot is the whole command. The interceptors see its calls to Temporal.
func newRoot(interceptors ...interceptor.ClientInterceptor) *cobra.Command {
	s := &session{temporal: temporalclient.Options{Interceptors: interceptors}}
	root := &cobra.Command{
		Use:   "fukkyu",
		Short: "Run disaster-recovery runbooks, watch them, and decide",
		Long: `Fukkyu turns a written disaster-recovery plan into durable runbooks on Temporal.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid plan, 3 refused and nothing is changed, 4 incomplete and action is
needed, 5 done but too late or unproven, 6 the run goes on without this command, 7 Temporal does not answer.`,
		Example: `  fukkyu rehearse database-failover --database shodo --by yuki
  fukkyu run database-failover --database shodo --by yuki --reason "node-a1 is dead"
  fukkyu approve --question 1 --by aiko`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	flags := root.PersistentFlags()
	flags.StringVar(&s.temporal.Address, "address", "", "address of Temporal, else TEMPORAL_ADDRESS or the profile's")
	flags.StringVar(&s.temporal.Namespace, "namespace", "", "Temporal namespace, else TEMPORAL_NAMESPACE or the profile's")
	flags.StringVar(&s.temporal.Profile, "profile", "", "profile of the temporal command")
	flags.StringVarP(&s.output, "output", "o", outputText, "text or json, report also html; json prints one document and never asks")
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usage("%w\nusage: %s\nexample:\n%s", err, command.UseLine(), command.Example)
	})
	root.PersistentPreRunE = func(command *cobra.Command, _ []string) error { return s.checkOutput(command) }
	root.AddCommand(s.setupCommand(), s.planCommand(), s.runCommand(), s.rehearseCommand(), s.diagnoseCommand(), s.verifyCommand(),
		s.listCommand(), s.statusCommand(), s.watchCommand(), s.reportCommand())
	root.AddCommand(s.decisionCommands()...)
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print the version of this command", Example: "  fukkyu version", Args: noArguments,
		Run: func(command *cobra.Command, _ []string) { fmt.Fprintln(command.OutOrStdout(), build.Version()) },
	})
	return root
}

// checkOutput refuses a form of output that the command has not.
func (s *session) checkOutput(command *cobra.Command) error {
	_, html := command.Annotations[rendersHTML]
	switch {
	case s.output == outputText, s.output == outputJSON, s.output == outputHTML && html:
		return nil
	case html:
		return usage("--output %q is unknown: text, json or html", s.output)
	default:
		return usage("--output %q is unknown: text or json", s.output)
	}
}

// connect dials Temporal. Its own log lines would only stand between a person and the answer.
func (s *session) connect(command *cobra.Command) (client.Client, error) {
	options := s.temporal
	options.Logger = slog.New(slog.DiscardHandler)
	return temporalclient.Dial(command.Context(), options)
}

// noArguments and atMostOne are cobra's checks with our exit code.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, and %q is one\nexample:\n%s", command.CommandPath(), args[0], command.Example)
	}
	return nil
}

func atMostOne(command *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes one workflow at most, and %d are given\nexample:\n%s", command.CommandPath(), len(args), command.Example)
	}
	return nil
}

// group is a command that only holds others: without one of them it is wrong usage.
func group(command *cobra.Command) *cobra.Command {
	command.Args = cobra.ArbitraryArgs // so that cobra leaves the unknown word, and its exit code, to us
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s %s is unknown; see %s --help\nexample:\n%s", command.CommandPath(), args[0], command.CommandPath(), command.Example)
		}
		return command.Help()
	}
	return command
}
