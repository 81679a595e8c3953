package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/spf13/cobra"
)

// reportFlags say how a report is to be rendered, and where it goes.
type reportFlags struct{ language, file string }

func (s *session) reportCommand() *cobra.Command {
	var f reportFlags
	command := &cobra.Command{
		Use: "report [WORKFLOW]", Short: "Print the report of a run, as Markdown, JSON or a page of HTML",
		Long: `Report prints what a run leaves behind; of a run that goes on, as it stands. WORKFLOW may be left out while exactly one recovery
runs. The page of HTML needs nothing beside itself: it can be archived, mailed and printed.`,
		Example: "  fukkyu report database-failover/shodo\n  fukkyu report database-failover/shodo --output json\n" +
			"  fukkyu report database-failover/shodo --output html --language ja --file report.html",
		Args:        atMostOne,
		Annotations: map[string]string{rendersHTML: ""},
		RunE: func(command *cobra.Command, args []string) error {
			if err := s.checkReport(command, f); err != nil {
				return err
			}
			return s.withReport(command, args, func(now report.Report) error { return s.writeReport(command.OutOrStdout(), now, f) })
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.language, "language", string(report.English), "language of the page of HTML: en or ja")
	flags.StringVar(&f.file, "file", "", "write to this file instead of standard output; it is complete or as it was")
	return command
}

// checkReport looks at the flags before anybody is asked for a report.
func (s *session) checkReport(command *cobra.Command, f reportFlags) error {
	if s.output != outputHTML && command.Flags().Changed("language") {
		return usage("--language is for --output html; Markdown and JSON are in English\nexample:\n%s", command.Example)
	}
	for _, language := range report.Languages() {
		if f.language == string(language) {
			return nil
		}
	}
	return usage("--language %q is unknown: en or ja", f.language)
}

// writeReport renders the report in the form that was asked for, and prints it or writes it to a file.
func (s *session) writeReport(out io.Writer, now report.Report, f reportFlags) error {
	var text bytes.Buffer
	render := func() error { return s.print(&text, now) }
	if s.output == outputHTML {
		render = func() error { return now.WriteHTML(&text, report.Language(f.language), time.Now()) }
	}
	if err := render(); err != nil {
		return err
	}
	if f.file == "" {
		_, err := text.WriteTo(out)
		return err
	}
	if err := replaceFile(f.file, text.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// readable is who may read a report that was written to a file: what a run says of itself holds no secret.
const readable = 0o644

// replaceFile writes a file that is complete or as it was, whatever happens meanwhile.
func replaceFile(name string, text []byte) error {
	fresh, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name()) // once it is in place, there is nothing left to remove
	defer fresh.Close()
	if _, err := fresh.Write(text); err != nil {
		return err
	}
	if err := fresh.Chmod(readable); err != nil {
		return err
	}
	if err := fresh.Sync(); err != nil {
		return err
	}
	if err := fresh.Close(); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), name)
}
