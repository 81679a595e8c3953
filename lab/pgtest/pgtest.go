// Package pgtest runs data directories as real PostgreSQL servers for tests. PostgreSQL refuses to run as root, so its programs
// get a user of their own when the tests have none.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every wait. Two busy cores start a server in well under a second.
const patience = 20 * time.Second

// nobody is a user that every machine knows, which initdb wants.
const nobody = 65534

// Account is the user of PostgreSQL's programs, nil when the tests' own will do.
func Account() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// Programs is the folder of PostgreSQL's programs: of the machine, or of the unpacked packages that FUKKYU_PACKAGES names. For
// those the test's environment gets what they need to find their libraries.
func Programs(t *testing.T) string {
	t.Helper()
	root := os.Getenv("FUKKYU_PACKAGES")
	if root != "" {
		machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
		t.Setenv("LD_LIBRARY_PATH", filepath.Join(root, "usr/lib", machine+"-linux-gnu"))
	}
	folder := filepath.Join(root, "/usr/lib/postgresql/15/bin")
	if _, err := os.Stat(filepath.Join(folder, "postgres")); err != nil {
		t.Fatalf("find PostgreSQL 15: %s; unpack it with: FUKKYU_PACKAGES=$(lab packages)", err)
	}
	return folder
}

// Folder is one that the programs' user owns. t.TempDir is one that this user could not reach.
func Folder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatalf("make a folder for PostgreSQL: %s", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if account := Account(); account != nil {
		if err := os.Chown(folder, int(account.Uid), int(account.Gid)); err != nil {
			t.Fatalf("give %s to the programs' user: %s", folder, err)
		}
	}
	return folder
}

// Server is a running one.
type Server struct {
	Host           string
	Port           int
	User, Password string // to ask it

	t       *testing.T
	command *exec.Cmd
	log     string // file
	ended   chan struct{}
}

// Serve runs a data directory on a free port of the loopback interface, and returns when it answers the user. It ends with the test.
func Serve(t *testing.T, data, user, password string) *Server {
	t.Helper()
	s := &Server{Host: "127.0.0.1", Port: freePort(t), User: user, Password: password, t: t, log: data + ".log", ended: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("open the log of a server: %s", err)
	}
	defer log.Close()
	s.command = exec.Command(filepath.Join(Programs(t), "postgres"), "-D", data, "-p", strconv.Itoa(s.Port), "-c", "fsync=off", "-c", "unix_socket_directories="+filepath.Dir(data))
	s.command.Dir, s.command.Stdout, s.command.Stderr = filepath.Dir(data), log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: Account()}
	if err := s.command.Start(); err != nil {
		t.Fatalf("start a server on %s: %s", data, err)
	}
	go func() {
		_ = s.command.Wait() // how it ended is in its log
		close(s.ended)
	}()
	t.Cleanup(s.Crash)
	s.Await("SELECT 1", "1")
	return s
}

// Crash ends the server and all its processes at once, without a checkpoint. Crashing one that has ended is harmless.
func (s *Server) Crash() {
	_ = s.command.Process.Signal(syscall.SIGQUIT)
	<-s.ended
}

// Query returns the first column of the first row as text.
func (s *Server) Query(sql string) string {
	s.t.Helper()
	answer, err := s.ask(sql)
	if err != nil {
		s.t.Fatalf("ask %q: %s\n%s", sql, err, s.said())
	}
	return answer
}

// Await asks until the answer is the one wanted.
func (s *Server) Await(sql, want string) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		answer, err := s.ask(sql)
		if err == nil && answer == want {
			return
		}
		select {
		case <-s.ended:
			s.t.Fatalf("ask %q: the server ended\n%s", sql, s.said())
		case <-deadline:
			s.t.Fatalf("ask %q: %q, %v after %s instead of %q\n%s", sql, answer, err, patience, want, s.said())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) ask(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://%s:%s@%s:%d/shodo?sslmode=disable", s.User, s.Password, s.Host, s.Port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

// said is the server's log, which is all there is to say why it does not answer.
func (s *Server) said() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %s", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
