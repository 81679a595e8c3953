package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPauseProgram_RunsUntilItIsKilled(t *testing.T) {
	program, err := pauseProgram()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(path, program, 0o755))
	command := exec.CommandContext(t.Context(), path)
	require.NoError(t, command.Start())

	stat := fmt.Sprintf("/proc/%d/stat", command.Process.Pid)
	require.Eventually(t, func() bool {
		state, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(state), ") S ")
	}, 5*time.Second, time.Millisecond, "it sleeps in the kernel")

	require.NoError(t, command.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, command.Wait(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "it ended by the kill and not by itself")
}
