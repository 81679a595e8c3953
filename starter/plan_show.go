package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// showPlan is a plan as a person reads it on a terminal, in a language: every section, those of the document first.
func showPlan(pinned plan.Pinned, language string) string {
	s := &sheet{plan: pinned.Plan, language: language}
	s.heading(pinned.Hash)
	s.objectives()
	s.tiers()
	s.scenarios()
	s.backups()
	s.drills()
	for _, exercise := range s.plan.Drills.Exercises {
		s.exercise(exercise)
	}
	s.escalation()
	s.contacts()
	s.postMortem()
	s.tools()
	s.edition()
	s.people()
	s.databases()
	s.redis()
	s.services()
	s.dependencies()
	s.runbooks()
	return s.b.String()
}

func (s *sheet) heading(hash string) {
	p, e := s.plan, s.plan.Edition
	for _, line := range []plan.Text{e.Title, e.System} {
		if text := s.text(line); text != "" {
			s.b.WriteString(printable(text) + "\n")
		}
	}
	s.fields(
		[]string{"plan", p.Name + " " + p.Version},
		[]string{"hash", hash},
		[]string{"updated", e.Updated.String()},
		[]string{"owner", s.party(e.Owner)},
		[]string{"approver", s.text(e.Approver)},
		[]string{"review", s.word(e.Review.Every)},
		[]string{"nextReview", e.Review.Next.String()},
		[]string{"regions", strings.Join(p.Regions, ", ")},
		[]string{"namespace", p.Namespace},
	)
}

func (s *sheet) objectives() {
	o := s.plan.Objectives
	rows := [][]string{
		s.measuredTime("RTO", planTime(o.RTO, s.language), o.Current.RTO),
		s.measuredTime("RPO", planTime(o.RPO, s.language), o.Current.RPO),
	}
	for _, share := range []struct {
		key     string
		target  plan.Percent
		current *plan.MeasuredShare
	}{{"availability", o.Availability, o.Current.Availability}, {"integrity", o.Integrity, o.Current.Integrity}} {
		row := []string{s.word(share.key), "-", "", ""}
		if share.target > 0 {
			row[1] = share.target.String()
		}
		if share.current != nil {
			row[2], row[3] = share.current.Value.String(), s.text(share.current.Basis)
		}
		if share.target > 0 || share.current != nil {
			rows = append(rows, row)
		}
	}
	s.table(s.word("objectives"), []string{"objective", "target", "current", "basis"}, rows)
}

func (s *sheet) measuredTime(name, target string, current *plan.MeasuredTime) []string {
	if current == nil {
		return []string{name, target}
	}
	return []string{name, target, planTime(current.Value, s.language), s.text(current.Basis)}
}

func (s *sheet) tiers() {
	var rows [][]string
	for _, tier := range s.plan.Tiers {
		var systems []string
		for _, system := range tier.Systems {
			systems = append(systems, s.text(system.Name))
		}
		rows = append(rows, []string{strconv.Itoa(tier.Tier), s.text(tier.Title), strings.Join(systems, ", ")})
	}
	s.table(s.word("tiers"), []string{"tier", "class", "systems"}, rows)
}

func (s *sheet) scenarios() {
	var rows [][]string
	for _, scenario := range s.plan.Scenarios {
		rto := s.word("immediately")
		if !scenario.RTO.Immediate {
			rto = planTime(scenario.RTO.Within, s.language)
		}
		runbook := scenario.Runbook
		switch {
		case runbook == "" && scenario.Automatic:
			runbook = s.word("automatic")
		case runbook == "":
			runbook = "-"
		}
		rows = append(rows, []string{s.text(scenario.Title), s.word(scenario.Impact), rto, runbook, s.text(scenario.Strategy)})
	}
	s.table(s.word("scenarios"), []string{"scenario", "impact", "rto", "runbook", "strategy"}, rows)
}

func (s *sheet) backups() {
	var rows [][]string
	for _, backup := range s.plan.Backups {
		title, kept := s.text(backup.Title), "-"
		if backup.Retention > 0 {
			kept = planTime(backup.Retention, s.language)
		}
		for _, method := range backup.Methods {
			kind := s.word(method.Kind)
			if method.To != "" {
				kind += " (" + method.To + ")"
			}
			rows = append(rows, []string{title, kind, s.often(method), kept})
			title, kept = "", ""
		}
	}
	s.table(s.word("backups"), []string{"data", "method", "when", "kept"}, rows)
}

