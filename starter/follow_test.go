package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// scriptedRun is a run without a Temporal: it ends when the test says so.
type scriptedRun struct {
	client.WorkflowRun
	ended chan error
	final report.Report
}

func (*scriptedRun) GetID() string    { return "database-failover/shodo" }
func (*scriptedRun) GetRunID() string { return "run-1" }

func (r *scriptedRun) Get(ctx context.Context, into any) error {
	select {
	case err := <-r.ended:
		*into.(*report.Report) = r.final
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scriptedConnection answers the status query as the test says.
type scriptedConnection struct {
	client.Client
	mutex  sync.Mutex
	status report.Report
	silent error // of the worker
	away   error // of Temporal

	described *workflowservice.DescribeWorkflowExecutionResponse
}

func (c *scriptedConnection) set(change func(*scriptedConnection)) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	change(c)
}

func (c *scriptedConnection) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.silent != nil {
		return nil, c.silent
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(c.status)
	return client.NewValue(payloads), err
}

func (c *scriptedConnection) CheckHealth(context.Context, *client.CheckHealthRequest) (*client.CheckHealthResponse, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return &client.CheckHealthResponse{}, c.away
}

// followed starts to follow a run in lines. What is returned is filled when done is closed.
func followed(ctx context.Context, connection *scriptedConnection, run *scriptedRun) (talk *bytes.Buffer, outcome *error, done chan struct{}) {
	talk, outcome, done = &bytes.Buffer{}, new(error), make(chan struct{})
	f := &follower{connection: connection, run: run, display: &lines{talk: talk}}
	go func() {
		defer close(done)
		_, *outcome = f.follow(ctx)
	}()
	return talk, outcome, done
}

// pass lets time go by inside of a synctest bubble, whose clock waits for nobody.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestFollow_InLines_SaysEachThingOnceAndHowToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connection, run := &scriptedConnection{status: asking()}, &scriptedRun{ended: make(chan error, 1)}
		talk, outcome, done := followed(t.Context(), connection, run)
		pass(10 * followInterval)
		run.final = asking()
		run.final.Outcome, run.final.Question = report.Recovered, nil
		run.final.Timeline = append(run.final.Timeline, report.Entry{At: after(90), Kind: "run", Text: "recovered"})
		run.ended <- nil
		<-done
		require.NoError(t, *outcome)
		require.Equal(t, `   0.000s  asked for by yuki
   1.000s  Take the recovery lease: epoch 1
Replace primary postgres-primary-0 of database shodo by postgres-replica-0?
    replica to promote: postgres-replica-0 at 0/5006858 on timeline 1
    acknowledged writes that would be lost: the writes of at most the last 1.167s
    fukkyu approve database-failover/shodo --question 1 --by aiko
    fukkyu reject database-failover/shodo --question 1 --by aiko
  70.000s  recovered
`, talk.String())
	})
}

func TestFollow_ASilentWorker_IsToldOnceAndThenTemporalIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		connection, run := &scriptedConnection{silent: errors.New("no poller seen")}, &scriptedRun{ended: make(chan error)}
		talk, outcome, done := followed(ctx, connection, run)
		pass(silence + time.Minute)
		require.Equal(t, "no worker answers (no poller seen); the run waits for one\n", talk.String())
		connection.set(func(c *scriptedConnection) { c.away = errors.New("connection refused") })
		pass(time.Minute)
		require.Contains(t, talk.String(), "Temporal does not answer; the run goes on when it is back\n")
		connection.set(func(c *scriptedConnection) { c.silent, c.status = nil, asking() })
		pass(time.Second)
		leave()
		<-done
		require.Contains(t, talk.String(), "asked for by yuki", "it goes on where it was")
		require.Equal(t, exitWaiting, codeOf(*outcome))
		require.ErrorContains(t, *outcome, "fukkyu watch database-failover/shodo")
	})
}

func TestFollow_ARunThatFailed_IsItsError(t *testing.T) {
	run := &scriptedRun{ended: make(chan error, 1)}
	run.ended <- errors.New("its history is gone")
	_, outcome, done := followed(t.Context(), &scriptedConnection{}, run)
	<-done
	require.ErrorContains(t, *outcome, "its history is gone")
	require.Equal(t, exitFailed, codeOf(*outcome))
}

// terminal is one that the test types at and reads from.
func terminal(t *testing.T) (options []tea.ProgramOption, keys io.Writer, screen *shown) {
	t.Helper()
	reader, writer := io.Pipe()
	t.Cleanup(func() { writer.Close() })
	screen = &shown{changed: make(chan struct{}, 1)}
	return []tea.ProgramOption{tea.WithInput(reader), tea.WithOutput(screen), tea.WithWindowSize(100, 40), tea.WithEnvironment([]string{"TERM=xterm"})}, writer, screen
}

// shown is what was written to the terminal.
type shown struct {
	mutex   sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (s *shown) Write(text []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(text)
}

// await waits until the terminal has shown a text.
func (s *shown) await(t *testing.T, text string) {
	t.Helper()
	for {
		s.mutex.Lock()
		seen := bytes.Contains(s.text.Bytes(), []byte(text))
		s.mutex.Unlock()
		if seen {
			return
		}
		select {
		case <-s.changed:
		case <-time.After(time.Minute):
			require.Fail(t, fmt.Sprintf("the terminal never showed %q", text))
		}
	}
}

func TestFollowDrawn_Q_LeavesAndTheRunGoesOn(t *testing.T) {
	options, keys, screen := terminal(t)
	connection, run := &scriptedConnection{status: asking()}, &scriptedRun{ended: make(chan error)}
	outcome := make(chan error, 1)
	go func() {
		_, err := followDrawn(t.Context(), &follower{connection: connection, run: run}, options...)
		outcome <- err
	}()
	screen.await(t, "Question 1")
	_, err := io.WriteString(keys, "q")
	require.NoError(t, err)
	left := <-outcome
	require.Equal(t, exitWaiting, codeOf(left))
	require.ErrorContains(t, left, "the run goes on")
}

func TestFollowDrawn_TheRunEnds_TheViewDoesToo(t *testing.T) {
	options, _, screen := terminal(t)
	connection, run := &scriptedConnection{status: asking()}, &scriptedRun{ended: make(chan error, 1), final: report.Report{Outcome: report.RecoveredLate}}
	type end struct {
		final report.Report
		err   error
	}
	outcome := make(chan end, 1)
	go func() {
		final, err := followDrawn(t.Context(), &follower{connection: connection, run: run}, options...)
		outcome <- end{final, err}
	}()
	screen.await(t, "Question 1")
	run.ended <- nil
	got := <-outcome
	require.NoError(t, got.err)
	var out bytes.Buffer
	require.Equal(t, exitLate, codeOf((&session{output: outputText}).conclude(&out, got.final)), "the exit code is that of the run")
	require.Contains(t, out.String(), "recovered-late")
}

func TestFollowDrawn_TheCommandIsEnded_TheTerminalIsGivenBack(t *testing.T) {
	options, _, screen := terminal(t)
	ctx, stop := context.WithCancel(t.Context())
	connection, run := &scriptedConnection{status: asking()}, &scriptedRun{ended: make(chan error)}
	outcome := make(chan error, 1)
	go func() {
		_, err := followDrawn(ctx, &follower{connection: connection, run: run}, options...)
		outcome <- err
	}()
	screen.await(t, "Question 1")
	stop()
	require.Equal(t, exitWaiting, codeOf(<-outcome))
	screen.await(t, "\x1b[?1049l") // back from the screen of its own
}
