package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wellHandler answers as a healthy service.
var wellHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
})

func TestPatient_EachSickness_AnswersAsItSays(t *testing.T) {
	for _, test := range []struct {
		sick, path string
		status     int
		body       string
	}{
		{"", "/health", http.StatusOK, `"status":"ok"`},
		{"never-ready", "/alive", http.StatusServiceUnavailable, "not ready yet"},
		{"never-ready", "/health", http.StatusServiceUnavailable, "not ready yet"},
		{"500", "/health", http.StatusInternalServerError, "something went wrong"},
		{"500", "/alive", http.StatusOK, `"status":"ok"`},
		{"wrong-body", "/health", http.StatusOK, "confused"},
		{"wrong-body", "/alive", http.StatusOK, `"status":"ok"`},
	} {
		t.Setenv(sickVariable, test.sick)
		p, err := newPatient(wellHandler)
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, test.path, nil))
		require.Equal(t, test.status, answer.Code, test)
		require.Contains(t, answer.Body.String(), test.body, test)
	}
}

func TestPatient_ThatHangs_AnswersNothingUntilTheCustomerLeaves(t *testing.T) {
	t.Setenv(sickVariable, "hang")
	p, err := newPatient(wellHandler)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	answer, answered := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(answered)
		p.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/alive", nil).WithContext(ctx))
	}()
	select {
	case <-answered:
		t.Fatal("it answered")
	case <-time.After(20 * time.Millisecond):
	}
	leave()
	<-answered
	require.Zero(t, answer.Body.Len())
}

func TestPatient_ThatCrashesOrIsNotKnown_NeverServes(t *testing.T) {
	t.Setenv(sickVariable, "crash")
	_, err := newPatient(wellHandler)
	require.ErrorIs(t, err, errCrash)
	t.Setenv(sickVariable, "flu")
	_, err = newPatient(wellHandler)
	require.ErrorContains(t, err, "SHODO_SICK=flu: want crash, never-ready")
}

func TestPatient_Signals_MakeItSickAndWellAgain(t *testing.T) {
	t.Setenv(sickVariable, "")
	p, err := newPatient(wellHandler)
	require.NoError(t, err)
	p.listen(t.Context())
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	for _, step := range []struct {
		sent   syscall.Signal
		status int
	}{{syscall.SIGUSR1, http.StatusInternalServerError}, {syscall.SIGUSR2, http.StatusOK}} {
		require.NoError(t, syscall.Kill(syscall.Getpid(), step.sent))
		require.Eventually(t, func() bool { return statusOf(server.URL) == step.status }, 5*time.Second, time.Millisecond)
	}
}

func statusOf(url string) int {
	response, err := http.Get(url + "/health")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func TestCheck_SaysWhatCurlWouldSay(t *testing.T) {
	for status, well := range map[int]bool{http.StatusOK: true, http.StatusNoContent: true, http.StatusNotFound: false, http.StatusServiceUnavailable: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		require.Equal(t, well, check(t.Context(), server.URL) == nil, status)
	}
	require.Error(t, check(t.Context(), "http://127.0.0.1:1/health"), "nobody listens there")
}
