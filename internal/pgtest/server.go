package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is one PostgreSQL server.
type Server struct {
	Name string
	Host string
	Port int

	estate  *Estate
	data    string
	command *exec.Cmd
	ended   chan struct{} // closed when the server's first process is gone
	log     *syncBuffer
}

// settings of every server: no fsync, because a test's data survives nothing, and quick steps everywhere else.
const settings = `
listen_addresses = '127.0.0.1'
fsync = off
jit = off
shared_buffers = 16MB
autovacuum = off
wal_level = replica
wal_keep_size = 64MB
min_wal_size = 8MB
wal_retrieve_retry_interval = 100ms
wal_receiver_status_interval = 1s
`

// copyData fills the server's folder from another one's, which must not be running.
func (s *Server) copyData(from string) {
	s.estate.t.Helper()
	if err := os.CopyFS(s.data, os.DirFS(from)); err != nil {
		s.estate.t.Fatalf("copy the data of %s: %s", s.Name, err)
	}
	if err := os.Chmod(s.data, 0o700); err != nil {
		s.estate.t.Fatalf("close the folder of %s: %s", s.Name, err)
	}
	s.Configure(settings + fmt.Sprintf("cluster_name = '%s'\nport = %d\nunix_socket_directories = '%s'\n", s.Name, s.Port, s.estate.folder))
	giveAway(s.estate.t, s.data)
}

// Configure appends lines to the server's configuration; it reads them when it starts.
func (s *Server) Configure(lines string) {
	file, err := os.OpenFile(filepath.Join(s.data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(lines + "\n")
		err = first(err, file.Close())
	}
	if err != nil {
		s.estate.t.Fatalf("configure %s: %s", s.Name, err)
	}
}

// Follow makes the server a replica of another one; it becomes so when it starts.
func (s *Server) Follow(primary *Server) {
	s.Configure(fmt.Sprintf("primary_conninfo = 'host=%s port=%d user=%s password=%s'", primary.Host, primary.Port, User, Password))
	signal := filepath.Join(s.data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		s.estate.t.Fatalf("make %s a replica: %s", s.Name, err)
	}
	giveAway(s.estate.t, signal)
}

// Launch starts the server and does not wait for it.
func (s *Server) Launch() {
	s.estate.t.Helper()
	s.log = &syncBuffer{}
	s.command = exec.Command(filepath.Join(s.estate.programs.folder, "postgres"), "-D", s.data)
	s.command.Env, s.command.Dir = s.estate.programs.environment, "/"
	s.command.Stdout, s.command.Stderr = s.log, s.log
	s.command.SysProcAttr = &syscall.SysProcAttr{Credential: credential(), Pdeathsig: syscall.SIGKILL}
	// The pipe of the output is not waited for: orphans that still hold it end by themselves when they see their parent gone.
	s.command.WaitDelay = time.Second
	if err := launch(s.command); err != nil {
		s.estate.t.Fatalf("start %s: %s", s.Name, err)
	}
	s.ended = make(chan struct{})
	go func(command *exec.Cmd, ended chan<- struct{}) {
		_ = command.Wait() // how it ended is in its log
		close(ended)
	}(s.command, s.ended)
	s.estate.t.Cleanup(s.Kill)
}

// Start starts the server and waits until it answers.
func (s *Server) Start() {
	s.estate.t.Helper()
	s.Launch()
	s.Await("its first answer", "SELECT 1", "1")
}

// Kill ends the server and all its processes at once, as a machine that loses power does. Killing a dead one is harmless.
func (s *Server) Kill() {
	if s.command == nil || s.hasEnded() {
		return
	}
	// The parent first, lest it start new ones; stopped, so that the children are still known as its own.
	_ = s.command.Process.Signal(syscall.SIGSTOP)
	for _, child := range children(s.command.Process.Pid) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = s.command.Process.Kill()
	<-s.ended
	s.command = nil
}

func (s *Server) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Stop ends the server cleanly: a fast shutdown, after which its replicas have everything.
func (s *Server) Stop() {
	_ = s.command.Process.Signal(syscall.SIGINT)
	<-s.ended
	s.command = nil
}

// Freeze stops all processes of the server where they are: it accepts connections and never answers.
func (s *Server) Freeze() { s.signalAll(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signalAll(syscall.SIGCONT) }

func (s *Server) signalAll(signal syscall.Signal) {
	_ = s.command.Process.Signal(signal)
	for _, child := range children(s.command.Process.Pid) {
		_ = syscall.Kill(child, signal)
	}
}

// Query runs SQL and returns the first column of the first row as text.
func (s *Server) Query(sql string) string {
	s.estate.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := s.try(ctx, sql)
	if err != nil {
		s.estate.t.Fatalf("ask %s %q: %s\n%s", s.Name, sql, err, s.log)
	}
	return answer
}

// Await asks again and again until the answer is the one wanted.
func (s *Server) Await(what, sql, want string) {
	s.estate.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		answer, err := s.try(ctx, sql)
		if err == nil && answer == want {
			return
		}
		select {
		case <-s.ended:
			s.estate.t.Fatalf("wait for %s of %s: the server ended\n%s", what, s.Name, s.log)
		case <-ctx.Done():
			s.estate.t.Fatalf("wait for %s of %s: not within %s; last %q, %v\n%s", what, s.Name, patience, answer, err, s.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) try(ctx context.Context, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

// URL is how to connect to the server with the role of the tests.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", User, Password, s.Host, s.Port, Catalog)
}

// Data is the server's data directory.
func (s *Server) Data() string { return s.data }

// Log is what the server has said since it was started.
func (s *Server) Log() string { return s.log.String() }

// syncBuffer is written by a server and read by a test.
type syncBuffer struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.Write(text)
}

func (b *syncBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return strings.TrimSpace(b.buffer.String())
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
