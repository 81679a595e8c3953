package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// DiagnosisRequest is the one JSON argument that starts a diagnosis.
type DiagnosisRequest struct {
	By     string `json:"by,omitempty"`     // who asks
	Region string `json:"region,omitempty"` // of the plan; its first one without it
}

// diagnosing are the activities that look at an estate.
var diagnosing *diagnose.Activities

// diagnosisPatience is how long a diagnosis may take with a second try: one takes 10 s at most.
const diagnosisPatience = 25 * time.Second

// Diagnosis is the workflow that only looks: it takes no lease, asks nobody and may run as often as anybody wants, also beside a recovery.
func Diagnosis(ctx workflow.Context, input converter.RawValue) (diagnosis.Diagnosis, error) {
	var request DiagnosisRequest
	if err := runbook.Decode(input, &request, DiagnosisRequest{By: "yuki", Region: "ap-northeast-1"}); err != nil {
		return diagnosis.Diagnosis{}, err
	}
	pinned, err := pinPlan(ctx)
	if err != nil {
		return diagnosis.Diagnosis{}, err
	}
	region := request.Region
	if region == "" {
		region = pinned.Plan.Regions[0]
	}
	if !slices.Contains(pinned.Plan.Regions, region) {
		return diagnosis.Diagnosis{}, runbook.Refuse("region %q is not in plan %s: %s", region, pinned.Plan.Name, strings.Join(pinned.Plan.Regions, ", "))
	}
	return diagnoseRegion(ctx, pinned.Plan, region)
}

// diagnoseRegion looks at everything in a region. It changes nothing; its bundle is named by the time and the run, so that no two meet.
func diagnoseRegion(ctx workflow.Context, p plan.Plan, region string) (diagnosis.Diagnosis, error) {
	info := workflow.GetInfo(ctx)
	id := strings.Join([]string{workflow.Now(ctx).UTC().Format("20060102T150405.000Z"), region, info.WorkflowExecution.RunID[:min(8, len(info.WorkflowExecution.RunID))]}, "-")
	act := runbook.Within(runbook.Act(ctx, runbook.RegionQueue(region), "diagnose "+region), diagnosisPatience)
	return begin(act, diagnosing.Diagnose, diagnose.Params{Plan: p, Region: region, ID: id}).get(ctx)
}

// glanceAt looks at who is sick in a region, and not why: for a run that has had its diagnosis, and looks again and again. It leaves no bundle.
func glanceAt(ctx workflow.Context, p plan.Plan, region string) (diagnosis.Diagnosis, error) {
	act := runbook.Within(runbook.Act(ctx, runbook.RegionQueue(region), "glance at "+region), diagnosisPatience)
	return begin(act, diagnosing.Diagnose, diagnose.Params{Plan: p, Region: region, Glance: true}).get(ctx)
}

// lookAt is one of the two ways to look at a region.
type lookAt func(ctx workflow.Context, p plan.Plan, region string) (diagnosis.Diagnosis, error)

// everywhere looks at every region in which the plan has something, all at the same time.
func everywhere(ctx workflow.Context, p plan.Plan, look lookAt) ([]diagnosis.Diagnosis, error) {
	var regions []string
	for _, database := range p.Databases {
		regions = append(regions, database.Region)
	}
	for _, service := range p.Services {
		regions = append(regions, service.Region)
	}
	slices.Sort(regions)
	regions = slices.Compact(regions)
	seen, errs := make([]diagnosis.Diagnosis, len(regions)), make([]error, len(regions))
	under := workflow.NewWaitGroup(ctx)
	for i, region := range regions {
		under.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer under.Done()
			seen[i], errs[i] = look(ctx, p, region)
		})
	}
	under.Wait(ctx)
	return seen, cmp.Or(errs...)
}
