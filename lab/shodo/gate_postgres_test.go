//go:build integration

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/pgtest"
)

const (
	former    = "postgres-primary-0"
	successor = "postgres-replica-0"
	superuser = "fukkyu"
	password  = "for-tests-only"
)

// place is an empty instance of one pod.
func place(t *testing.T, pod string) instance {
	for _, variable := range []string{"SUPERUSER_PASSWORD", "SHODO_PASSWORD", "REPLICATOR_PASSWORD", "FUKKYU_PASSWORD"} {
		t.Setenv(variable, password)
	}
	return instance{pod: pod, volume: pgtest.Folder(t), programs: pgtest.Programs(t), account: pgtest.Account()}
}

// primary is an instance that was let in as the estate's first, with one row, and its server.
func primary(t *testing.T) (instance, *pgtest.Server) {
	first := place(t, former)
	did, err := first.obey(t.Context(), role{primary: former})
	require.NoError(t, err)
	require.Equal(t, initialise, did)
	server := pgtest.Serve(t, first.data(), superuser, password)
	server.Query("INSERT INTO writes (number, note) VALUES (1, 'shared')")
	return first, server
}

// leadTo makes the Service lead to a server.
func leadTo(t *testing.T, server *pgtest.Server) {
	t.Setenv("PRIMARY_SERVICE", server.Host)
	t.Setenv("PGPORT", strconv.Itoa(server.Port))
}

func TestGate_FirstStart_MakesADatabaseThatTheApplicationMayWriteTo(t *testing.T) {
	_, server := primary(t)
	server.User = "shodo"
	server.Query("INSERT INTO writes (number, note) VALUES (2, 'as the application')")
	require.Equal(t, "f", server.Query("SELECT pg_is_in_recovery()"))
	require.Equal(t, "2", server.Query("SELECT count(*) FROM writes"))
}

func TestGate_ACopyThatWasInterrupted_IsBegunAgain(t *testing.T) {
	_, server := primary(t)
	leadTo(t, server)
	replica := place(t, successor)

	// A copy begins with a checkpoint, so it lasts as long as the checkpointer is stopped.
	checkpointer, err := strconv.Atoi(server.Query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(checkpointer, syscall.SIGSTOP))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := replica.obey(ctx, role{primary: former})
		ended <- err
	}()
	begun := func() bool { _, err := os.Stat(replica.fresh()); return err == nil }
	require.Eventually(t, begun, 20*time.Second, time.Millisecond)
	cancel()
	require.Error(t, <-ended)
	require.NoDirExists(t, replica.data(), "half a copy must never be taken for a data directory")
	require.NoError(t, os.WriteFile(filepath.Join(replica.fresh(), "half"), nil, 0o600))
	require.NoError(t, syscall.Kill(checkpointer, syscall.SIGCONT))

	did, err := replica.obey(t.Context(), role{primary: former})
	require.NoError(t, err)
	require.Equal(t, clone, did)
	require.NoFileExists(t, filepath.Join(replica.data(), "half"))
	copied := pgtest.Serve(t, replica.data(), superuser, password)
	copied.Await("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
	require.Equal(t, "1", copied.Query("SELECT count(*) FROM writes"))
}

func TestGate_AFormerPrimary_KeepsTheRowsThatNobodyElseHasAndFollowsItsSuccessor(t *testing.T) {
	old, oldServer := primary(t)
	leadTo(t, oldServer)
	replica := place(t, successor)
	_, err := replica.obey(t.Context(), role{primary: former})
	require.NoError(t, err)
	newServer := pgtest.Serve(t, replica.data(), superuser, password)
	newServer.Await("SELECT count(*) FROM writes", "1")
	newServer.Crash()
	oldServer.Query("INSERT INTO writes (number, note) VALUES (2, 'only here')")
	oldServer.Crash()

	newServer = pgtest.Serve(t, replica.data(), superuser, password)
	require.Equal(t, "t", newServer.Query("SELECT pg_promote()"))
	newServer.Query("INSERT INTO writes (number, note) VALUES (3, 'after the failover')")
	leadTo(t, newServer)

	did, err := old.obey(t.Context(), role{epoch: 1})
	require.NoError(t, err)
	require.Equal(t, hold, did, "nobody may be primary between fence and promotion")
	did, err = old.obey(t.Context(), role{primary: successor, epoch: 1})
	require.NoError(t, err)
	require.Equal(t, setAside, did)
	follower := pgtest.Serve(t, old.data(), superuser, password)
	follower.Await("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "1")
	require.Equal(t, "t", follower.Query("SELECT pg_is_in_recovery()"))
	require.Equal(t, "1,3", follower.Query("SELECT string_agg(number::text, ',' ORDER BY number) FROM writes"))

	kept, err := filepath.Glob(filepath.Join(old.aside(), "*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	looked := filepath.Join(old.volume, "looked-at") // the gate of a test may be root's, its folder then is not the server's
	require.NoError(t, os.Rename(kept[0], looked))
	require.Equal(t, "1,2", pgtest.Serve(t, looked, superuser, password).Query("SELECT string_agg(number::text, ',' ORDER BY number) FROM writes"))
}

func TestGate_NoPrimaryToCopyFrom_LeavesTheOldDataAsideAndTriesAgain(t *testing.T) {
	old, server := primary(t)
	leadTo(t, server)
	server.Crash()
	did, err := old.obey(t.Context(), role{primary: successor, epoch: 1})
	require.Equal(t, setAside, did)
	require.ErrorContains(t, err, "pg_basebackup")
	did, err = old.obey(t.Context(), role{primary: successor, epoch: 1})
	require.Equal(t, clone, did, "the data directory is set aside once")
	require.ErrorContains(t, err, "pg_basebackup")
	kept, err := filepath.Glob(filepath.Join(old.aside(), "*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
}
