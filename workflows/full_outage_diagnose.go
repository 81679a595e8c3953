package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/diagnosis"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/sdk/workflow"
)

// diagnosisBudget is what a diagnosis takes at most, also when half the estate hangs.
const diagnosisBudget = 15 * time.Second

// diagnose looks at every region, and refuses to recover what is well.
func (o *fullOutage) diagnose(ctx workflow.Context) (runbook.Verdict, error) {
	seen, err := diagnoseAll(ctx, o.run.Plan)
	if err != nil {
		return runbook.Verdict{}, err
	}
	sick := map[string]diagnosis.Patient{}
	var paragraphs []string
	for _, one := range seen {
		paragraphs = append(paragraphs, one.Conclusion.Paragraph)
		for _, patient := range diagnosis.Patients(o.run.Plan, one) {
			sick[patient.Name] = patient
		}
	}
	o.found = nil
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			if patient, isSick := sick[member.name]; isSick {
				o.found = append(o.found, finding{member: member, why: patient.Said, heals: patient.Heals})
			}
		}
	}
	verdict := runbook.Verdict{Seen: strings.Join(paragraphs, " "), Facts: []report.Fact{{Name: "diagnosis", Value: strings.Join(paragraphs, " ")}}}
	if len(o.found) == 0 {
		verdict.Objections = []runbook.Objection{{Guard: GuardHealthy, Why: "nothing that the plan names is down", Unblock: "look closer: fukkyu diagnose"}}
	}
	return verdict, nil
}

// propose shows what would be recovered, in which order and why.
func (o *fullOutage) propose(workflow.Context) (runbook.Verdict, error) {
	verdict := runbook.Verdict{
		Seen: o.causes(), Question: "Recover everything that is down?", Binding: "recover " + strings.Join(namesOf(o.found), ", "),
	}
	for _, finding := range o.found {
		how := finding.member.command()
		if finding.heals {
			how = "nothing but patience, as long as what it needs comes back"
		}
		verdict.Facts = append(verdict.Facts, report.Fact{Name: finding.member.name, Value: fmt.Sprintf("%s; %s", finding.why, how)})
	}
	for _, name := range o.request.Skip {
		verdict.Facts = append(verdict.Facts, report.Fact{Name: name, Value: "left alone, as " + o.run.Request.By + " asked"})
	}
	return verdict, nil
}

// reconnect is how long a service that needed only its database may take until it has connected again.
const reconnect = 15 * time.Second

// sickOf is what of a tier is sick now: what the diagnosis found and does not heal by itself, and every service that is not well.
func (o *fullOutage) sickOf(ctx workflow.Context, members []member) ([]finding, error) {
	var sick []finding
	var unclear []plan.Service
	for _, member := range members {
		if slices.Contains(o.request.Skip, member.name) {
			continue
		}
		at := slices.IndexFunc(o.found, func(f finding) bool { return f.member.name == member.name })
		switch {
		case at >= 0 && !o.found[at].heals:
			sick = append(sick, o.found[at])
		case member.service != nil:
			unclear = append(unclear, *member.service)
		}
	}
	unwell, err := o.unwellOf(ctx, unclear)
	for _, member := range members {
		if why, isSick := unwell[member.name]; isSick {
			sick = append(sick, finding{member: member, why: why})
		}
	}
	return sick, err
}

// unwellOf asks services from outside, all at the same time, and returns what those say that are not well.
func (o *fullOutage) unwellOf(ctx workflow.Context, services []plan.Service) (map[string]string, error) {
	unwell := map[string]string{}
	if len(services) == 0 {
		return unwell, nil
	}
	patience := reconnect
	if o.run.Rehearsing() || len(o.broken) > 0 {
		patience = glance
	}
	summary := fmt.Sprintf("ask %d services", len(services))
	health, err := begin(runbook.Act(ctx, runbook.RegionQueue(services[0].Region), summary), app.CheckHealth, application.CheckHealthParams{Services: services, Patience: patience}).get(ctx)
	for _, check := range health.Checks {
		if !check.OK && unwell[check.Service] == "" {
			unwell[check.Service] = fmt.Sprintf("%s: %s", check.Path, check.Said)
		}
	}
	return unwell, err
}

// everythingIsWell looks at everything once more, when what comes back by itself has had time to. What is still down, and nobody has said so
// yet, is not recovered.
func (o *fullOutage) everythingIsWell(ctx workflow.Context) (string, error) {
	still, err := o.stillSick(ctx)
	if err != nil {
		return "", err
	}
	if len(still) > 0 && !o.allKnown(still) {
		if err := o.awaitAll(ctx, still); err != nil {
			return "", err
		}
		if still, err = o.stillSick(ctx); err != nil {
			return "", err
		}
	}
	for _, patient := range still {
		o.breaks(ctx, patient.Name, patient.Said)
	}
	if len(o.broken) > 0 {
		return fmt.Sprintf("not recovered: %s", strings.Join(o.brokenNames(), ", ")), nil
	}
	o.run.Recovered(workflow.Now(ctx))
	return "everything is well", nil
}

// awaitAll watches the services that are still sick and not given up, all at the same time, until each is whole and answers.
func (o *fullOutage) awaitAll(ctx workflow.Context, still []diagnosis.Patient) error {
	var under []call[kubernetes.AwaitWorkloadResult]
	var services []plan.Service
	for _, patient := range still {
		service, isService := o.run.Plan.Service(patient.Name)
		if _, givenUp := o.broken[patient.Name]; !isService || givenUp {
			continue
		}
		kind, name := service.Workload()
		target := kubernetes.WorkloadRef{Namespace: o.run.Plan.Namespace, Region: service.Region, Kind: kind, Name: name}
		act := runbook.Act(ctx, runbook.RegionQueue(service.Region), "watch "+target.String())
		under = append(under, begin(act, kube.AwaitWorkload, kubernetes.AwaitWorkloadParams{Workload: target, Patience: longestWait}))
		services = append(services, service)
	}
	for _, one := range under {
		if _, err := one.get(ctx); err != nil {
			return err
		}
	}
	_, err := o.unwellOf(ctx, services)
	return err
}

func (o *fullOutage) stillSick(ctx workflow.Context) ([]diagnosis.Patient, error) {
	seen, err := diagnoseAll(ctx, o.run.Plan)
	var still []diagnosis.Patient
	for _, one := range seen {
		still = append(still, diagnosis.Patients(o.run.Plan, one)...)
	}
	return still, err
}

func (o *fullOutage) allKnown(still []diagnosis.Patient) bool {
	return !slices.ContainsFunc(still, func(p diagnosis.Patient) bool {
		_, known := o.broken[p.Name]
		return !known
	})
}

// breaks records that a member is not recovered, once.
func (o *fullOutage) breaks(ctx workflow.Context, name, why string) {
	if _, known := o.broken[name]; !known {
		o.broken[name] = why
		o.run.Broken(ctx, fmt.Sprintf("%s is not recovered: %s", name, why))
	}
}
