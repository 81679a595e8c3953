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
	sick, paragraphs, err := o.lookEverywhere(ctx, diagnoseRegion)
	if err != nil {
		return runbook.Verdict{}, err
	}
	if o.blind != "" {
		return runbook.Verdict{Seen: paragraphs, Waiting: o.blind}, nil
	}
	o.found = nil
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			if patient, isSick := sick[member.name]; isSick {
				o.found = append(o.found, finding{member: member, why: patient.Said, heals: patient.Heals})
			}
		}
	}
	verdict := runbook.Verdict{Seen: paragraphs, Facts: []report.Fact{{Name: "diagnosis", Value: paragraphs}}}
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

const (
	// glance is how long a service may take to answer when nothing is expected of it any more.
	glance = time.Second
	// comeUp is how long pods may take to come up where Kubernetes starts them anew: less than one try of an activity may take.
	comeUp = 20 * time.Second
)

// reconnect is how long a service that needed only its database may take until it has connected again.
const reconnect = 15 * time.Second

// sickOf is what of a tier is sick now: what has trouble of its own, and what does not come back with what it needs.
func (o *fullOutage) sickOf(ctx workflow.Context, members []member) ([]finding, error) {
	patients, err := o.patients(ctx)
	if err != nil {
		return nil, err
	}
	var sick []finding
	var waited []plan.Service
	for _, member := range members {
		patient, isSick := patients[member.name]
		switch {
		case !isSick, slices.Contains(o.request.Skip, member.name):
		case patient.Heals && member.service != nil && !o.stillSick(member):
			waited = append(waited, *member.service)
		default:
			sick = append(sick, finding{member: member, why: patient.Said})
		}
	}
	unwell, err := o.unwellOf(ctx, waited)
	for _, member := range members {
		if why, isSick := unwell[member.name]; isSick {
			sick = append(sick, finding{member: member, why: why})
		}
	}
	return sick, err
}

// stillSick says that a service which misses pods now had trouble of its own before, and nobody has done anything about it: a container that
// crashes runs for a moment each time, and an image is asked for again.
func (o *fullOutage) stillSick(m member) bool {
	return !o.mended[m.name] && slices.ContainsFunc(o.found, func(f finding) bool { return f.member.name == m.name && !f.heals })
}

// stillTrue is how old a diagnosis may be to be acted upon without another one.
const stillTrue = 3 * time.Second

// patients are what is not well, by its name, as the last diagnosis has it or, when that is too old, as another one does.
func (o *fullOutage) patients(ctx workflow.Context) (map[string]diagnosis.Patient, error) {
	if o.sick != nil && workflow.Now(ctx).Sub(o.diagnosed) < stillTrue {
		return o.sick, nil
	}
	return o.lookAgain(ctx)
}

// lookAgain sees who is not well now: why they are not was asked by the diagnosis.
func (o *fullOutage) lookAgain(ctx workflow.Context) (map[string]diagnosis.Patient, error) {
	sick, _, err := o.lookEverywhere(ctx, glanceAt)
	return sick, err
}

// awayNode is a node of which nothing is heard.
type awayNode struct{ region, name string }

