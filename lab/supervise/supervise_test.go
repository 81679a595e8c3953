package supervise

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 10 * time.Second
	often    = 5 * time.Millisecond
)

// running is a machine with one service, which does nothing for a long time.
func running(t *testing.T) (*Init, *unit) {
	t.Helper()
	i := New(t.TempDir(), t.TempDir())
	i.Add(Service{Name: "sleeper", Command: []string{"/bin/sleep", "600"}})
	u := i.units[0]
	require.NotZero(t, u.pid)
	t.Cleanup(func() {
		if u.pid != 0 {
			require.NoError(t, syscall.Kill(u.pid, syscall.SIGKILL))
			_, err := syscall.Wait4(u.pid, nil, 0, nil)
			require.NoError(t, err)
		}
	})
	return i, u
}

// standing says whether the process is stopped, as the kernel has it.
func standing(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(stat), ") ")
	require.True(t, found)
	return strings.HasPrefix(after, "T")
}

// awaits settles the service until it stands still, or does not.
func awaits(t *testing.T, i *Init, u *unit, still bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		i.settle(u)
		return standing(t, u.pid) == still
	}, patience, often)
}

func TestSettle_SlowService_StandsStillAndWorksInTurnUntilItIsMended(t *testing.T) {
	i, u := running(t)
	slow := Slow(i.Switches, "sleeper")
	require.NoError(t, os.WriteFile(slow, []byte("20ms"), 0o644))
	require.Equal(t, 20*time.Millisecond, Pause(i.Switches, "sleeper"))
	for range 2 {
		awaits(t, i, u, true)
		awaits(t, i, u, false)
	}
	require.NoError(t, os.WriteFile(slow, []byte("1h"), 0o644))
	awaits(t, i, u, true)
	require.NoError(t, os.Remove(slow))
	awaits(t, i, u, false)
	require.Zero(t, Pause(i.Switches, "sleeper"))
}

func TestSettle_SlowServiceIsSwitchedOff_EndsAllTheSame(t *testing.T) {
	i, u := running(t)
	require.NoError(t, os.WriteFile(Slow(i.Switches, "sleeper"), []byte("1h"), 0o644))
	awaits(t, i, u, true)
	require.NoError(t, os.WriteFile(Switch(i.Switches, "sleeper"), nil, 0o644))
	i.settle(u)
	ended, err := syscall.Wait4(u.pid, nil, 0, nil)
	require.NoError(t, err)
	require.Equal(t, u.pid, ended)
	u.pid = 0
}

func TestPause_HalfWritten_IsNone(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(Slow(folder, "sleeper"), []byte("2"), 0o644))
	require.Zero(t, Pause(folder, "sleeper"))
}
