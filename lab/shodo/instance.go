package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// instance is one PostgreSQL server: its volume, and the programs that work on it.
type instance struct {
	pod      string
	volume   string
	programs string              // folder of PostgreSQL's programs
	account  *syscall.Credential // the programs' user; nil for the gate's own, which in a pod is the right one
}

// ownInstance is the one of this pod.
func ownInstance() instance {
	return instance{pod: os.Getenv("POD_NAME"), volume: "/data", programs: "/usr/lib/postgresql/15/bin"}
}

// data is the data directory. fresh is where one is made before it is put in place complete, aside where old ones are kept.
func (i instance) data() string  { return filepath.Join(i.volume, "pgdata") }
func (i instance) fresh() string { return filepath.Join(i.volume, "pgdata.new") }
func (i instance) aside() string { return filepath.Join(i.volume, "set-aside") }

// configuration is added to what initdb writes. The time limits make a lost connection known within seconds.
const configuration = `
listen_addresses = '*'
unix_socket_directories = '/tmp'
max_connections = 100
shared_buffers = 32MB
wal_level = replica
hot_standby = on
max_wal_senders = 10
wal_keep_size = 512MB
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_retrieve_retry_interval = 500ms
wal_receiver_status_interval = 1s
tcp_user_timeout = 3000
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] '
`

const access = `local all all trust
host all all all scram-sha-256
host replication replicator,fukkyu all scram-sha-256
`

// runInstance passes the gate and runs the server. The gate is the pod's init container too; but Kubernetes restarts a
// container that ended by itself without its init containers, and a primary that crashes after it was replaced must not come
// back. A server that was shut down in order, as by a switchover, sends the instance back to the gate: ending the container
// would do the same, after a pause that Kubernetes makes longer each time.
func runInstance(ctx context.Context) error {
	for {
		if err := runGate(ctx); err != nil {
			return err
		}
		if err := ownInstance().serve(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		log.Print("the server was shut down; back to the gate")
	}
}

// serve runs the server until it ends. Whoever stops the instance shuts it down fast.
func (i instance) serve(ctx context.Context) error {
	server := exec.CommandContext(ctx, filepath.Join(i.programs, "postgres"), "-D", i.data())
	server.Stdout, server.Stderr = os.Stdout, os.Stderr
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGINT) }
	if err := server.Run(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// initialise makes the estate's database and its roles. It is complete or not there at all.
func (i instance) initialise(ctx context.Context) error {
	fresh := i.fresh()
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := i.run(ctx, nil, "initdb", "--pgdata", fresh, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--data-checksums", "--no-sync"); err != nil {
		return err
	}
	config, err := os.OpenFile(filepath.Join(fresh, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := config.WriteString(configuration); err != nil {
		return err
	}
	if err := config.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return err
	}
	for _, statements := range []struct{ database, sql string }{{"postgres", roles()}, {"shodo", createTable + "; ALTER TABLE writes OWNER TO shodo"}} {
		if err := i.run(ctx, strings.NewReader(statements.sql+"\n"), "postgres", "--single", "-j", "-D", fresh, statements.database); err != nil {
			return err
		}
	}
	return os.Rename(fresh, i.data())
}

// roles creates the roles and the database, in the form that single-user mode reads: statements end with an empty line.
func roles() string {
	quoted := func(variable string) string {
		return "'" + strings.ReplaceAll(os.Getenv(variable), "'", "''") + "'"
	}
	return strings.Join([]string{
		"ALTER ROLE postgres PASSWORD " + quoted("SUPERUSER_PASSWORD") + ";",
		"CREATE ROLE shodo LOGIN PASSWORD " + quoted("SHODO_PASSWORD") + ";",
		"CREATE ROLE replicator LOGIN REPLICATION PASSWORD " + quoted("REPLICATOR_PASSWORD") + ";",
		"CREATE ROLE fukkyu LOGIN SUPERUSER REPLICATION PASSWORD " + quoted("FUKKYU_PASSWORD") + ";",
		"CREATE DATABASE shodo OWNER shodo;",
	}, "\n\n") + "\n"
}

// sourceLost makes a copy end within seconds when the machine that it copies from is gone: who only receives never notices,
// because a machine without power sends no refusal. The copy keeps these limits for its own streaming.
const sourceLost = "connect_timeout=2 tcp_user_timeout=3000 keepalives_idle=2 keepalives_interval=1 keepalives_count=3"

// upstream is how this instance reaches the primary; the password comes beside it.
func (i instance) upstream() string {
	return fmt.Sprintf("host=%s user=replicator application_name=%s %s", os.Getenv("PRIMARY_SERVICE"), i.pod, sourceLost)
}

// clone copies the primary behind the Service. A copy that was interrupted is begun again.
func (i instance) clone(ctx context.Context) error {
	if err := os.RemoveAll(i.fresh()); err != nil {
		return err
	}
	connection := i.upstream()
	if err := os.Setenv("PGPASSWORD", os.Getenv("REPLICATOR_PASSWORD")); err != nil {
		return err
	}
	if err := i.run(ctx, nil, "pg_basebackup", "--pgdata", i.fresh(), "--dbname", connection, "--wal-method", "stream", "--checkpoint", "fast",
		"--write-recovery-conf", "--progress", "--no-sync"); err != nil {
		return err
	}
	return os.Rename(i.fresh(), i.data())
}

// run runs one of PostgreSQL's programs; what it prints is in the error when it fails.
func (i instance) run(ctx context.Context, input *strings.Reader, program string, args ...string) error {
	_, err := i.output(ctx, input, program, args...)
	if err == nil {
		log.Printf("%s is done", program)
	}
	return err
}

// output runs one of PostgreSQL's programs and returns what it prints.
func (i instance) output(ctx context.Context, input *strings.Reader, program string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, filepath.Join(i.programs, program), args...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.Dir, command.SysProcAttr = i.volume, &syscall.SysProcAttr{Credential: i.account}
	// The program's own children may hold its output open for a moment after it was stopped.
	command.WaitDelay = time.Second
	if input != nil {
		command.Stdin = input
	}
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(output.String()))
	}
	return output.String(), nil
}
