//go:build integration

package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/activities/failure"
	"github.com/shodo-ecosystem/fukkyu/internal/pgtest"
)

func TestPromote_CalledTwice_PromotesOnce(t *testing.T) {
	estate := pgtest.Start(t, 1)
	estate.Primary.Kill()
	params := promotion(t, estate.Replicas[0])

	first, err := activities().Promote(t.Context(), params)
	require.NoError(t, err)
	second, err := activities().Promote(t.Context(), params)
	require.NoError(t, err)

	require.False(t, first.Already)
	require.Equal(t, uint32(2), first.Timeline)
	require.True(t, second.Already)
	require.Equal(t, first.Timeline, second.Timeline)
	require.GreaterOrEqual(t, second.LSN, first.LSN)
	estate.Replicas[0].Query("CREATE TABLE writable (id int)")
	t.Logf("promotion took %s, recognising it %s", first.Took, second.Took)
}

func TestPromote_ThatTimedOutAndIsUnderWay_IsWaitedForAndNotCalledAgain(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	held := holdPromotion(t, estate, replica)
	params := promotion(t, replica)
	params.Patience = time.Second

	_, err := activities().Promote(t.Context(), params)
	requireFailure(t, err, failure.NotReady, false, "still in recovery")
	_, err = activities().Promote(t.Context(), params)
	requireFailure(t, err, failure.NotReady, false, "still in recovery")

	held.letGo()
	params.Patience = 20 * time.Second
	result, err := activities().Promote(t.Context(), params)
	require.NoError(t, err)
	require.True(t, result.Already)
	require.Equal(t, uint32(2), result.Timeline)
}

func TestPromote_ThatTimedOutButHappened_IsRecognised(t *testing.T) {
	estate := pgtest.Start(t, 1)
	replica := estate.Replicas[0]
	held := holdPromotion(t, estate, replica)
	params := promotion(t, replica)
	params.Patience = time.Second
	_, err := activities().Promote(t.Context(), params)
	requireFailure(t, err, failure.NotReady, false, "still in recovery")
	held.letGo()
	replica.Await("its promotion", "SELECT pg_is_in_recovery()", "f")

	result, err := activities().Promote(t.Context(), params)

	require.NoError(t, err)
	require.True(t, result.Already)
	require.Equal(t, uint32(2), result.Timeline)
}

func TestPromote_OfAnotherDatabaseSystem_IsRefusedForGood(t *testing.T) {
	estate := pgtest.Start(t, 1)
	params := promotion(t, estate.Replicas[0])
	params.SystemID = "7000000000000000001"

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.Unexpected, true, "belongs to database system")
	require.Equal(t, "t", estate.Replicas[0].Query("SELECT pg_is_in_recovery()"))
}

func TestPromote_OfAReplicaThatFollowsANewerTimeline_IsRefusedForGood(t *testing.T) {
	estate := pgtest.Start(t, 2)
	params := promotion(t, estate.Replicas[1])
	moveOn(t, estate.Primary, estate.Replicas[0], estate.Replicas[1])

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.Unexpected, true, "follows timeline 2, not 1")
	require.Equal(t, "t", estate.Replicas[1].Query("SELECT pg_is_in_recovery()"))
}

// Such a replica cannot be told from one whose promotion is under way: it is waited for, and must never be promoted.
func TestPromote_OfAReplicaWhoseNewerPrimaryIsGone_DoesNotPromoteIt(t *testing.T) {
	estate := pgtest.Start(t, 2)
	params := promotion(t, estate.Replicas[1])
	moveOn(t, estate.Primary, estate.Replicas[0], estate.Replicas[1])
	estate.Replicas[0].Kill()
	estate.Replicas[1].Await("the end of its receiver", "SELECT count(*) FROM pg_stat_wal_receiver", "0")
	params.Patience = oneLook

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.NotReady, false, "still in recovery")
	require.Equal(t, "t", estate.Replicas[1].Query("SELECT pg_is_in_recovery()"))
}

func TestPromote_OfAPrimaryThatNeverLeftTheTimeline_IsRefusedForGood(t *testing.T) {
	estate := pgtest.Start(t, 0)
	params := promotion(t, estate.Primary)

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.Unexpected, true, "primary already, on timeline 1")
}

func TestPromote_OfADeadServer_IsTriedAgain(t *testing.T) {
	estate := pgtest.Start(t, 1)
	params := promotion(t, estate.Replicas[0])
	estate.Replicas[0].Kill()

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.Unreachable, false, "replica-0")
}

func TestPromote_OfAServerThatHangs_EndsWithItsPatience(t *testing.T) {
	estate := pgtest.Start(t, 1)
	params := promotion(t, estate.Replicas[0])
	params.Patience = 300 * time.Millisecond
	estate.Replicas[0].Freeze()
	began := time.Now()

	_, err := activities().Promote(t.Context(), params)

	requireFailure(t, err, failure.Unreachable, false, "no answer in time")
	require.Less(t, time.Since(began), 2*time.Second)
}

// held is a promotion that does not end before it is let go.
type held struct {
	t    *testing.T
	path string
}

// holdPromotion lets the replica's promotion wait at its last step: the new timeline is there, and the server still says that it
// recovers. A slow disk does the same to it for a moment.
func holdPromotion(t *testing.T, estate *pgtest.Estate, replica *pgtest.Server) held {
	t.Helper()
	path := estate.Folder() + "/hold"
	write(t, path)
	replica.Stop()
	replica.Configure("recovery_end_command = 'while [ -e " + path + " ]; do sleep 0.02; done'")
	replica.Start()
	estate.Primary.Kill()
	return held{t: t, path: path}
}

func (h held) letGo() { remove(h.t, h.path) }

// moveOn replaces the old primary by the next and lets the last one follow it.
func moveOn(t *testing.T, old, next, last *pgtest.Server) {
	t.Helper()
	old.Stop()
	_, err := activities().Promote(t.Context(), promotion(t, next))
	require.NoError(t, err)
	last.Stop()
	last.Follow(next)
	last.Start()
	next.Query("CREATE TABLE moved_on (id int)")
	last.Await("the new timeline", "SELECT count(*) FROM pg_stat_wal_receiver WHERE received_tli = 2", "1")
}