// often is how often a backup is made.
func (s *sheet) often(method plan.BackupMethod) string {
	every := ""
	switch {
	case method.Every == day:
		every = s.word("daily")
	case method.Every > 0:
		every = plan.Text{EN: "every " + planTime(method.Every, "en"), JA: planTime(method.Every, "ja") + "ごと"}.In(s.language)
	}
	switch {
	case method.Continuous && every != "":
		return s.word("continuous") + ", " + every
	case method.Continuous:
		return s.word("continuous")
	case method.At != "":
		return every + ", " + method.At + " " + method.Zone
	default:
		return every
	}
}

func (s *sheet) drills() {
	var rows [][]string
	for _, drill := range s.plan.Drills.Calendar {
		rows = append(rows, []string{s.text(drill.Title), s.word(drill.Every), planTimeInDays(drill.Takes, s.language), s.parties(drill.Participants)})
	}
	s.table(s.word("drills"), []string{"drill", "when", "takes", "participants"}, rows)
}

func (s *sheet) exercise(exercise plan.Exercise) {
	fmt.Fprintf(&s.b, "\n%s\n", printable(s.word("exercise")+" "+exercise.Name+": "+s.text(exercise.Title)))
	scenario, _ := s.plan.Scenario(exercise.Scenario)
	practised := exercise.Drill
	for _, drill := range s.plan.Drills.Calendar {
		if drill.Name == exercise.Drill {
			practised = s.text(drill.Title)
		}
	}
	rows := [][]string{
		{s.word("purpose"), s.text(exercise.Purpose)},
		{s.word("practisedIn"), practised},
		{s.word("exercises"), s.text(scenario.Title)},
		{s.word("expected"), planTime(exercise.Expected, s.language)},
	}
	rows = append(rows, s.listed("success", s.texts(exercise.Success), false)...)
	rows = append(rows, s.listed("steps", s.texts(exercise.Steps), true)...)
	s.rows(append(rows, s.listed("checks", s.texts(exercise.Checks), false)...))
}

func (s *sheet) escalation() {
	var rows [][]string
	for _, level := range s.plan.Escalation {
		answer := s.word("immediately")
		if level.RespondWithin > 0 {
			answer = planTime(level.RespondWithin, s.language)
		}
		rows = append(rows, []string{level.Level, s.text(level.Condition), level.At.String(), s.parties(level.Who), answer, strings.Join(level.Notify, ", ")})
	}
	s.table(s.word("escalation"), []string{"level", "condition", "at", "who", "answer", "channels"}, rows)
}

func (s *sheet) contacts() {
	var rows [][]string
	for _, list := range [][]plan.Contact{s.plan.Contacts.OnCall, s.plan.Contacts.Escalation} {
		for _, contact := range list {
			rows = append(rows, []string{s.text(contact.Title), s.party(contact.Who), contact.Phone})
		}
	}
	s.table(s.word("contacts"), []string{"contact", "role", "phone"}, rows)
	var external [][]string
	for _, contact := range s.plan.Contacts.External {
		external = append(external, []string{s.text(contact.Title), contact.Reach})
	}
	s.table(s.word("external"), []string{"contact", "reach"}, external)
}

func (s *sheet) postMortem() {
	var rows [][]string
	for i, step := range s.plan.PostMortem.Steps {
		rows = append(rows, []string{strconv.Itoa(i+1) + ". " + s.text(step.Title), planTime(step.Within, s.language)})
	}
	s.table(s.word("postMortem"), []string{"step", "within"}, rows)
	if improvements := s.plan.PostMortem.Improvements; len(improvements) > 0 {
		fmt.Fprintf(&s.b, "\n%s\n", s.word("improvements"))
		for _, improvement := range improvements {
			s.rows([][]string{{"[ ] " + s.text(improvement)}})
		}
	}
}

func (s *sheet) tools() {
	var tools, references [][]string
	for _, tool := range s.plan.Tools {
		tools = append(tools, []string{tool.Name, s.text(tool.Use), tool.URL})
	}
	s.table(s.word("tools"), []string{"tool", "use", "url"}, tools)
	for _, reference := range s.plan.References {
		references = append(references, []string{s.text(reference.Title), reference.Path})
	}
	s.table(s.word("references"), []string{"document", "path"}, references)
}

func (s *sheet) edition() {
	var revisions, signatures [][]string
	for _, revision := range s.plan.Edition.Revisions {
		revisions = append(revisions, []string{revision.Version, revision.Date.String(), s.text(revision.Change), s.party(revision.ApprovedBy)})
	}
	s.table(s.word("revisions"), []string{"version", "date", "change", "approvedBy"}, revisions)
	for _, signature := range s.plan.Edition.SignOff {
		row := []string{signature.Role, s.word("notSigned"), ""}
		if signature.Signed() {
			row = []string{signature.Role, signature.Name, signature.Date.String()}
		}
		signatures = append(signatures, row)
	}
	s.table(s.word("signOff"), []string{"role", "signedBy", "date"}, signatures)
}

