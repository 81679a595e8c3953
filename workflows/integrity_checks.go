package workflows

import (
	"slices"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// integrityChecks look at what was recovered while the run goes on: service is back, and nobody waits for them.
type integrityChecks struct {
	run   *runbook.Run
	done  workflow.Future // nil: there is nothing to look at
	found []Finding
}

// checkIntegrity begins the checks of a run whose service is back. All of them together have verifyPatience; what is not known by then could
// not run. A run that another one began leaves them to that one, which has its own clock to stop first.
func checkIntegrity(ctx workflow.Context, run *runbook.Run, look func(workflow.Context) []Finding) *integrityChecks {
	checks := &integrityChecks{run: run}
	if run.Request.DecidedBy != "" {
		return checks
	}
	bounded, cancel := workflow.WithCancel(ctx)
	workflow.Go(bounded, func(ctx workflow.Context) {
		if workflow.NewTimerWithOptions(ctx, verifyPatience, workflow.TimerOptions{Summary: "end of the integrity checks"}).Get(ctx, nil) == nil {
			cancel()
		}
	})
	done, settle := workflow.NewFuture(ctx)
	checks.done = done
	workflow.Go(bounded, func(ctx workflow.Context) {
		defer cancel()
		checks.found = look(ctx)
		settle.SetValue(nil)
	})
	return checks
}

// record waits for the checks and puts them into the report, with others that the run made itself.
func (c *integrityChecks) record(ctx workflow.Context, others ...Finding) error {
	if c.done == nil {
		return nil
	}
	if err := c.done.Get(ctx, nil); err != nil {
		return err
	}
	c.run.Checked(ctx, reported(slices.Concat(c.found, others)))
	return nil
}

// reported are findings as a report has them.
func reported(found []Finding) []report.Check {
	checks := []report.Check{}
	for _, finding := range found {
		checks = append(checks, report.Check{
			Target: finding.Target, Name: finding.Name, Measured: finding.Measured, Expected: finding.Expected, Verdict: report.CheckVerdict(finding.Verdict),
		})
	}
	return checks
}
