package pgtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// programs is where PostgreSQL's programs are and what they need to run. The packages may be installed, or only unpacked in
// a folder that FUKKYU_PACKAGES names: PostgreSQL finds its own files relative to its programs.
type programs struct {
	folder      string
	environment []string
}

func findPrograms(t testing.TB) programs {
	root := os.Getenv("FUKKYU_PACKAGES")
	found := programs{folder: filepath.Join(root, "/usr/lib/postgresql/15/bin"), environment: []string{"TZ=UTC", "LC_ALL=C"}}
	if root != "" {
		machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
		found.environment = append(found.environment, "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib", machine+"-linux-gnu"))
	}
	if _, err := os.Stat(filepath.Join(found.folder, "postgres")); err != nil {
		t.Fatalf("find PostgreSQL 15: %s; install the package postgresql-15, or unpack it and set FUKKYU_PACKAGES to the folder", err)
	}
	return found
}

// nobody owns the servers when the tests run as root, as whom PostgreSQL refuses to run. initdb wants a user that the
// machine knows, and this one is known everywhere.
const nobody = 65534

func credential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// giveAway lets the servers' user own a folder and what is in it.
func giveAway(t testing.TB, folder string) {
	if os.Getuid() != 0 {
		return
	}
	err := filepath.Walk(folder, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatalf("give %s to the servers' user: %s", folder, err)
	}
}

// Command prepares a program to be run as the servers' user, with PostgreSQL's programs first on its path.
func (e *Estate) Command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	// Looked up here, because the machine may have programs of another version on its own path.
	if path := filepath.Join(e.programs.folder, name); exists(path) {
		name = path
	}
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env = append(command.Env, e.programs.environment...)
	command.Env = append(command.Env, "PATH="+e.programs.folder+":"+os.Getenv("PATH"))
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential()}
	return command
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
