package diagnosis_test

import (
	"testing"

	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/stretchr/testify/require"
)

func TestPatients_WhatFollowsFromWhatIsBroken_HealsAndWhatHasTroubleOfItsOwnDoesNot(t *testing.T) {
	d := healthy()
	powerOff(d, "node-a1")
	fail(d, "shodo-backend", "503 Service Unavailable: database is gone")
	frontend := workload(d, "shodo-frontend")
	frontend.Ready, frontend.Updated, frontend.Rolling = 1, 1, true
	d.Pods = append(d.Pods, diagnosis.Pod{Name: "shodo-frontend-x", Workload: "shodo-frontend", Node: "node-c1", Trouble: diagnosis.CrashLoop, Said: "exit code 1"})

	sick := diagnosis.Patients(shodo(t), *d)

	require.Len(t, sick, 3)
	require.Equal(t, "shodo", sick[0].Name)
	require.False(t, sick[0].Heals)
	require.Equal(t, diagnosis.Patient{Name: "shodo-backend", Said: "/health 503 Service Unavailable: database is gone", Heals: true}, sick[1])
	require.Equal(t, "shodo-frontend", sick[2].Name)
	require.Contains(t, sick[2].Said, "crash loop")
	require.False(t, sick[2].Heals, "a crash loop is its own, whatever else is broken")
}

func TestPatients_AHealthyEstate_HasNone(t *testing.T) {
	require.Empty(t, diagnosis.Patients(shodo(t), *healthy()))
}
