package main

import (
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/spf13/cobra"
)

func (s *session) setupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "setup",
		Short:   "Teach a Temporal namespace the search attributes of recoveries",
		Long:    "Setup registers the search attributes by which recoveries are found and alerted on. It may be run any number of times.",
		Example: "  fukkyu setup --namespace default",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return s.setup(command) },
	}
}

func (s *session) setup(command *cobra.Command) error {
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	namespace, err := temporalclient.Namespace(s.temporal)
	if err != nil {
		return err
	}
	missing, err := temporalclient.Missing(command.Context(), connection, namespace, runbook.Attributes())
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Fprintf(command.ErrOrStderr(), "namespace %s knows all %d search attributes already\n", namespace, len(runbook.Attributes()))
		return nil
	}
	if err := temporalclient.Add(command.Context(), connection, namespace, missing); err != nil {
		return err
	}
	for _, key := range missing {
		fmt.Fprintf(command.ErrOrStderr(), "namespace %s: added %s\n", namespace, key.GetName())
	}
	return nil
}
