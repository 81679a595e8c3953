package workflows

import (
	"fmt"

	"github.com/shodo-ecosystem/fukkyu/runbook"
)

// DatabaseFailoverID is the workflow ID of the failover of a database. Two people who start it at the same time meet here;
// what really keeps two recoveries apart is the lease, because anybody can choose another ID. A rehearsal has an ID of its
// own, so that it never stands in the way of a recovery.
func DatabaseFailoverID(plan, database string, mode runbook.Mode) string {
	id := fmt.Sprintf("database-failover/%s/%s", plan, database)
	if mode == runbook.Rehearse {
		return "rehearse-" + id
	}
	return id
}
