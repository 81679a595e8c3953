package plan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

func TestParse_TheReferencePlan_HasEverythingOfTheDocument(t *testing.T) {
	pinned, err := plan.Parse("shodo.yaml", []byte(shodo(t)))
	require.NoError(t, err)
	p := pinned.Plan
	require.Equal(t, plan.Date{Year: 2024, Month: time.January}, p.Edition.Updated, "the document does not know the day")
	require.Len(t, p.Edition.SignOff, 3)
	require.Len(t, p.Tiers, 3)
	require.Len(t, p.Scenarios, 7)
	require.Len(t, p.Backups, 4)
	require.Equal(t, 30*24*time.Hour, p.Backups[0].Retention)
	require.Len(t, p.Drills.Calendar, 4)
	require.Len(t, p.Drills.Exercises, 2)
	require.Len(t, p.Contacts.External, 3)
	require.Len(t, p.PostMortem.Steps, 5)
	require.Len(t, p.PostMortem.Improvements, 5)
	require.Len(t, p.Tools, 6)
	require.Len(t, p.References, 4)
	breach, known := p.Scenario("security-breach")
	require.True(t, known)
	require.Equal(t, plan.RecoveryTime{Immediate: true}, breach.RTO)
	_, known = p.Scenario("flood")
	require.False(t, known)
}

// A run carries the plan through its history as JSON: it must be the same when it comes back.
func TestPinned_ThroughJSON_IsTheSame(t *testing.T) {
	pinned, err := plan.Load("../plans/shodo.yaml")
	require.NoError(t, err)
	text, err := json.Marshal(pinned)
	require.NoError(t, err)
	var back plan.Pinned
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, pinned, back)
}

func TestParse_WithoutThePartsForPeople_IsStillAPlan(t *testing.T) {
	text := shodo(t)
	for _, part := range []string{"edition", "tiers", "scenarios", "backups", "contacts", "drills", "postMortem", "tools", "references"} {
		text = without(t, text, part)
	}
	_, err := plan.Parse("shodo.yaml", []byte(text))
	require.NoError(t, err)
}

// without is a plan with one of its parts left out.
func without(t *testing.T, text, part string) string {
	t.Helper()
	before, after, found := strings.Cut(text, "\n"+part+":\n")
	require.True(t, found, part)
	_, after, found = strings.Cut(after, "\n\n")
	require.True(t, found, part)
	return before + "\n" + after
}

