//go:build browser

package report_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// browser is Chromium without a window, spoken to through the two pipes of its DevTools protocol: no port, no driver.
type browser struct {
	out      *os.File
	messages chan message
	session  string
	calls    int

	requested []string // what the page has asked for since it was opened
}

// message is one of the DevTools protocol: an answer when it has an ID, otherwise an event.
type message struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`

	SessionID string `json:"sessionId,omitempty"`
}

// openBrowser starts Chromium with an empty tab. It ends with the test.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	require.NoError(t, err, "install it: apt-get install chromium fonts-noto-cjk")
	theirs, out, err := os.Pipe()
	require.NoError(t, err)
	in, answers, err := os.Pipe()
	require.NoError(t, err)
	// Not t.TempDir: children of the browser may still write for a moment after it has ended, which is no failure of the test.
	profile, err := os.MkdirTemp("", "browser-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	command := exec.CommandContext(t.Context(), path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	command.ExtraFiles = []*os.File{theirs, answers} // 3: it reads, 4: it writes
	require.NoError(t, command.Start())
	require.NoError(t, theirs.Close())
	require.NoError(t, answers.Close())

	b := &browser{out: out, messages: make(chan message, 64)}
	go b.listen(in)
	t.Cleanup(func() {
		out.Close()            // which ends the browser
		for range b.messages { // until it has closed its side
		}
		_ = command.Wait() // it was told to go
	})
	b.attach(t)
	return b
}

// listen reads messages, each ended by a zero byte, until the browser is gone.
func (b *browser) listen(in *os.File) {
	defer close(b.messages)
	defer in.Close()
	reader := bufio.NewReader(in)
	for {
		text, err := reader.ReadBytes(0)
		if err != nil {
			return
		}
		var said message
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &said) == nil {
			b.messages <- said
		}
	}
}

// attach takes the tab, and listens to what it loads.
func (b *browser) attach(t *testing.T) {
	t.Helper()
	var created struct{ TargetID string }
	b.call(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &created)
	var attached struct{ SessionID string }
	b.call(t, "Target.attachToTarget", map[string]any{"targetId": created.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call(t, "Page.enable", nil, nil)
	b.call(t, "Network.enable", nil, nil)
}

// call asks the browser for something and reads the answer into result, unless that is nil.
func (b *browser) call(t *testing.T, method string, params map[string]any, result any) {
	t.Helper()
	b.calls++
	asked := message{ID: b.calls, Method: method, SessionID: b.session}
	var err error
	if params != nil {
		asked.Params, err = json.Marshal(params)
		require.NoError(t, err)
	}
	text, err := json.Marshal(asked)
	require.NoError(t, err)
	_, err = b.out.Write(append(text, 0))
	require.NoError(t, err)
	answer := b.next(t, method, func(said message) bool { return said.ID == asked.ID })
	require.Empty(t, string(answer.Error), method)
	if result != nil {
		require.NoError(t, json.Unmarshal(answer.Result, result))
	}
}

// await waits for an event.
func (b *browser) await(t *testing.T, event string) {
	t.Helper()
	b.next(t, event, func(said message) bool { return said.Method == event })
}

// next is the next message that is looked for. What the page asks for meanwhile is noted.
func (b *browser) next(t *testing.T, name string, looked func(message) bool) message {
	t.Helper()
	ctx := withPatience(t)
	for {
		select {
		case said, open := <-b.messages:
			require.True(t, open, "the browser ended before %s", name)
			b.note(t, said)
			if looked(said) {
				return said
			}
		case <-ctx.Done():
			require.Fail(t, "the browser does not answer "+name)
		}
	}
}

func (b *browser) note(t *testing.T, said message) {
	t.Helper()
	if said.Method != "Network.requestWillBeSent" {
		return
	}
	var event struct{ Request struct{ URL string } }
	require.NoError(t, json.Unmarshal(said.Params, &event))
	b.requested = append(b.requested, event.Request.URL)
}
