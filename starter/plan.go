package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/spf13/cobra"
)

func (s *session) planCommand() *cobra.Command {
	command := group(&cobra.Command{Use: "plan", Short: "Check and show a plan", Example: "  fukkyu plan check plans/shodo.yaml"})
	command.AddCommand(s.planCheckCommand(), s.planShowCommand())
	return command
}

func oneFile(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one file\nexample:\n%s", command.CommandPath(), command.Example)
	}
	return nil
}

func (s *session) planCheckCommand() *cobra.Command {
	var site string
	command := &cobra.Command{
		Use:     "check FILE",
		Aliases: []string{"validate"},
		Short:   "Read a plan, and a site for it, and say everything that is wrong",
		Long: `Check says everything that is wrong with a plan, and with a site for it, with file, line and column, and ends with 2. Of a valid
plan it warns of what is left to people: an overdue review, a missing signature, a capability below its target, a scenario
that no runbook answers. Warnings go to standard error and do not change the exit code.`,
		Example: "  fukkyu plan check plans/shodo.yaml\n  fukkyu plan check plans/shodo.yaml --site site.yaml",
		Args:    oneFile,
		RunE: func(command *cobra.Command, args []string) error {
			pinned, err := checkPlan(command.ErrOrStderr(), args[0], time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s: plan %s %s is valid, %s\n", args[0], pinned.Plan.Name, pinned.Plan.Version, pinned.Hash)
			if site == "" {
				return nil
			}
			found, err := plan.LoadSite(site, pinned.Plan)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s: site %s is valid for it\n", site, found.Name)
			return nil
		},
	}
	command.Flags().StringVar(&site, "site", "", "site file to check against the plan")
	return command
}

// checkPlan reads a plan and tells what a person should look at as of a moment.
func checkPlan(talk io.Writer, file string, now time.Time) (plan.Pinned, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return plan.Pinned{}, fmt.Errorf("read the plan: %w", err)
	}
	pinned, warnings, err := plan.Review(file, text, now)
	for _, warning := range warnings {
		fmt.Fprintln(talk, printable(warning.String()))
	}
	return pinned, err
}

func (s *session) planShowCommand() *cobra.Command {
	var language string
	command := &cobra.Command{
		Use:     "show [FILE]",
		Short:   "Print a whole plan as people read it",
		Long:    "Show prints every section of a plan. FILE may be left out while the folder plans holds exactly one plan.",
		Example: "  fukkyu plan show plans/shodo.yaml\n  fukkyu plan show --language ja",
		RunE: func(command *cobra.Command, args []string) error {
			if err := s.checkLanguage(command, language); err != nil {
				return err
			}
			file, err := planFile(command, args)
			if err != nil {
				return err
			}
			pinned, err := plan.Load(file)
			if err != nil {
				return err
			}
			if s.output == outputJSON {
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(pinned)
			}
			fmt.Fprint(command.OutOrStdout(), showPlan(pinned, language))
			return nil
		},
	}
	command.Flags().StringVar(&language, "language", string(report.English), "language of the text: en or ja")
	return command
}

// planFile is the file that was named, or the only plan of the folder plans.
func planFile(command *cobra.Command, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], oneFile(command, args)
	}
	found, err := filepath.Glob(filepath.Join("plans", "*.yaml"))
	if err != nil || len(found) != 1 {
		return "", usage("%d plans are in the folder plans; name the file\nexample:\n%s", len(found), command.Example)
	}
	return found[0], nil
}

// checkLanguage refuses a language that is unknown, and one of a form that has all of them.
func (s *session) checkLanguage(command *cobra.Command, language string) error {
	if s.output == outputJSON && command.Flags().Changed("language") {
		return usage("--language is for text; JSON has every language\nexample:\n%s", command.Example)
	}
	if !slices.Contains(report.Languages(), report.Language(language)) {
		return usage("--language %q is unknown: en or ja", language)
	}
	return nil
}
