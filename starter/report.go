package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/spf13/cobra"
)

// reportFlags say how a report is to be rendered, and where it goes.
type reportFlags struct {
	html           bool
	language, file string
}

func (s *session) reportCommand() *cobra.Command {
	var f reportFlags
	command := &cobra.Command{
		Use: "report WORKFLOW", Short: "Print the report of a run, as Markdown, JSON or a page of HTML",
		Long: `Report prints what a run leaves behind; of a run that goes on, as it stands. WORKFLOW may be left out while exactly one recovery
runs. The page of HTML needs nothing beside itself: it can be archived, mailed and printed.`,
		Example: "  fukkyu report database-failover/shodo\n  fukkyu report database-failover/shodo --output json\n" +
			"  fukkyu report database-failover/shodo --html --language ja --file report.html", Args: atMostOne,
		RunE: func(command *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return s.withReport(command, args, func(now report.Report) error { return s.deliver(command.OutOrStdout(), now, f) })
		},
	}
	flags := command.Flags()
	flags.BoolVar(&f.html, "html", false, "one self-contained page of HTML")
	flags.StringVar(&f.language, "language", string(report.English), "language of the page: en or ja")
	flags.StringVar(&f.file, "file", "", "write to this file instead of standard output")
	return command
}

func (f reportFlags) check() error {
	if f.language != string(report.English) && f.language != string(report.Japanese) {
		return usage("--language %q is unknown: en or ja", f.language)
	}
	return nil
}

// deliver renders the report and writes it: a file is complete or as it was.
func (s *session) deliver(out io.Writer, now report.Report, f reportFlags) error {
	var text bytes.Buffer
	render := func() error { return s.print(&text, now) }
	if f.html {
		render = func() error { return now.WriteHTML(&text, report.Language(f.language)) }
	}
	if err := render(); err != nil {
		return err
	}
	if f.file == "" {
		_, err := text.WriteTo(out)
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(f.file), "."+filepath.Base(f.file)+"-*")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer os.Remove(fresh.Name()) // when it is in place, there is nothing left to remove
	if _, err := text.WriteTo(fresh); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := fresh.Close(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.Rename(fresh.Name(), f.file); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
