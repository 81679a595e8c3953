//go:build e2e

package e2e_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

func itoa(number int) string { return strconv.Itoa(number) }

// typed is one JSON argument exactly as the Temporal UI sends what a person typed: the bytes, marked as JSON.
func typed(json string) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(json)})
}

func connect(t *testing.T) client.Client {
	t.Helper()
	connection, err := temporalclient.Dial(t.Context(), temporalclient.Options{})
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	return connection
}

func options() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: failoverID, TaskQueue: runbook.Queue}
}

func TestTemporalUI_StartedByOneJSONArgumentAndAnsweredBySignal_Recovers(t *testing.T) {
	fresh(t)
	staff(t, lab, estate.Crew{})
	do(t, "break", "power-off", "primary")
	connection := connect(t)
	run, err := connection.ExecuteWorkflow(t.Context(), options(), workflows.DatabaseFailoverName, typed(`{"database": "shodo", "by": "yuki"}`))
	require.NoError(t, err)
	question := awaitQuestion(t)
	signal := func(verb, json string) {
		require.NoError(t, connection.SignalWorkflow(t.Context(), failoverID, "", verb, typed(json)))
	}
	number := itoa(question.Number)
	signal(runbook.Approve, `"yes"`)
	signal(runbook.Approve, `{"question": `+number+`, "by": "mallory"}`)
	signal(runbook.Approve, `{"question": 99, "by": "aiko"}`)
	require.NoError(t, estate.Await(t.Context(), "the rejected messages", 20*time.Second, func() (bool, string) {
		now, readable := statusNow(t)
		return readable && len(now.Rejected) == 3, now.Phase
	}))
	signal(runbook.Approve, `{"question": `+number+`, "by": "aiko"}`)
	var got report.Report
	require.NoError(t, run.Get(t.Context(), &got))
	require.Equal(t, report.Recovered, got.Outcome)
	require.Equal(t, "aiko", got.Decisions[0].By)
	require.Len(t, got.Rejected, 3)
}

func TestTemporalUI_StartedWithSomethingElse_IsRefusedAtOnceWithAnExample(t *testing.T) {
	staff(t, lab, estate.Crew{})
	before := look(t)
	connection := connect(t)
	cases := map[string]struct {
		args []any
		says string
	}{
		"no input":            {nil, `"database":"shodo"`},
		"{}":                  {[]any{typed(`{}`)}, "by is missing"},
		"an unknown database": {[]any{typed(`{"database": "shoda", "by": "yuki"}`)}, "is not in plan shodo: shodo"},
		"a string":            {[]any{typed(`"shodo"`)}, `"database":"shodo"`},
		"an unknown field":    {[]any{typed(`{"db": "shodo", "by": "yuki"}`)}, `unknown field "db"`},
		"an array":            {[]any{typed(`[]`)}, "not an object"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			run, err := connection.ExecuteWorkflow(t.Context(), options(), workflows.DatabaseFailoverName, c.args...)
			require.NoError(t, err)
			err = run.Get(t.Context(), nil)
			require.ErrorContains(t, err, c.says)
			require.True(t, runbook.IsRefused(err))
		})
	}
	require.Equal(t, before, look(t))
}
