package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

func TestEscalation_OfTheReferencePlan_RisesFromTheStartToTheEndOfTheObjective(t *testing.T) {
	pinned, err := plan.Parse("shodo.yaml", []byte(shodo(t)))
	require.NoError(t, err)
	var levels []string
	var at []time.Duration
	for _, level := range pinned.Plan.Escalation {
		levels = append(levels, level.Level)
		at = append(at, level.At.Of(pinned.Plan.Objectives.RTO))
	}
	require.Equal(t, []string{"L1", "L2", "L3", "L4"}, levels)
	require.Equal(t, []time.Duration{0, 15 * time.Minute, 24 * time.Minute, 30 * time.Minute}, at)
	require.Equal(t, []string{"on-call-pager", "incident-chat", "development-lead-pager", "management-pager", "executives-mail"}, pinned.Plan.Channels())
}

func TestEscalation_OneThingWrong_IsNamedWithItsPath(t *testing.T) {
	cases := map[string]struct{ replace, with, says string }{
		"nobody":                      {"who: [development-lead]", "who: []", "escalation[1].who: missing: name at least one person, role or team; valid are operations, "},
		"somebody unknown":            {"who: [development-lead]", "who: [king]", `escalation[1].who[0]: "king" is unknown; valid are operations, `},
		"somebody twice":              {"who: [ceo, executives]", "who: [ceo, ceo]", `escalation[3].who[1]: "ceo" is there twice`},
		"a team without people":       {"who: [development-lead]", "who: [company]", "escalation[1].who[0]: nobody is in company"},
		"no channel":                  {"notify: [development-lead-pager, incident-chat]", "notify: []", "escalation[1].notify: missing: name at least one channel"},
		"a channel with an address":   {"[development-lead-pager,", "['https://pager',", `escalation[1].notify[0]: "https://pager" names no channel`},
		"levels that fall":            {"at: 50%", "at: 90%", "escalation[2].at: 80% is not later than the 90% of L2 before it"},
		"two levels at once":          {"at: 50%", "at: 80%", "escalation[2].at: 80% is not later than the 80% of L2"},
		"a share without its sign":    {"at: 50%", "at: 50", `escalation[1].at: "50" is no share; write for example 50%`},
		"a level twice":               {"level: L2", "level: L1", `escalation[1].level: "L1" is there twice`},
		"no moment":                   {"    at: 50%\n", "", "escalation[1].at: missing: the share of the RTO"},
		"no response time":            {"    respondWithin: 10m\n", "", "escalation[1].respondWithin: missing"},
		"an answer before the call":   {"respondWithin: 10m", "respondWithin: -10m", "escalation[1].respondWithin: -10m0s: nobody can answer before"},
		"no condition":                {"    condition: {en: Service degraded, ja: サービス劣化}\n", "", "escalation[1].condition: missing"},
		"a language nobody asked for": {"{en: Service degraded,", "{fr: dégradé,", "escalation[1].condition.fr: unknown field; the fields here are en, ja"},
		"an unknown team":             {"team: development}", "team: developers}", `people[2].team: "developers" is unknown; valid are operations`},
		"a name for two things":       {"name: operations,", "name: on-call,", "people[0]: yuki, on-call: a name stands for one thing only"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			_, err := plan.Parse("shodo.yaml", []byte(strings.Replace(shodo(t), c.replace, c.with, 1)))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestPeopleOf_APersonARoleAndATeam_AreThoseTheyStandFor(t *testing.T) {
	pinned, err := plan.Parse("shodo.yaml", []byte(shodo(t)))
	require.NoError(t, err)
	cases := map[string][]string{"yuki": {"yuki"}, "on-call": {"yuki", "haruto"}, "executives": {"aiko", "ken", "mio", "rin"}, "nobody": nil}
	for name, want := range cases {
		var got []string
		for _, person := range pinned.Plan.PeopleOf(name) {
			got = append(got, person.Name)
		}
		require.Equal(t, want, got, name)
	}
}

func TestPercent_WhatIsWritten_IsReadAsItWasAndTakenOfADuration(t *testing.T) {
	for _, text := range []string{"0%", "50%", "99.95%", "0.001%", "100%", "250%"} {
		var share plan.Percent
		require.NoError(t, share.UnmarshalText([]byte(text)))
		require.Equal(t, text, share.String())
	}
	for _, text := range []string{"", "%", "50", "-1%", "1.2345%", "1.-2%", "half"} {
		var share plan.Percent
		require.ErrorContains(t, share.UnmarshalText([]byte(text)), "is no share", text)
	}
	var share plan.Percent
	require.NoError(t, share.UnmarshalText([]byte("99.95%")))
	require.Equal(t, 9995*time.Hour, share.Of(10000*time.Hour))
}

func TestText_InALanguageThatItLacks_IsInTheOtherOne(t *testing.T) {
	require.Equal(t, "down", plan.Text{EN: "down", JA: "停止"}.In("en"))
	require.Equal(t, "停止", plan.Text{EN: "down", JA: "停止"}.In("ja"))
	require.Equal(t, "停止", plan.Text{JA: "停止"}.In("en"))
	require.Equal(t, "down", plan.Text{EN: "down"}.In("ja"))
}
