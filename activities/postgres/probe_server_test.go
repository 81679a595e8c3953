//go:build integration

package postgres_test

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func probe(t *testing.T, activities *postgres.Activities, instance postgres.Instance, timeout time.Duration) (postgres.ProbeServerResult, time.Duration) {
	t.Helper()
	began := time.Now()
	result, err := activities.ProbeServer(t.Context(), postgres.ProbeServerParams{Database: "shodo", Catalog: pgtest.Catalog, Instance: instance, Timeout: timeout})
	require.NoError(t, err)
	return result, time.Since(began)
}

func TestProbeServer_OfAServerThatServes_HearsTCPAndSQL(t *testing.T) {
	estate := pgtest.Start(t, 0)
	result, _ := probe(t, activities(), at(estate.Primary), 5*time.Second)
	require.Equal(t, postgres.ProbeServerResult{TCP: true, SQL: true, Said: "it answers SQL"}, result)
}

func TestProbeServer_WithAWrongPassword_StillHearsAServer(t *testing.T) {
	estate := pgtest.Start(t, 0)
	stranger := postgres.New(fixedCredentials{pgtest.User, "wrong"})
	result, _ := probe(t, stranger, at(estate.Primary), 5*time.Second)
	require.True(t, result.TCP)
	require.True(t, result.SQL)
	require.Contains(t, result.Said, "password authentication failed")
	require.NotContains(t, result.Said, "wrong")
}

func TestProbeServer_OfAServerThatIsStarting_HearsAServer(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	replica.Stop()
	replica.Configure("hot_standby = off") // it starts and never lets anybody in, which holds still for a test
	replica.Launch()
	var result postgres.ProbeServerResult
	require.Eventually(t, func() bool {
		result, _ = probe(t, activities(), at(replica), time.Second)
		return result.SQL
	}, 10*time.Second, 10*time.Millisecond)
	require.True(t, result.TCP)
	require.Contains(t, result.Said, "the database system is")
}

func TestProbeServer_OfAClosedPort_IsRefusedAtOnce(t *testing.T) {
	listener := listen(t)
	instance := instanceOf(listener)
	require.NoError(t, listener.Close())
	result, took := probe(t, activities(), instance, 5*time.Second)
	require.False(t, result.TCP)
	require.False(t, result.SQL)
	require.Contains(t, result.Said, "connection refused")
	require.Less(t, took, time.Second)
}

func TestProbeServer_OfAListenerThatNeverAnswers_HearsTCPOnlyAndEndsAtItsTimeout(t *testing.T) {
	result, took := probe(t, activities(), instanceOf(listen(t)), 300*time.Millisecond)
	require.True(t, result.TCP)
	require.False(t, result.SQL)
	require.Contains(t, result.Said, "no server answers within 300ms")
	requireNear(t, 300*time.Millisecond, took)
}

func TestProbeServer_OfAnAddressThatDropsEverything_EndsAtItsTimeout(t *testing.T) {
	result, took := probe(t, activities(), instanceOf(blackHole(t)), 300*time.Millisecond)
	require.False(t, result.TCP)
	require.False(t, result.SQL)
	require.Contains(t, result.Said, "no answer")
	requireNear(t, 300*time.Millisecond, took)
}

func TestProbeServer_OfAFrozenServer_EndsAtItsTimeout(t *testing.T) {
	estate := pgtest.Start(t, 0)
	estate.Primary.Freeze()
	result, took := probe(t, activities(), at(estate.Primary), 300*time.Millisecond)
	require.True(t, result.TCP, "the kernel accepts for a frozen process")
	require.False(t, result.SQL)
	requireNear(t, 300*time.Millisecond, took)
}

func TestProbeServer_OfAPodWithoutAddress_SaysSo(t *testing.T) {
	result, _ := probe(t, activities(), postgres.Instance{Pod: "pending"}, time.Second)
	require.Equal(t, postgres.ProbeServerResult{Said: "its pod has no address"}, result)
}

// requireNear allows for what two busy cores and the goodbye of a connection take.
func requireNear(t *testing.T, timeout, took time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, took, timeout-10*time.Millisecond)
	require.Less(t, took, timeout+400*time.Millisecond)
}

// listen accepts connections, because the kernel does, and never reads from them.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func instanceOf(listener net.Listener) postgres.Instance {
	return postgres.Instance{Pod: "listener", Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
}

// blackHole is a port whose queue of connections is full: the kernel drops what more arrives without an answer, as the
// network does for a machine that is gone.
func blackHole(t *testing.T) net.Listener {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(socket, 0))
	file := os.NewFile(uintptr(socket), "black hole")
	listener, err := net.FileListener(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	t.Cleanup(func() { _ = listener.Close() })
	for {
		conn, err := net.DialTimeout("tcp", listener.Addr().String(), 100*time.Millisecond)
		if err != nil {
			return listener // full
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}
