package workflows_test

import (
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"github.com/stretchr/testify/require"
)

// outageOfAMachine is one in which node-a is off, with pods of a service, of the database and of somebody else on it. Kubernetes notices
// when it has been looked at three times.
func outageOfAMachine(t *testing.T) *outage {
	t.Helper()
	o := newOutage(t)
	o.mute, o.sick = true, map[string]string{"shodo": "no answer", "shodo-backend": "503"}
	looks := 0
	handle(o.estate, "ReadZone", func(p kubernetes.ReadZoneParams) (kubernetes.Zone, error) {
		require.Equal(t, "node-a", p.Node)
		if len(p.Off) == 0 {
			looks++
			if looks < 3 {
				return kubernetes.Zone{Others: []kubernetes.Machine{{Name: "node-a", Ready: true, Late: true}}}, nil
			}
			return kubernetes.Zone{Nodes: []kubernetes.Machine{{Name: "node-a"}}}, nil
		}
		return kubernetes.Zone{Moving: []kubernetes.ZonePod{
			{Namespace: o.plan.Namespace, Pod: "shodo-backend-1", UID: "1", Owner: "ReplicaSet shodo-backend-x"},
			{Namespace: o.plan.Namespace, Pod: "postgres-replica-0", UID: "2", Owner: "StatefulSet postgres-replica"},
			{Namespace: o.plan.Namespace, Pod: "redis-master-0", UID: "3", Owner: "StatefulSet redis-master"},
			{Namespace: "kube-system", Pod: "dns", UID: "4", Owner: "ReplicaSet dns-x"},
		}}, nil
	})
	handle(o.estate, "Cordon", func(p kubernetes.CordonParams) (kubernetes.CordonResult, error) {
		return kubernetes.CordonResult{Ours: true}, o.write("Cordon", "cordon %s", p.Node)
	})
	handle(o.estate, "Uncordon", func(p kubernetes.CordonParams) (kubernetes.UncordonResult, error) {
		return kubernetes.UncordonResult{}, o.write("Uncordon", "uncordon %s", p.Node)
	})
	return o
}

func TestFullOutage_AMachineIsOff_ItsServicesStartElsewhereBeforeTheDatabaseIsRecovered(t *testing.T) {
	o := outageOfAMachine(t)
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "cordon node-a", "free shodo-backend-1", "recover shodo", "recover shodo-backend", "uncordon node-a", "release lease "}, o.journal)
	require.Contains(t, got.Next[0], "fukkyu run node-recovery --node node-a")
	waited := stepNamed(t, got, "Leave dead machines to Kubernetes")
	require.GreaterOrEqual(t, waited.Took(), 2*time.Second, "Kubernetes would have let pods start there")
	require.Less(t, *got.RTO.Measured, 5*time.Second, "nobody waits for that")
}

func TestFullOutage_NothingProvesThatAMachineIsOff_FreesNothing(t *testing.T) {
	o := outageOfAMachine(t)
	o.powerState = power.On
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.Equal(t, []string{"take lease", "recover shodo", "recover shodo-backend", "release lease "}, o.journal)
}

// Without the cordon another pod could start on the same dead machine.
func TestFullOutage_AMachineCannotBeCordoned_FreesNothingAndGoesOn(t *testing.T) {
	o := outageOfAMachine(t)
	o.before["Cordon"] = func() error { return failure.Transient(failure.Forbidden, "cannot patch nodes") }
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.Recovered, got.Outcome, got.Summary)
	require.NotContains(t, o.journal, "free shodo-backend-1")
	require.Contains(t, stepNamed(t, got, "Free the services' pods of dead machines").Result, "cannot patch nodes")
}

func TestFullOutage_CancelledAfterAMachineWasCordoned_UncordonsIt(t *testing.T) {
	o := outageOfAMachine(t)
	o.after["FreePod"] = o.CancelWorkflow
	got, err := o.recover(workflows.FullOutageRequest{})
	require.NoError(t, err)
	require.Equal(t, report.RolledBack, got.Outcome)
	require.Equal(t, []string{"take lease", "cordon node-a", "free shodo-backend-1", "uncordon node-a", "release lease "}, o.journal)
}

func TestFullOutage_RehearsedWhileAMachineIsOff_SaysWhatItWouldFree(t *testing.T) {
	o := outageOfAMachine(t)
	got, err := o.recover(workflows.FullOutageRequest{Request: runbook.Request{Mode: runbook.Rehearse}})
	require.NoError(t, err)
	require.Empty(t, o.journal)
	require.Contains(t, stepNamed(t, got, "Free the services' pods of dead machines").Changes, "pod shodo-backend-1: removed, so that another starts elsewhere")
}
