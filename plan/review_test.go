package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/stretchr/testify/require"
)

// whenReviewIsDue is the last moment of the month in which the reference plan is to be reviewed.
var whenReviewIsDue = time.Date(2024, 4, 30, 23, 59, 59, 0, time.UTC)

func review(t *testing.T, text string, now time.Time) plan.Warnings {
	t.Helper()
	_, warnings, err := plan.Review("shodo.yaml", []byte(text), now)
	require.NoError(t, err)
	return warnings
}

func TestReview_TheReferencePlan_SaysWhatIsLeftToDoWithItsPlaces(t *testing.T) {
	golden(t, "warnings.txt", review(t, shodo(t), whenReviewIsDue).String()+"\n")
}

func TestReview_AReviewThatIsDue_IsOverdueOnlyAfterItsMonth(t *testing.T) {
	require.NotContains(t, review(t, shodo(t), whenReviewIsDue).String(), "overdue")
	require.Contains(t, review(t, shodo(t), whenReviewIsDue.Add(time.Second)).String(), "edition.review.next: warning: the review of 2024-04 is overdue")
}

func TestReview_WhatChanges_WarnsOrDoesNot(t *testing.T) {
	cases := map[string]struct{ replace, with, says, not string }{
		"a slower drill":        {"rto: {value: 20m,", "rto: {value: 40m,", "objectives.current.rto.value: warning: 40m0s is worse than the target of 30m0s", ""},
		"an older replica":      {"rpo: {value: 1m,", "rpo: {value: 6m,", "objectives.current.rpo.value: warning: 6m0s is worse than the target of 5m0s", ""},
		"a bad quarter":         {"value: 99.96%", "value: 99.9%", "objectives.current.availability.value: warning: 99.9% is worse than the target of 99.95%", ""},
		"unsound data":          {"integrity: {value: 100%}", "integrity: {value: 99%}", "objectives.current.integrity.value: warning: 99% is worse", ""},
		"a signature":           {"    - role: cto\n", "    - {role: cto, name: aiko, date: 2024-01-31}\n", "vp-engineering has not signed", "cto has not signed"},
		"a runbook fewer":       {"    runbook: node-recovery\n", "", "scenarios[1].runbook: warning: no runbook answers node-failure", ""},
		"a platform that helps": {"rto: 10m\n", "rto: 10m\n    automatic: true\n", "answers region-failure", "answers zone-failure"},
		"a reference to a number": {"title: CTO, who: cto, phone: +81-XXX-XXXX-XXXX", "title: CTO, who: cto, phone: in PagerDuty",
			"contacts.escalation[1].phone: warning: +81-XXX-XXXX-XXXX is a placeholder", "contacts.escalation[0].phone"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, shodo(t), c.replace)
			said := review(t, strings.Replace(shodo(t), c.replace, c.with, 1), whenReviewIsDue).String()
			require.Contains(t, said, c.says)
			if c.not != "" {
				require.NotContains(t, said, c.not)
			}
		})
	}
}

func TestReview_AnInvalidPlan_HasErrorsAndNoWarnings(t *testing.T) {
	_, warnings, err := plan.Review("shodo.yaml", []byte(strings.Replace(shodo(t), "owner: cto", "owner: king", 1)), whenReviewIsDue)
	require.ErrorContains(t, err, "edition.owner")
	require.Empty(t, warnings)
}
