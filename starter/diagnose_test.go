package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/stretchr/testify/require"
)

// aDiagnosis is one of an estate whose primary is gone, in which somebody wrote what steers terminals.
func aDiagnosis() diagnosis.Diagnosis {
	return diagnosis.Diagnosis{
		Region: "ap-northeast-1", Took: 171 * time.Millisecond, Bundle: "/evidence/one", Usage: diagnosis.Usage{NotMeasured: "the cluster serves no metrics API"},
		Conclusion: diagnosis.Conclusion{State: diagnosis.StateBroken, Paragraph: "Broken: shodo: its primary is gone.", Command: "fukkyu run database-failover --database shodo --by $USER"},
		Findings: []diagnosis.Finding{
			{Area: diagnosis.AreaDatabase, Subject: "shodo", Severity: diagnosis.Broken, Said: "its primary is gone"},
			{Area: diagnosis.AreaLog, Subject: "web-1", Severity: diagnosis.Note, Said: "error: \x1b[2J\nwiped"},
		},
	}
}

func TestPrintDiagnosis_Text_SaysTheParagraphFirstAndTheBundleLast(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, (&session{output: outputText}).printDiagnosis(&out, aDiagnosis()))
	require.Equal(t, `Broken: shodo: its primary is gone.

SEVERITY  AREA      SUBJECT  WHAT
broken    database  shodo    its primary is gone
note      log       web-1    error:  wiped

usage of nodes and pods: not measured, the cluster serves no metrics API
looked at ap-northeast-1 within 171ms; everything is in /evidence/one on the worker's machine
`, out.String())
}

func TestPrintDiagnosis_JSON_IsOneDocument(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, (&session{output: outputJSON}).printDiagnosis(&out, aDiagnosis()))
	var read diagnosis.Diagnosis
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, aDiagnosis(), read)
}

func TestDiagnose_TemporalAway_IsExitCode7(t *testing.T) {
	code, _, said := try(t, "diagnose", "--address", "127.0.0.1:1")
	require.Equal(t, exitUnreachable, code)
	require.Contains(t, said, "127.0.0.1:1")
}
