package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shodo-ecosystem/fukkyu/activities/integrity"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Verdicts of a check. A check that could not run is not a pass.
const (
	Pass   = integrity.Pass
	Fail   = integrity.Fail
	NotRun = integrity.NotRun
)

// CheckIntegrityParams names the server and the queries of the plan.
type CheckIntegrityParams struct {
	Database string       `json:"database"`
	Catalog  string       `json:"catalog"`
	Instance Instance     `json:"instance"`
	Queries  []plan.Query `json:"queries"`
}

// CheckIntegrityResult has one check for each query, in their order.
type CheckIntegrityResult struct {
	Checks []Check `json:"checks"`
}

// Check is one query, what it returned and what was expected.
type Check = integrity.Check

// CheckIntegrity runs the plan's queries one after the other, each in a read-only transaction. It changes nothing. A wrong
// answer, and a query that fails or takes more than its share of the time, is a result. Errors: Unreachable when the server
// is gone before all queries were asked, and those of the credentials.
func (a *Activities) CheckIntegrity(ctx context.Context, params CheckIntegrityParams) (CheckIntegrityResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return CheckIntegrityResult{}, err
	}
	conn, err := login.connect(ctx, params.Instance)
	if err != nil {
		return CheckIntegrityResult{}, unreachable("check integrity", params.Instance, err)
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		return CheckIntegrityResult{}, unreachable("check integrity", params.Instance, err)
	}
	var result CheckIntegrityResult
	for i, query := range params.Queries {
		answer, err := ask(ctx, conn, query.SQL, len(params.Queries)-i)
		if conn.IsClosed() {
			return CheckIntegrityResult{}, unreachable("check integrity: "+query.Name, params.Instance, err)
		}
		result.Checks = append(result.Checks, judge(query, answer, err))
	}
	return result, nil
}

// ask runs one query, which may take its share of what is left of the activity's time: a query that waits for a lock must
// not take the answers of the others with it.
func ask(ctx context.Context, conn *pgx.Conn, sql string, left int) ([][][]byte, error) {
	if deadline, bounded := ctx.Deadline(); bounded {
		share := max(time.Until(deadline)/time.Duration(left+1), time.Millisecond) // 0 would mean without limit
		if _, err := conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d", share.Milliseconds())); err != nil {
			return nil, err
		}
	}
	answer := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	return answer.Rows, answer.Err
}

// judge compares an answer with what the plan expects: one row, of which the first column counts.
func judge(query plan.Query, rows [][][]byte, err error) Check {
	check := Check{Name: query.Name, Expected: query.Expect, Verdict: Pass}
	if err != nil {
		check.Measured, check.Verdict = brief(err), NotRun
		return check
	}
	if len(rows) > 0 && len(rows[0]) > 0 {
		check.Measured = string(rows[0][0]) // in text format, because no other was asked for
	}
	if query.Expect == "" {
		return check
	}
	if len(rows) != 1 {
		check.Measured = fmt.Sprintf("%d rows instead of one", len(rows))
	}
	if check.Measured != query.Expect {
		check.Verdict = Fail
	}
	return check
}
