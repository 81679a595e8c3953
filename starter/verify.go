package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/spf13/cobra"
)

// verifyTimeout is how long a verification may run, with all its parts at the same time.
const verifyTimeout = 2 * time.Minute

func (s *session) verifyCommand() *cobra.Command {
	var request workflows.VerificationRequest
	command := &cobra.Command{
		Use:   "verify",
		Short: "Check databases, Redis servers and endpoints, and change nothing",
		Long: `Verify looks at the data and the services of the plan: tables, constraints, indexes, sequences, page checksums, replication, the
plan's own queries, Redis persistence and a sample of its keys, and every health endpoint. It takes no lease and may run at any
time. It ends with 0 when every check passes, and with 4 otherwise: a check that could not run is not a pass.`,
		Example: "  fukkyu verify\n  fukkyu verify --database shodo --output json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return s.verify(command, request) },
	}
	command.Flags().StringSliceVar(&request.Databases, "database", nil, "database of the plan, and nothing else; may be repeated")
	return command
}

func (s *session) verify(command *cobra.Command, request workflows.VerificationRequest) error {
	var found workflows.Verification
	asked := inquiry{name: "verify", workflow: workflows.VerificationName, summary: "checks that change nothing", timeout: verifyTimeout, request: request}
	if err := s.inquire(command, asked, &found); err != nil {
		return err
	}
	if err := s.printVerification(command.OutOrStdout(), found); err != nil {
		return err
	}
	return verdictOf(found)
}

func (s *session) printVerification(out io.Writer, found workflows.Verification) error {
	if s.output == outputJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(found)
	}
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, "VERDICT\tTARGET\tCHECK\tMEASURED\tEXPECTED")
	for _, check := range found.Checks {
		fmt.Fprintf(writer, "%s\t%s\t%s\t%s\t%s\n", check.Verdict, printable(check.Target), printable(check.Name), printable(check.Measured), printable(check.Expected))
	}
	return writer.Flush()
}

// verdictOf turns checks that did not pass into the exit code.
func verdictOf(found workflows.Verification) error {
	if found.Verdict == integrity.Pass {
		return nil
	}
	count := 0
	for _, check := range found.Checks {
		if check.Verdict != integrity.Pass {
			count++
		}
	}
	return &exit{code: exitIncomplete, err: fmt.Errorf("%d of %d checks did not pass", count, len(found.Checks))}
}