func TestParts_OneThingWrong_IsNamedWithItsPath(t *testing.T) {
	cases := map[string]struct{ replace, with, says string }{
		"an edition of nobody":            {"owner: cto", "owner: king", `edition.owner: "king" is unknown; valid are operations`},
		"a day that is not known":         {"updated: 2024-01 ", "updated: 2024-01-XX ", `edition.updated: "2024-01-XX" is no date; write for example 2024-01-31, or 2024-01`},
		"no date":                         {"updated: 2024-01 ", "updated: ''", "edition.updated: missing"},
		"a review in the past":            {"next: 2024-04", "next: 2023-12", "edition.review.next: 2023-12 is before 2024-01"},
		"a review now and then":           {"every: quarterly, next", "every: sometimes, next", "edition.review.every: \"sometimes\" is unknown; valid are monthly, quarterly, half-yearly, yearly"},
		"a version without a revision":    {"\nversion: 1.0.0\n", "\nversion: 1.1.0\n", `edition.revisions[0].version: "1.0.0", and the plan is version "1.1.0"`},
		"revisions that fall":             {"  revisions:\n", "  revisions:\n    - {version: 0.9.0, date: 2024-02-01, change: Draft, approvedBy: cto}\n", "edition.revisions[1].date: 2024-01 is before the 2024-02-01 of 0.9.0"},
		"a signature of no role":          {"    - role: security-officer", "    - role: king", `edition.signOff[2].role: "king" is unknown; valid are on-call`},
		"a role that signs twice":         {"    - role: security-officer", "    - role: cto", `edition.signOff[2].role: "cto" is there twice`},
		"a signature of somebody else":    {"    - role: cto\n", "    - {role: cto, name: ken, date: 2024-01-31}\n", `edition.signOff[0].name: "ken" is unknown; valid are aiko`},
		"a signature without a date":      {"    - role: cto\n", "    - {role: cto, name: aiko}\n", "edition.signOff[0].date: missing: when did aiko sign?"},
		"a signature without a name":      {"    - role: cto\n", "    - {role: cto, date: 2024-01-31}\n", "edition.signOff[0].name: missing: somebody signed on 2024-01-31"},
		"an availability of 120%":         {"availability: 99.95%", "availability: 120%", "objectives.availability: 120% is more than everything"},
		"an availability of nothing":      {"availability: 99.95%", "availability: 0%", "objectives.availability: 0%: a target is more than nothing"},
		"a capability without its value":  {"rto: {value: 20m, ", "rto: {", "objectives.current.rto.value: missing: the time that was measured"},
		"a tier twice":                    {"tier: 2\n    title: Important", "tier: 1\n    title: Important", "tiers[1].tier: 1 is there twice"},
		"a system twice":                  {"{name: Redis, redis: redis}", "{name: Logging}", `tiers[2].systems[1].name: "Logging" is there twice`},
		"a system of two tiers":           {"name: Frontend, service: shodo-frontend", "name: Frontend, service: shodo-backend", "tiers[1].systems[0].service: shodo-backend is of tier 2 here and of tier 1 in services"},
		"a system of no database":         {"database: shodo}", "database: moon}", `tiers[0].systems[1].database: "moon" is unknown; valid are shodo`},
		"a scenario twice":                {"name: zone-failure", "name: pod-failure", `scenarios[2].name: "pod-failure" is there twice`},
		"an unknown impact":               {"impact: large", "impact: terrible", "valid are minimal, small, medium, large, severe"},
		"a row above the objective":       {"rto: 10m\n", "rto: 31m\n", "scenarios[2].rto: 31m0s is longer than the 30m0s of objectives.rto"},
		"a row before the disaster":       {"rto: 10m\n", "rto: -1m\n", "scenarios[2].rto: -1m0s: no time is less than 0"},
		"a row without a time":            {"    rto: 10m\n", "", "scenarios[2].rto: missing: how soon service must be back"},
		"a row in words":                  {"rto: immediate", "rto: soon", `scenarios[5].rto: "soon" is no time to recover in; write a duration, for example 10m, or immediate`},
		"an unknown runbook":              {"runbook: node-recovery", "runbook: node-discovery", "valid are database-failover, database-switchover, rejoin"},
		"a backup of no database":         {"databases: [shodo]\n    retention", "databases: [moon]\n    retention", `backups[0].databases[0]: "moon" is unknown`},
		"a backup of no kind":             {"kind: snapshot", "kind: polaroid", `backups[1].methods[0].kind: "polaroid" is unknown; valid are full, `},
		"a backup now and then":           {"{kind: snapshot, every: 1h}", "{kind: snapshot}", "backups[1].methods[0].every: missing: how often"},
		"a time of day of no clock":       {`at: "02:00"`, `at: "26:00"`, `"26:00" is no time of day`},
		"a time of day of no place":       {`, zone: Asia/Tokyo`, "", "backups[0].methods[0].zone: missing: in which time zone is it 02:00?"},
		"a watch that leaves no time":     {"watch: 1m", "watch: 2m", "runbooks.node-recovery.watch: 2m0s leaves no time to act: node-failure is to be recovered within 2m"},
		"days by halves":                  {"retention: 30d", "retention: 1.5d", `"1.5d" is no duration; write for example 90s, 30m, 1h30m or 30d`},
		"a contact of nobody":             {"title: CTO, who: cto", "title: CTO, who: king", `contacts.escalation[0].who: "king" is unknown`},
		"a contact twice":                 {"title: VP Engineering, who", "title: CTO, who", `contacts.escalation[1].title: "CTO" is there twice`},
		"no mail address":                 {"security@shodo.example.com", "security@", `contacts.external[2].reach: "security@" is no mail address`},
		"a drill of nobody":               {"participants: [operations]", "participants: []", "drills.calendar[1].participants: missing: name at least one team; valid are operations"},
		"a drill of somebody unknown":     {"participants: [operations]", "participants: [kings]", `drills.calendar[1].participants[0]: "kings" is unknown; valid are operations, development`},
		"a drill twice":                   {"name: partial-recovery", "name: tabletop", `drills.calendar[1].name: "tabletop" is there twice`},
		"a drill of no time":              {"takes: 4h", "takes: 0s", "drills.calendar[1].takes: missing, or not longer than 0"},
		"an exercise of no drill":         {"drill: partial-recovery", "drill: partial", `drills.exercises[0].drill: "partial" is unknown; valid are tabletop, partial-recovery`},
		"an exercise of no scenario":      {"scenario: region-failure", "scenario: flood", `drills.exercises[1].scenario: "flood" is unknown; valid are pod-failure, node-failure`},
		"an exercise above the objective": {"expected: 30m", "expected: 45m", "drills.exercises[1].expected: 45m0s is longer than the 30m0s of objectives.rto"},
		"deadlines that do not rise":      {"within: 48h", "within: 24h", "postMortem.steps[1].within: 24h0m0s is not later than the 24h0m0s of timeline before it"},
		"an improvement twice":            {"{en: Improve the tools, ", "{en: Improve the automation, ", `postMortem.improvements[4]: "Improve the automation" is there twice`},
		"a tool of no URL":                {"https://jaeger.shodo.example.com", "jaeger", `tools[3].url: "jaeger" is no URL with http or https`},
		"a tool twice":                    {"name: Jaeger", "name: Grafana", `tools[3].name: "Grafana" is there twice`},
		"a document twice":                {"./network-topology.md", "./architecture.md", `references[1].path: "./architecture.md" is there twice`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			_, err := plan.Parse("shodo.yaml", []byte(strings.Replace(shodo(t), c.replace, c.with, 1)))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestDate_OfAMonth_IsOverAfterItsLastDay(t *testing.T) {
	tokyo := time.FixedZone("JST", 9*60*60)
	month := plan.Date{Year: 2024, Month: time.December}
	require.False(t, month.Over(time.Date(2024, 12, 31, 23, 59, 59, 0, tokyo)))
	require.True(t, month.Over(time.Date(2025, 1, 1, 0, 0, 0, 0, tokyo)))
	day := plan.Date{Year: 2024, Month: time.February, Day: 29}
	require.False(t, day.Over(time.Date(2024, 2, 29, 23, 0, 0, 0, tokyo)))
	require.True(t, day.Over(time.Date(2024, 3, 1, 0, 0, 0, 0, tokyo)))
}

func TestDate_WhatIsWritten_IsReadAsPreciselyAsItIsKnown(t *testing.T) {
	for _, text := range []string{"", "2024-01", "2024-02-29"} {
		var date plan.Date
		require.NoError(t, date.UnmarshalText([]byte(text)))
		require.Equal(t, text, date.String())
	}
	for _, text := range []string{"2024", "2024-13", "2023-02-29", "01/02/2024", "2024-01-XX"} {
		var date plan.Date
		require.ErrorContains(t, date.UnmarshalText([]byte(text)), "is no date", text)
	}
}

func TestNodeRecovery_WithoutAWatch_HasHalfOfTheShortestRecoveryTimeAtMost(t *testing.T) {
	silent := strings.Replace(shodo(t), "    watch: 1m\n", "", 1)
	for rto, watch := range map[string]time.Duration{"rto: 2m": time.Minute, "rto: 40s": 20 * time.Second, "rto: 9m": time.Minute} {
		pinned, err := plan.Parse("shodo.yaml", []byte(strings.Replace(silent, "rto: 2m", rto, 1)))
		require.NoError(t, err)
		require.Equal(t, watch, pinned.Plan.Runbooks.NodeRecovery.Watch, rto)
	}
}
