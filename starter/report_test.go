package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
)

func TestWriteReport_ToAFile_IsWholeOrAsItWas(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, []byte("the former one"), 0o600))
	s := &session{output: outputHTML}
	now := report.Report{Scenario: "DatabaseFailover", Target: "database shodo", Outcome: report.Recovered}
	require.NoError(t, s.writeReport(io.Discard, now, reportFlags{language: "ja", file: file}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), `lang="ja"`)
	require.NotContains(t, string(text), "the former one")

	require.Error(t, s.writeReport(io.Discard, now, reportFlags{language: "fr", file: file}))
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, text, after, "what could not be rendered replaces nothing")
	require.Error(t, s.writeReport(io.Discard, now, reportFlags{language: "ja", file: filepath.Join(file, "below")}))
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left lying about")
}

func TestWriteReport_EachFormOfOutput_IsPrinted(t *testing.T) {
	for output, begins := range map[string]string{outputText: "# ", outputJSON: "{", outputHTML: "<!DOCTYPE html>"} {
		var out bytes.Buffer
		s := &session{output: output}
		require.NoError(t, s.writeReport(&out, report.Report{Outcome: report.Recovered}, reportFlags{language: "en"}))
		require.True(t, bytes.HasPrefix(out.Bytes(), []byte(begins)), output)
	}
}
