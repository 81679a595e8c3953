package process_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/process"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

func sleeping(t *testing.T) (*exec.Cmd, process.Process) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	p, err := process.Of(command.Process.Pid)
	require.NoError(t, err)
	return command, p
}

func TestProcess_ThatEndedAndWasNotWaitedForIsNotAlive(t *testing.T) {
	_, p := sleeping(t)
	require.True(t, p.Alive())
	require.NoError(t, p.Signal(syscall.SIGKILL))
	require.NoError(t, p.Gone(t.Context()))
	require.False(t, p.Alive())
}

func TestProcess_WithTheNumberOfAnotherIsNeitherAliveNorSignalled(t *testing.T) {
	_, p := sleeping(t)
	stranger := process.Process{PID: p.PID, Start: "1"}
	require.False(t, stranger.Alive())
	require.NoError(t, stranger.Signal(syscall.SIGKILL))
	require.True(t, p.Alive())
}

func TestProcess_IsReadBackFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	_, alive, err := process.ReadAlive(path)
	require.NoError(t, err)
	require.False(t, alive, "no file, no process")

	_, p := sleeping(t)
	require.NoError(t, p.Write(path))
	read, alive, err := process.ReadAlive(path)
	require.NoError(t, err)
	require.True(t, alive)
	require.Equal(t, p, read)

	require.NoError(t, os.WriteFile(path, []byte("12"), 0o600))
	_, _, err = process.ReadAlive(path)
	require.ErrorContains(t, err, "want a number and a start time")
}

func TestDaemon_IsStartedOnceAndStoppedWithAllOthers(t *testing.T) {
	folder := topology.Folder(t.TempDir())
	daemon := process.Daemon{Folder: folder, Name: "sleeper"}
	require.NoError(t, daemon.Start("sleep", "60"))
	first, running := daemon.Running()
	require.True(t, running)
	require.NoError(t, daemon.Start("sleep", "60"))
	second, _ := daemon.Running()
	require.Equal(t, first, second)

	require.NoError(t, process.StopAll(t.Context(), folder))
	require.False(t, first.Alive())
	require.NoError(t, daemon.Stop(t.Context()), "what is stopped can be stopped")
}

func TestDaemon_ThatIgnoresTheRequestToEndIsKilled(t *testing.T) {
	_, p := sleeping(t)
	require.NoError(t, p.Signal(syscall.SIGSTOP)) // a stopped process does not see the request
	require.NoError(t, p.Stop(t.Context(), 20*time.Millisecond))
	require.False(t, p.Alive())
}
