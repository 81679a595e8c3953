package objectstore_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/objectstore"
	"github.com/shodo-ecosystem/fukkyu/lab/topology"
)

const (
	patience = 10 * time.Second
	often    = 10 * time.Millisecond
)

// serving is an object store that runs.
func serving(t *testing.T) objectstore.Service {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	store := objectstore.Service{Address: free.Addr().String(), Folder: topology.Folder(t.TempDir())}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return store
}

// ask says what its health path answers within the time; each on a connection of its own.
func ask(t *testing.T, store objectstore.Service, within time.Duration) (status int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+store.Address+objectstore.HealthPath, nil)
	require.NoError(t, err)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func awaitWell(t *testing.T, store objectstore.Service) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, err := ask(t, store, patience)
		return err == nil && status == http.StatusOK
	}, patience, often)
}

func TestServe_Unavailable_Answers503UntilItIsMended(t *testing.T) {
	store := serving(t)
	awaitWell(t, store)
	require.NoError(t, objectstore.Break(store.Folder, objectstore.Unavailable))
	status, err := ask(t, store, patience)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NoError(t, objectstore.Mend(store.Folder))
	awaitWell(t, store)
}

func TestServe_Refuse_NothingListensUntilItIsMended(t *testing.T) {
	store := serving(t)
	awaitWell(t, store)
	require.NoError(t, objectstore.Break(store.Folder, objectstore.Refuse))
	require.Eventually(t, func() bool {
		_, err := ask(t, store, patience)
		return errors.Is(err, syscall.ECONNREFUSED) // who knocks while it closes is reset
	}, patience, often)
	require.NoError(t, objectstore.Mend(store.Folder))
	awaitWell(t, store)
}

func TestServe_Hang_TakesTheRequestAndAnswersWhenItIsMended(t *testing.T) {
	store := serving(t)
	awaitWell(t, store)
	require.NoError(t, objectstore.Break(store.Folder, objectstore.Hang))
	_, err := ask(t, store, 50*time.Millisecond)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	answered := make(chan int, 1)
	go func() {
		status, _ := ask(t, store, patience)
		answered <- status
	}()
	require.NoError(t, objectstore.Mend(store.Folder))
	require.Equal(t, http.StatusOK, <-answered)
}

func TestBreak_NoSuchFault_NamesThose(t *testing.T) {
	folder := topology.Folder(t.TempDir())
	require.ErrorContains(t, objectstore.Break(folder, "melt"), "it can be refuse, hang or 503")
	require.Empty(t, objectstore.Broken(folder))
	require.NoError(t, objectstore.Mend(folder), "what is well stays well")
}
