package postgres

import (
	"context"
	"fmt"
	"time"
)

// AwaitWritableParams names a server that should be a primary again.
type AwaitWritableParams struct {
	Database string        `json:"database"`
	Catalog  string        `json:"catalog"`
	Instance Instance      `json:"instance"`
	Patience time.Duration `json:"patience"`
}

// AwaitWritableResult says whether it is.
type AwaitWritableResult struct {
	Writable bool   `json:"writable"`
	Seen     string `json:"seen"`
}

// AwaitWritable waits until a server gives out a transaction ID, which neither a replica nor one that starts or stops does. It
// changes nothing. That it does not within its patience is a result; the only errors are those of the credentials.
func (a *Activities) AwaitWritable(ctx context.Context, params AwaitWritableParams) (AwaitWritableResult, error) {
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return AwaitWritableResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Patience)
	defer cancel()
	var last AwaitWritableResult
	for {
		err := tryToWrite(ctx, login, params.Instance)
		if err == nil {
			return AwaitWritableResult{Writable: true, Seen: params.Instance.Pod + " accepts writes"}, nil
		}
		if last.Seen == "" || hasTime(ctx) {
			last.Seen = fmt.Sprintf("%s does not accept writes: %s", params.Instance.Pod, brief(err))
		}
		if pause(ctx) != nil {
			return last, nil
		}
	}
}

func tryToWrite(ctx context.Context, login login, instance Instance) error {
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	var transaction string
	return conn.QueryRow(ctx, "SELECT pg_current_xact_id()::text").Scan(&transaction)
}
