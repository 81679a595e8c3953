package diagnose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask_LinesWithSecrets_KeepEverythingElse(t *testing.T) {
	cases := []struct{ line, want string }{
		{"connect to postgres://app:hunter2@db:5432/app?sslmode=off: refused", "connect to postgres://app:***@db:5432/app?sslmode=off: refused"},
		{"redis://:hunter2@cache:6379/0 failed", "redis://:***@cache:6379/0 failed"},
		{"amqp://u:p@ss@host/ failed", "amqp://u:***@host/ failed"},
		{"password=hunter2 user=app", "password=*** user=app"},
		{`{"password":"hunter2","user":"app"}`, `{"password":***,"user":"app"}`},
		{`{"msg":"{\"password\":\"hunter2\"}"}`, `{"msg":"{\"password\":***}"}`},
		{`password = "two words" next`, "password = *** next"},
		{"DB_PASSWORD: 'two words' next", "DB_PASSWORD: *** next"},
		{"PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"},
		{"GET /x?token=abc123&page=2", "GET /x?token=***&page=2"},
		{"api_key=abc client_secret=def", "api_key=*** client_secret=***"},
		{"Authorization: Bearer abc.def.ghi", "Authorization: ***"},
		{`"authorization": "Basic YXBwOmh1bnRlcjI=", "x": 1`, `"authorization": "***", "x": 1`},
		{"sent Bearer abcdefghijklmnop1234 and failed", "sent Bearer *** and failed"},
		{"got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl from a client", "got *** from a client"},
		{"uses AKIAIOSFODNN7EXAMPLE here", "uses *** here"},
		{"Cookie: session=abc; other=def", "Cookie: ***"},
		{"error: password authentication failed for user app", "error: password authentication failed for user app"},
		{"error: dial tcp 10.0.0.1:5432: connection refused", "error: dial tcp 10.0.0.1:5432: connection refused"},
	}
	for _, c := range cases {
		require.Equal(t, c.want, mask(c.line))
	}
}