// lookEverywhere looks at every region: what is not well, and what that means in a paragraph for each.
func (o *fullOutage) lookEverywhere(ctx workflow.Context, look lookAt) (map[string]diagnosis.Patient, string, error) {
	seen, err := everywhere(ctx, o.run.Plan, look)
	if err != nil {
		return nil, "", err
	}
	var paragraphs []string
	o.sick, o.diagnosed, o.blind, o.away = map[string]diagnosis.Patient{}, workflow.Now(ctx), "", nil
	for _, one := range seen {
		for _, node := range one.Nodes {
			if node.Away() {
				o.away = append(o.away, awayNode{region: one.Region, name: node.Name})
			}
		}
		if why := one.Blind(); why != "" {
			o.blind = fmt.Sprintf("the API server of %s to answer: %s", one.Region, why)
		}
		paragraphs = append(paragraphs, one.Conclusion.Paragraph)
		for _, patient := range diagnosis.Patients(o.run.Plan, one) {
			o.sick[patient.Name] = patient
		}
	}
	return o.sick, strings.Join(paragraphs, " "), nil
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

// canSee waits until everything can be seen: what nobody could look at is not well.
func (o *fullOutage) canSee(ctx workflow.Context) (runbook.Verdict, error) {
	_, seen, err := o.lookEverywhere(ctx, glanceAt)
	return runbook.Verdict{Seen: seen, Waiting: o.blind}, err
}

// everythingIsWell looks at everything once more. What shows only now has its turn, what comes back by itself has its time, and what is
// still down after that is not recovered.
func (o *fullOutage) everythingIsWell(ctx workflow.Context) (string, error) {
	still, err := o.giveLateTurns(ctx)
	if err == nil && o.showsLate(still) { // it has shown while the rest was waited for
		still, err = o.giveLateTurns(ctx)
	}
	switch {
	case err != nil:
		return "", err
	case o.blind != "":
		return "", fmt.Errorf("nobody can say how everything is; wait for %s", o.blind)
	}
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			if patient, isSick := still[member.name]; isSick {
				o.breaks(ctx, member.name, patient.Said)
			}
		}
	}
	said := "everything is well"
	if len(o.broken) > 0 {
		said = fmt.Sprintf("not recovered: %s", strings.Join(o.brokenNames(), ", "))
	} else {
		o.run.Recovered(workflow.Now(ctx))
	}
	checks := checkIntegrity(ctx, o.run, func(ctx workflow.Context) []Finding { return verifyAll(ctx, o.run.Plan, nil) })
	return said, checks.record(ctx)
}

// giveLateTurns has what is sick and was not tried in vain recovered, waits for the rest, and returns what is sick after that.
func (o *fullOutage) giveLateTurns(ctx workflow.Context) (map[string]diagnosis.Patient, error) {
	for _, tier := range o.tiers {
		late := &tierWork{fullOutage: o, tier: tier}
		late.tier.members = slices.DeleteFunc(slices.Clone(tier.members), func(m member) bool { return o.tried[m.name] })
		if _, err := late.look(ctx); err != nil {
			return nil, err
		}
		if _, err := late.recover(ctx); err != nil {
			return nil, err
		}
	}
	if err := o.awaitAll(ctx); err != nil {
		return nil, err
	}
	return o.lookAgain(ctx)
}

// showsLate says that something is sick of its own that nobody has tried to recover.
func (o *fullOutage) showsLate(still map[string]diagnosis.Patient) bool {
	for _, tier := range o.tiers {
		for _, member := range tier.members {
			if patient, isSick := still[member.name]; isSick && !patient.Heals && !o.tried[member.name] && !slices.Contains(o.request.Skip, member.name) {
				return true
			}
		}
	}
	return false
}

// awaitAll watches the services that miss pods and are not given up, all at the same time, until each is whole and answers.
func (o *fullOutage) awaitAll(ctx workflow.Context) error {
	still, err := o.lookAgain(ctx)
	if err != nil || len(still) == len(o.broken) {
		return err
	}
	var under []call[kubernetes.AwaitWorkloadResult]
	var services []plan.Service
	for _, service := range o.run.Plan.Services {
		_, isSick := still[service.Name]
		if !isSick || o.tried[service.Name] {
			continue
		}
		kind, name := service.Workload()
		target := kubernetes.WorkloadName{Namespace: o.run.Plan.Namespace, Region: service.Region, Kind: kind, Name: name}
		act := runbook.Act(ctx, runbook.RegionQueue(service.Region), "watch "+target.String())
		under = append(under, begin(act, kube.AwaitWorkload, kubernetes.AwaitWorkloadParams{WorkloadName: target, Patience: comeUp}))
		services = append(services, service)
	}
	for _, one := range under {
		if _, err := one.get(ctx); err != nil {
			return err
		}
	}
	_, err = o.unwellOf(ctx, services)
	return err
}

// breaks records that a member is not recovered, once.
func (o *fullOutage) breaks(ctx workflow.Context, name, why string) {
	if _, known := o.broken[name]; !known {
		o.broken[name] = why
		o.run.Broken(ctx, fmt.Sprintf("%s is not recovered: %s", name, why))
	}
}
