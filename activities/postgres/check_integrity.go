package postgres

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Verdicts of a check. A check that could not run is not a pass.
const (
	Pass   = "pass"
	Fail   = "fail"
	NotRun = "not run"
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
type Check struct {
	Name     string `json:"name"`
	Measured string `json:"measured"`
	Expected string `json:"expected,omitempty"`
	Verdict  string `json:"verdict"`
}

// CheckIntegrity runs the plan's queries in one read-only transaction each. A wrong answer is a result; the only error is a
// server that cannot be reached.
func (a *Activities) CheckIntegrity(ctx context.Context, params CheckIntegrityParams) (CheckIntegrityResult, error) {
	conn, err := a.connect(ctx, params.Database, params.Catalog, params.Instance)
	if err != nil {
		return CheckIntegrityResult{}, unreachable("check integrity", params.Instance, err)
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		return CheckIntegrityResult{}, unreachable("check integrity", params.Instance, err)
	}
	var result CheckIntegrityResult
	for _, query := range params.Queries {
		check := Check{Name: query.Name, Expected: query.Expect, Verdict: Pass}
		answer := conn.PgConn().ExecParams(ctx, query.SQL, nil, nil, nil, nil).Read()
		switch {
		case answer.Err != nil:
			check.Measured, check.Verdict = brief(answer.Err), NotRun
		case len(answer.Rows) > 0 && len(answer.Rows[0]) > 0:
			check.Measured = string(answer.Rows[0][0]) // in text format, because no other was asked for
		}
		if check.Verdict == Pass && query.Expect != "" && check.Measured != query.Expect {
			check.Verdict = Fail
		}
		result.Checks = append(result.Checks, check)
	}
	return result, nil
}
