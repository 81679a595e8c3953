// Package pgtest runs real PostgreSQL servers for tests: a primary and its streaming replicas, each in a folder of its own,
// on free ports of the loopback interface, gone with the test.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The role that tests log in with, a superuser.
const (
	User     = "fukkyu"
	Password = "for-tests-only"
	Catalog  = "postgres"
)

// patience bounds every wait of this package. Two busy cores start a server in well under a second.
const patience = 20 * time.Second

// Estate is a primary and its replicas.
type Estate struct {
	Primary  *Server
	Replicas []*Server

	t        testing.TB
	programs programs
	folder   string
}

// Start begins a primary and replicas that stream from it, and returns when all of them do.
func Start(t testing.TB, replicas int) *Estate {
	t.Helper()
	folder, err := os.MkdirTemp("", "pgtest-") // not t.TempDir, into which the servers' user could not look
	if err != nil {
		t.Fatalf("make a folder for PostgreSQL servers: %s", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	e := &Estate{t: t, programs: findPrograms(t), folder: folder}
	giveAway(t, folder)
	e.Primary = e.server("primary")
	e.Primary.copyData(template(t, e.programs))
	e.Primary.Start()
	for i := range replicas {
		replica := e.server(fmt.Sprintf("replica-%d", i))
		replica.copyData(template(t, e.programs))
		replica.Follow(e.Primary)
		replica.Launch()
		e.Replicas = append(e.Replicas, replica)
	}
	for _, replica := range e.Replicas {
		replica.Await("its receiver", "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
	}
	return e
}

// server is one that was never started, on a free port.
func (e *Estate) server(name string) *Server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatalf("find a free port: %s", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // the port is all that was wanted
	return &Server{Name: name, Host: "127.0.0.1", Port: port, estate: e, data: filepath.Join(e.folder, name)}
}

// The template is an empty, cleanly stopped server. A copy of it is a primary, and a copy of the same is a base backup, which
// spares every test a second.
var (
	templateOnce   sync.Once
	templateFolder string
)

func template(t testing.TB, programs programs) string {
	templateOnce.Do(func() {
		folder, err := os.MkdirTemp("", "pgtest-template-")
		if err != nil {
			t.Fatalf("make a folder for the template: %s", err)
		}
		password := filepath.Join(folder, "password")
		if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
			t.Fatalf("write the password of the template: %s", err)
		}
		giveAway(t, folder)
		data := filepath.Join(folder, "data")
		run(t, programs, "initdb", "--no-sync", "--username="+User, "--pwfile="+password, "--auth=scram-sha-256",
			"--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--pgdata="+data)
		templateFolder = data
	})
	if templateFolder == "" {
		t.Fatal("there is no template, because an earlier test could not make it")
	}
	return templateFolder
}

// RemoveTemplate removes what tests share; call it at the end of TestMain.
func RemoveTemplate() {
	if templateFolder != "" {
		_ = os.RemoveAll(filepath.Dir(templateFolder))
	}
}

// run runs one of PostgreSQL's programs to its end.
func run(t testing.TB, programs programs, name string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(programs.folder, name), arguments...)
	command.Env, command.Dir = programs.environment, "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential()}
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("run %s: %s\n%s", name, err, said)
	}
}

// Folder is where the servers' data is, a place that they and the test can read.
func (e *Estate) Folder() string { return e.folder }
