package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/spf13/cobra"
)

// diagnosisTimeout is how long a diagnosis may run. It takes 10 s at most; after this no worker is there to make it.
const diagnosisTimeout = 40 * time.Second

// diagnoseFlags say what is looked at, and who asks.
type diagnoseFlags struct{ region, by string }

func (s *session) diagnoseCommand() *cobra.Command {
	var f diagnoseFlags
	command := &cobra.Command{
		Use: "diagnose", Short: "Look at everything that the plan names, and say what is broken",
		Long: `Diagnose asks everything of a region how it is, all at once and within 10 s, and changes nothing. It says in one paragraph what is
broken, which scenario of the plan that looks like and which command would start the answer; then what it found, and where the
bundle with everything is, the logs too.

It ends with 0 when everything is well, and with 4 when anything is not.`,
		Example: "  fukkyu diagnose\n  fukkyu diagnose --region us-west-2 --output json",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return s.diagnose(command, f) },
	}
	flags := command.Flags()
	flags.StringVar(&f.region, "region", "", "region of the plan; its first one otherwise")
	flags.StringVar(&f.by, "by", os.Getenv("USER"), "your name")
	return command
}

func (s *session) diagnose(command *cobra.Command, f diagnoseFlags) error {
	var seen diagnosis.Diagnosis
	asked := inquiry{
		name: "diagnose", workflow: workflows.DiagnosisName, summary: "diagnosis asked for by " + cmp.Or(f.by, "somebody"), timeout: diagnosisTimeout,
		request: workflows.DiagnosisRequest{By: f.by, Region: f.region},
	}
	if err := s.inquire(command, asked, &seen); err != nil {
		return err
	}
	if err := s.printDiagnosis(command.OutOrStdout(), seen); err != nil {
		return err
	}
	if !seen.Healthy() {
		return &exit{code: exitIncomplete, err: errors.New("")}
	}
	return nil
}

func (s *session) printDiagnosis(out io.Writer, seen diagnosis.Diagnosis) error {
	if s.output == outputJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(seen)
	}
	fmt.Fprintf(out, "%s\n\n", printable(seen.Conclusion.Paragraph))
	if len(seen.Findings) > 0 {
		writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(writer, "SEVERITY\tAREA\tSUBJECT\tWHAT")
		for _, finding := range seen.Findings {
			fmt.Fprintf(writer, "%s\t%s\t%s\t%s\n", finding.Severity, finding.Area, printable(finding.Subject), printable(finding.Said))
		}
		if err := writer.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if seen.Usage.NotMeasured != "" {
		fmt.Fprintf(out, "usage of nodes and pods: not measured, %s\n", printable(seen.Usage.NotMeasured))
	}
	if len(seen.LeftOut) > 0 {
		fmt.Fprintf(out, "left out: %s\n", printable(strings.Join(seen.LeftOut, ", ")))
	}
	fmt.Fprintf(out, "looked at %s within %s; everything is in %s on the worker's machine\n",
		printable(seen.Region), seen.Took.Round(time.Millisecond), cmp.Or(printable(seen.Bundle), "no bundle"))
	return nil
}
