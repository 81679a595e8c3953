package workflows

import (
	"strings"

	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// DatabaseFailoverID is the workflow ID of the failover of a database; a sender who does not know the plan's name leaves it
// empty. Two people who start the same failover at the same time meet here; what really keeps two recoveries apart is the
// lease, because anybody can choose another ID. A rehearsal has an ID of its own, so that it never stands in a recovery's way.
func DatabaseFailoverID(plan, database string, mode runbook.Mode) string {
	parts := []string{"database-failover"}
	if mode == runbook.Rehearse {
		parts = []string{"rehearse", "database-failover"}
	}
	if plan != "" {
		parts = append(parts, plan)
	}
	return strings.Join(append(parts, database), "/")
}
