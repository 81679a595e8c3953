package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

const (
	// followInterval is the pause between two looks at a run: quick enough for a person, light enough for a worker at work.
	followInterval = 250 * time.Millisecond
	// queryTimeout bounds one look, which needs a live worker.
	queryTimeout = 2 * time.Second
	// silence is how long no worker may answer before the person is told.
	silence = 5 * time.Second
)

// follower shows a person what happens in a run, until it ends.
type follower struct {
	connection client.Client
	run        client.WorkflowRun
	display    display
	approveAs  string // who agreed in advance

	approved int       // the question that was answered last in advance
	heard    time.Time // when a worker answered last
	told     string    // who does not, as the person was told last
}

// follow shows the run until it has ended, and returns its report. Ended by the context it says that the run goes on.
func (f *follower) follow(ctx context.Context) (report.Report, error) {
	ended := make(chan error, 1)
	var final report.Report
	go func() { ended <- f.await(ctx, &final) }()
	f.heard = time.Now()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return report.Report{}, f.detached()
			}
			if err != nil {
				return report.Report{}, endedBy(err)
			}
			f.display.show(final)
			return final, nil
		case <-ctx.Done():
			return report.Report{}, f.detached()
		case <-ticker.C:
			f.look(ctx)
		}
	}
}

// await waits for the report. A Temporal that is away for longer than its client is patient says nothing about the run, so
// it is asked again.
func (f *follower) await(ctx context.Context, final *report.Report) error {
	for {
		err := f.run.Get(ctx, final)
		if ctx.Err() != nil || !away(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(queryTimeout):
		}
	}
}

// away says whether an error is Temporal's silence, and not its answer.
func away(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	var full *serviceerror.ResourceExhausted
	var closed *temporal.WorkflowExecutionError
	if errors.As(err, &closed) {
		return false // its cause may well be a timeout, of the run
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &unavailable) || errors.As(err, &late) || errors.As(err, &full)
}

func (f *follower) detached() error {
	id := f.run.GetID()
	return &exit{code: exitWaiting, err: fmt.Errorf("stopped watching, the run goes on; come back with fukkyu watch %s, stop it with fukkyu abort %s --by NAME", id, id)}
}

// look asks the run how it stands, and shows it.
func (f *follower) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	now, err := statusOf(asking, f.connection, f.run.GetID(), f.run.GetRunID())
	if err != nil {
		if time.Since(f.heard) > silence && ctx.Err() == nil {
			f.tellSilence(ctx, err)
		}
		return
	}
	f.heard, f.told = time.Now(), ""
	f.display.show(now)
	f.answerInAdvance(ctx, now)
}

// tellSilence says once who does not answer: without Temporal no worker can.
func (f *follower) tellSilence(ctx context.Context, err error) {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	who, line := "worker", fmt.Sprintf("no worker answers (%s); the run waits for one", brief(err))
	if _, err := f.connection.CheckHealth(asking, &client.CheckHealthRequest{}); err != nil {
		who, line = "Temporal", "Temporal does not answer; the run goes on when it is back"
	}
	if who != f.told && ctx.Err() == nil {
		f.display.silence(line)
		f.told = who
	}
}

// answerInAdvance approves in the name of the person who agreed before the run began. It never answers for an operator.
func (f *follower) answerInAdvance(ctx context.Context, now report.Report) {
	question := now.Question
	if f.approveAs == "" || question == nil || question.Number <= f.approved || question.Answers[0] != runbook.Approve {
		return
	}
	f.approved = question.Number
	decision := runbook.Decision{Question: question.Number, By: f.approveAs, Comment: "agreed in advance (--approve-as)"}
	if _, err := deliver(ctx, f.connection, f.run.GetID(), runbook.Approve, decision); err != nil {
		f.display.tell(fmt.Sprintf("the approval of %s was not taken: %s", f.approveAs, err))
	}
}

// conclude prints the report of a run that has ended and turns its outcome into the exit code.
func (s *session) conclude(out io.Writer, final report.Report) error {
	if err := s.print(out, final); err != nil {
		return err
	}
	return outcomeExit(final)
}

// endedBy turns the error of a run into ours.
func endedBy(err error) error {
	var application *temporal.ApplicationError
	var closed *temporal.WorkflowExecutionError
	var terminated *temporal.TerminatedError
	switch {
	case errors.As(err, &terminated):
		return &exit{code: exitIncomplete, err: errors.New("the run was terminated, which undoes nothing: what it changed stands, and its lease may be held; its history in Temporal shows how far it came")}
	case runbook.IsRefused(err) && errors.As(err, &application):
		return refused("%s", application.Message())
	case errors.As(err, &application):
		return fmt.Errorf("the run failed: %s", application.Message())
	case errors.As(err, &closed):
		return fmt.Errorf("the run failed: %w", err)
	default:
		return fmt.Errorf("ask for the end of the run: %w; see fukkyu list", err)
	}
}

// outcomeExit is silent: the report has said everything.
func outcomeExit(final report.Report) error {
	silent := errors.New("")
	switch final.Outcome {
	case report.Recovered, report.Rehearsed:
		return nil
	case report.RecoveredLate, report.RecoveredUnproven:
		return &exit{code: exitLate, err: silent}
	case report.RolledBack, report.Refused:
		return &exit{code: exitRefused, err: silent}
	default:
		return &exit{code: exitIncomplete, err: silent}
	}
}

// print writes a report in the form that was asked for.
func (s *session) print(out io.Writer, final report.Report) error {
	if s.output == outputJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(final)
	}
	_, err := io.WriteString(out, final.Markdown())
	return err
}

// statusOf asks a run for its report as it stands. It needs a live worker.
func statusOf(ctx context.Context, connection client.Client, id, runID string) (report.Report, error) {
	var now report.Report
	answer, err := connection.QueryWorkflow(ctx, id, runID, runbook.StatusQuery)
	if err != nil {
		return now, err
	}
	return now, answer.Get(&now)
}

func brief(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
