//go:build integration

// Package redistest runs real Redis servers for tests.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// Host is where all servers listen.
const Host = "127.0.0.1"

// Server is one Redis server, which ends with its test.
type Server struct{ Port int }

// Start starts a server with further settings, as on its command line, and does not wait for it. The package may be installed, or
// only unpacked in a folder that FUKKYU_PACKAGES names.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	port := freePort(t)
	arguments := append([]string{"--port", strconv.Itoa(port), "--bind", Host, "--dir", t.TempDir(), "--save", "", "--repl-diskless-sync-delay", "0"}, settings...)
	root := os.Getenv("FUKKYU_PACKAGES")
	command := exec.Command(filepath.Join(root, "/usr/bin/redis-server"), arguments...)
	if root != "" {
		machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
		command.Env = append(command.Env, "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib", machine+"-linux-gnu"))
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start Redis: %s; install the package redis-server, or unpack it and set FUKKYU_PACKAGES to the folder", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return &Server{Port: port}
}

// Of returns the settings of a replica of the server.
func (s *Server) Of() []string { return []string{"--replicaof", Host + " " + strconv.Itoa(s.Port)} }

func freePort(t testing.TB) int {
	listener, err := net.Listen("tcp", Host+":0")
	if err != nil {
		t.Fatalf("find a free port: %s", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