func (s *sheet) people() {
	var rows [][]string
	for _, person := range s.plan.People {
		rows = append(rows, []string{person.Name, person.Role, s.party(person.Team)})
	}
	s.table(s.word("people"), []string{"name", "role", "team"}, rows)
}

func (s *sheet) databases() {
	var rows [][]string
	for _, d := range s.plan.Databases {
		commits := s.word(d.Durability.Mode)
		if d.Durability.Synchronous() {
			commits += ", " + d.Durability.StandbyNames()
		}
		rows = append(rows, []string{d.Name, d.Region, d.Primary, strings.Join(d.Replicas, ", "), commits, d.Redirect.By})
	}
	s.table(s.word("databases"), []string{"name", "region", "primary", "replicas", "commits", "redirect"}, rows)
}

func (s *sheet) redis() {
	var rows [][]string
	for _, r := range s.plan.Redis {
		rows = append(rows, []string{r.Name, r.Region, r.Master, cmp.Or(strings.Join(r.Replicas, ", "), "-"), r.Service, cmp.Or(r.Keys, "-")})
	}
	s.table(s.word("redis"), []string{"name", "region", "master", "replicas", "service", "keys"}, rows)
}

func (s *sheet) dependencies() {
	var rows [][]string
	for _, dependency := range s.plan.Dependencies {
		rows = append(rows, []string{dependency.Name, dependency.Title.In(s.language)})
	}
	s.table(s.word("dependencies"), []string{"name", "what"}, rows)
}

func (s *sheet) services() {
	var rows [][]string
	for _, service := range s.plan.Services {
		kind, name := service.Workload()
		scaleTo := "-"
		if service.ScaleTo > 0 {
			scaleTo = strconv.Itoa(service.ScaleTo)
		}
		rows = append(rows, []string{service.Name, strconv.Itoa(service.Tier), kind + " " + name, strings.Join(service.Health, ", "), scaleTo, strings.Join(service.Needs, ", ")})
	}
	s.table(s.word("services"), []string{"name", "tier", "workload", "health", "scaleTo", "needs"}, rows)
}

func (s *sheet) runbooks() {
	failover, switchover := s.plan.Runbooks.DatabaseFailover, s.plan.Runbooks.DatabaseSwitchover
	service, outage, evacuation := s.plan.Runbooks.ServiceRecovery, s.plan.Runbooks.FullOutage, s.plan.Runbooks.ZoneEvacuation
	recovery := s.plan.Runbooks.NodeRecovery
	limits := s.limit("coolingOff", planTime(failover.CoolingOff, s.language))
	if failover.PowerOff {
		limits += ", " + s.word("powerOff")
	}
	handOver := s.limit("catchUp", planTime(switchover.CatchUp, s.language)) + ", " + s.limit("writeGap", planTime(switchover.WriteGap, s.language))
	s.table(s.word("runbooks"), []string{"runbook", "approval", "unanswered", "limits"}, [][]string{
		append(s.approval("database-failover", failover.Approval), limits),
		append(s.approval("database-switchover", switchover.Approval), handOver),
		s.approval("rejoin", s.plan.Runbooks.Rejoin.Approval),
		append(s.approval("redis-recovery", s.plan.Runbooks.RedisRecovery.Approval), s.limit("settle", planTime(s.plan.Runbooks.RedisRecovery.Settle, s.language))),
		append(s.approval("service-recovery", service.Approval), s.limit("settle", planTime(service.Settle, s.language))),
		append(s.approval("full-outage", outage.Approval), strings.Join([]string{
			s.limit("declareStage", planTime(outage.Declare, s.language)), s.limit("diagnoseStage", planTime(outage.Diagnose, s.language)),
			s.limit("recoverStage", planTime(outage.Recover, s.language)),
		}, ", ")),
		append(s.approval("zone-evacuation", evacuation.Approval), s.limit("drain", planTime(evacuation.Drain, s.language))),
		append(s.approval("node-recovery", recovery.Approval), s.limit("watch", planTime(recovery.Watch, s.language))),
	})
}

func (s *sheet) limit(key, value string) string { return s.word(key) + " " + value }

func (s *sheet) approval(runbook string, approval plan.Approval) []string {
	if approval.Needed == 0 {
		return []string{runbook, s.word("nobodyIsAsked"), ""}
	}
	from := strings.Join(approval.From, ", ")
	who := plan.Text{EN: fmt.Sprintf("%d of %s", approval.Needed, from), JA: fmt.Sprintf("%s の%d名", from, approval.Needed)}.In(s.language)
	after := planTime(approval.Unanswered.After, s.language)
	then := plan.Text{EN: "after " + after + ": ", JA: after + "後: "}.In(s.language) + s.word(approval.Unanswered.Then)
	return []string{runbook, who, then}
}
