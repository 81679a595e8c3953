package inbox_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/shodo-ecosystem/fukkyu/lab/inbox"
)

func post(t *testing.T, s *inbox.Service, path, body string) int {
	t.Helper()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	return answer.Code
}

func TestInbox_MessagesOfSeveralChannels_AreKeptInTheirOrder(t *testing.T) {
	s := &inbox.Service{File: filepath.Join(t.TempDir(), "inbox.jsonl")}
	require.Equal(t, http.StatusAccepted, post(t, s, "/pager", `{"summary": "一\n二"}`))
	require.Equal(t, http.StatusAccepted, post(t, s, "/chat", `{}`))
	got, err := inbox.Read(s.File)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "pager", got[0].Channel)
	require.JSONEq(t, `{"summary": "一\n二"}`, string(got[0].Body))
	require.Equal(t, "chat", got[1].Channel)
}

func TestInbox_WhatIsNoMessage_IsRefusedAndNotKept(t *testing.T) {
	s := &inbox.Service{File: filepath.Join(t.TempDir(), "inbox.jsonl")}
	require.Equal(t, http.StatusBadRequest, post(t, s, "/pager", `{"summary": `))
	require.Equal(t, http.StatusNotFound, post(t, s, "/", `{}`))
	got, err := inbox.Read(s.File)
	require.NoError(t, err)
	require.Empty(t, got)
}
