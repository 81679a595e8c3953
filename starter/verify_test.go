package main

import (
	"bytes"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

func TestVerdictOf_ACheckThatCouldNotRun_IsNoPass(t *testing.T) {
	found := workflows.Verification{Verdict: integrity.Fail, Checks: []workflows.Finding{
		{Target: "redis redis", Check: integrity.Record("keys", "3")},
		{Target: "redis redis", Check: integrity.CouldNotRun("redis-master-0", "no answer in time")},
	}}
	require.Equal(t, exitIncomplete, codeOf(verdictOf(found)))
	require.ErrorContains(t, verdictOf(found), "1 of 2 checks did not pass")

	var out bytes.Buffer
	require.NoError(t, (&session{output: outputText}).printVerification(&out, found))
	require.Contains(t, out.String(), "not run  redis redis  redis-master-0  no answer in time")

	require.NoError(t, verdictOf(workflows.Verification{Verdict: integrity.Pass}))
}
