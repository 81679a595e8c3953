package workflows_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/activities/pin"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
)

// diagnosed runs a diagnosis that is asked for with request, and returns what the activity was asked for.
func diagnosed(t *testing.T, request any) (asked diagnose.Params, seen diagnosis.Diagnosis, err error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	e := suite.NewTestWorkflowEnvironment()
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	workflows.Register(e)
	e.RegisterActivityWithOptions(func(context.Context, pin.Params) (pin.Result, error) { return pin.Result{Pinned: pinned}, nil }, activity.RegisterOptions{Name: "PinPlan"})
	e.RegisterActivityWithOptions(func(_ context.Context, p diagnose.Params) (diagnosis.Diagnosis, error) {
		asked = p
		return diagnosis.Diagnosis{ID: p.ID, Region: p.Region, Conclusion: diagnosis.Conclusion{State: diagnosis.StateHealthy}}, nil
	}, activity.RegisterOptions{Name: "Diagnose"})
	e.ExecuteWorkflow(workflows.DiagnosisName, request)
	require.True(t, e.IsWorkflowCompleted())
	if err := e.GetWorkflowError(); err != nil {
		return asked, seen, err
	}
	require.NoError(t, e.GetWorkflowResult(&seen))
	return asked, seen, nil
}

func TestDiagnosis_NoRegion_LooksAtThePlansFirst(t *testing.T) {
	asked, seen, err := diagnosed(t, workflows.DiagnosisRequest{By: "yuki"})
	require.NoError(t, err)
	require.Equal(t, "ap-northeast-1", asked.Region)
	require.Equal(t, "shodo", asked.Plan.Name)
	require.True(t, seen.Healthy())
	require.Equal(t, filepath.Base(asked.ID), asked.ID, "the ID names a folder")
}

func TestDiagnosis_AnotherRegion_IsLookedAt(t *testing.T) {
	asked, _, err := diagnosed(t, workflows.DiagnosisRequest{Region: "us-west-2"})
	require.NoError(t, err)
	require.Equal(t, "us-west-2", asked.Region)
}

func TestDiagnosis_BadRequest_IsRefused(t *testing.T) {
	for name, request := range map[string]any{
		"an unknown region": workflows.DiagnosisRequest{Region: "eu-west-1"}, "an unknown field": map[string]string{"area": "all"}, "no object": "everything",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := diagnosed(t, request)
			require.True(t, runbook.IsRefused(err), err)
		})
	}
}
