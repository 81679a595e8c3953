package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ProbeServerParams names the server to ask and how long to wait for its answer.
type ProbeServerParams struct {
	Database string        `json:"database"` // of the plan, for the credentials
	Catalog  string        `json:"catalog"`
	Instance Instance      `json:"instance"`
	Timeout  time.Duration `json:"timeout"`
}

// ProbeServerResult is what this worker heard.
type ProbeServerResult struct {
	TCP  bool   `json:"tcp"` // the port accepts connections
	SQL  bool   `json:"sql"` // a server answers, if only with an error
	Said string `json:"said"`
}

// ProbeServer asks a server whether it answers: by a TCP connection and by a login with a query, at the same time. A server
// that refuses the login or is still starting answers too. It changes nothing. Silence is a result; the only errors are those
// of the credentials, which say nothing about the server.
func (a *Activities) ProbeServer(ctx context.Context, params ProbeServerParams) (ProbeServerResult, error) {
	if params.Instance.Host == "" {
		return ProbeServerResult{Said: "its pod has no address"}, nil
	}
	login, err := a.login(ctx, params.Database, params.Catalog)
	if err != nil {
		return ProbeServerResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, params.Timeout)
	defer cancel()
	connected := make(chan error, 1)
	go func() { connected <- dial(ctx, params.Instance) }()
	queried := query(ctx, login, params.Instance)
	result := ProbeServerResult{SQL: answered(queried)}
	tcp := <-connected
	result.TCP = tcp == nil
	switch {
	case queried == nil:
		result.Said = "it answers SQL"
	case result.SQL:
		result.Said = "it answers: " + brief(queried)
	case result.TCP && ctx.Err() != nil:
		result.Said = fmt.Sprintf("its port is open, but no server answers within %s", params.Timeout)
	case result.TCP:
		result.Said = "its port is open, but no server answers: " + brief(queried)
	default:
		result.Said = "no answer: " + brief(tcp)
	}
	return result, nil
}

func dial(ctx context.Context, instance Instance) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", instance.address())
	if err != nil {
		return err
	}
	return conn.Close()
}

func query(ctx context.Context, login login, instance Instance) error {
	conn, err := login.connect(ctx, instance)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	_, err = conn.Exec(ctx, "SELECT 1")
	return err
}

// answered says whether a server spoke: with a result, or with an error of its own.
func answered(err error) bool {
	var server *pgconn.PgError
	return err == nil || errors.As(err, &server)
}
