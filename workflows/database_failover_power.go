package workflows

import (
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// A primary that is frozen, or alone behind a broken network, is not stopped by anything that Kubernetes can be told. It would
// go on where it stopped, with the sessions that it had. Taking its power is the only fence that needs no answer from it.

// gentlePatience is how long a kubelet that is alive may take to stop the old primary before its machine is switched off.
const gentlePatience = 10 * time.Second

// stopsByItself says why the machine need not be switched off.
func (f *databaseFailover) stopsByItself() string {
	switch {
	case f.run.Request.Continue:
		return f.fencedBefore()
	case !f.policy.PowerOff:
		return "the plan does not let the fence switch machines off"
	case f.evidence.Power.State == power.Off:
		return "it is off"
	default:
		return ""
	}
}

// mayPowerOff looks for a gentler proof first, where there can be one.
func (f *databaseFailover) mayPowerOff(ctx workflow.Context) (runbook.Verdict, error) {
	if !f.run.Rehearsing() && f.old.NodeReady {
		proof, _, err := f.seekProof(ctx, gentlePatience)
		if err != nil {
			return runbook.Verdict{}, err
		}
		if f.proof = proof; proof != "" {
			return runbook.Verdict{Seen: proof}, nil
		}
	}
	return runbook.Verdict{
		Seen:    fmt.Sprintf("nothing proves that %s is stopped; %s", f.old.Pod, f.evidence.Power.Said),
		Changes: []string{fmt.Sprintf("machine %s: switched off, with everything on it", f.old.Node)},
	}, nil
}

// powerOff takes the power from the old primary's machine. Whether it is off is for the next step to see.
func (f *databaseFailover) powerOff(ctx workflow.Context) (string, error) {
	if f.proof != "" {
		return "not needed: " + f.proof, nil
	}
	_, err := begin(f.act(ctx, "switch machine "+f.old.Node+" off"), switches.SwitchOff, f.machine()).get(ctx)
	if err != nil {
		return "", err
	}
	f.poweredOff = true
	f.run.Fact("machine switched off", fmt.Sprintf("%s, by this run; switch it on again when the network and the machine are well", f.old.Node))
	return "machine " + f.old.Node + " is switched off", nil
}

// powerOn gives the machine its power back, if this run may have taken it.
func (f *databaseFailover) powerOn(ctx workflow.Context) error {
	if f.proof != "" && !f.poweredOff {
		return nil
	}
	_, err := begin(f.act(ctx, "switch machine "+f.old.Node+" on again"), switches.SwitchOn, f.machine()).get(ctx)
	return err
}

func (f *databaseFailover) machine() power.SwitchParams {
	return power.SwitchParams{Region: f.database.Region, Node: f.old.Node}
}

// powerFact tells whoever agrees that a machine may be switched off.
func (f *databaseFailover) powerFact() []report.Fact {
	if f.stopsByItself() != "" {
		return nil
	}
	return []report.Fact{{Name: "may be switched off", Value: fmt.Sprintf("machine %s, with everything on it, unless the primary stops otherwise", f.old.Node)}}
}
