package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/term"
)

// updateTimeout is how long a decision waits for a live worker before it is left as a signal.
const updateTimeout = 5 * time.Second

var decisionHelp = map[string]string{
	runbook.Approve: "Agree to what a run asks",
	runbook.Reject:  "Refuse what a run asks: it undoes what it did and ends",
	runbook.Retry:   "Let a failed step be tried again",
	runbook.Skip:    "Leave a failed step undone, for the reason in --comment",
	runbook.Abort:   "Stop a run: before its point of no return it undoes what it did",
	runbook.Pause:   "Hold a run before its next step",
	runbook.Resume:  "Let a paused run go on",
}

// decisionFlags are a person's decision.
type decisionFlags struct {
	question    int
	by, comment string
}

func (s *session) decisionCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, verb := range runbook.Verbs() {
		commands = append(commands, s.decisionCommand(verb))
	}
	return commands
}

func (s *session) decisionCommand(verb string) *cobra.Command {
	var f decisionFlags
	example := fmt.Sprintf("  fukkyu %s --by yuki", verb)
	if answers(verb) {
		example = fmt.Sprintf("  fukkyu %s --question 1 --by yuki --comment \"seen the facts\"", verb)
	}
	command := &cobra.Command{
		Use: verb + " [WORKFLOW]", Short: decisionHelp[verb], Example: example, Args: atMostOne,
		Long: decisionHelp[verb] + ".\n\nWORKFLOW may be left out while exactly one recovery runs.",
		RunE: func(command *cobra.Command, args []string) error { return s.decide(command, verb, args, f) },
	}
	command.Flags().StringVar(&f.by, "by", "", "your name, as in the plan (required)")
	command.Flags().StringVar(&f.comment, "comment", "", "what should stand in the report")
	if answers(verb) || verb == runbook.Abort {
		command.Flags().IntVar(&f.question, "question", 0, "number of the question that is answered")
	}
	return command
}

// answers says whether a verb is the answer to a question.
func answers(verb string) bool {
	switch verb {
	case runbook.Abort, runbook.Pause, runbook.Resume:
		return false
	default:
		return true
	}
}

func (s *session) decide(command *cobra.Command, verb string, args []string, f decisionFlags) error {
	if f.by == "" {
		return usage("--by is missing: your name as in the plan\nexample:\n%s", command.Example)
	}
	connection, err := s.connect(command)
	if err != nil {
		return err
	}
	defer connection.Close()
	id, err := s.workflowOf(command.Context(), connection, args)
	if err != nil {
		return err
	}
	if answers(verb) && f.question == 0 {
		if f.question, err = s.whichQuestion(command, connection, id, verb); err != nil {
			return err
		}
	}
	said, err := deliver(command.Context(), connection, id, verb, runbook.Decision{Question: f.question, By: f.by, Comment: f.comment})
	if err != nil {
		return err
	}
	fmt.Fprintf(command.ErrOrStderr(), "%s: %s\n", id, said)
	return nil
}

// whichQuestion shows the open question and asks at a terminal whether it is the one. Elsewhere the number must be given.
func (s *session) whichQuestion(command *cobra.Command, connection client.Client, id, verb string) (int, error) {
	ctx, cancel := context.WithTimeout(command.Context(), updateTimeout)
	defer cancel()
	now, err := statusOf(ctx, connection, id, "")
	if err != nil {
		return 0, usage("--question is missing, and no worker answers to show the open one: %s", brief(err))
	}
	if now.Question == nil {
		return 0, refused("%s asks nothing now; see fukkyu status %s", id, id)
	}
	number := now.Question.Number
	if s.output == outputJSON || !term.IsTerminal(int(os.Stdin.Fd())) {
		return 0, usage("--question is missing; open is question %d: %s\nuse: fukkyu %s %s --question %d --by NAME", number, now.Question.Text, verb, id, number)
	}
	return number, confirm(command, *now.Question, verb)
}

func confirm(command *cobra.Command, question report.Question, verb string) error {
	talk := command.ErrOrStderr()
	fmt.Fprintf(talk, "question %d: %s\n", question.Number, question.Text)
	for _, fact := range question.Facts {
		fmt.Fprintf(talk, "    %s: %s\n", fact.Name, fact.Value)
	}
	fmt.Fprintf(talk, "%s? [y/N] ", verb)
	answer, err := bufio.NewReader(command.InOrStdin()).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return refused("nothing was sent")
	}
	return nil
}

// deliver sends a decision as an Update, which is answered at once. When no worker takes it in time it stays as a Signal.
func deliver(ctx context.Context, connection client.Client, id, verb string, decision runbook.Decision) (string, error) {
	waiting, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	handle, err := connection.UpdateWorkflow(waiting, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: verb, UpdateID: uuid.NewString(), Args: []any{decision}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var accepted runbook.Accepted
	if err == nil {
		err = handle.Get(waiting, &accepted)
	}
	var application *temporal.ApplicationError
	var gone *serviceerror.NotFound
	var late *client.WorkflowUpdateServiceTimeoutOrCanceledError // may come just before our own clock has run out
	switch {
	case err == nil:
		return accepted.Said, nil
	case errors.As(err, &application):
		return "", refused("%s was not taken: %s", verb, application.Message())
	case errors.As(err, &gone):
		return "", refused("no recovery %s is running; see fukkyu list", id)
	case ctx.Err() != nil, waiting.Err() == nil && !errors.As(err, &late):
		return "", fmt.Errorf("send %s to %s: %w", verb, id, err)
	}
	if err := connection.SignalWorkflow(ctx, id, "", verb, decision); err != nil {
		return "", fmt.Errorf("send %s to %s: %w", verb, id, err)
	}
	return "no worker answers; left as a signal, which the next worker takes", nil
}
