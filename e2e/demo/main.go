// Command demo is the README's first command: an estate, a machine that loses its power, and the recovery of the database,
// beside the verdict of a customer who was writing all the while.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
)

// approver is whom the demo lets approve. The plan lists this person.
const approver = "aiko"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		fmt.Fprintln(os.Stderr, "what runs is stopped and removed by: go run github.com/go-task/task/v3/cmd/task@v3.53.1 down")
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	e, err := estate.Open()
	if err != nil {
		return err
	}
	if err := bringUp(ctx, e); err != nil {
		return err
	}
	say("a customer begins to write")
	if _, err := e.Lab(ctx, "referee", "start"); err != nil {
		return err
	}
	say("the machine under the primary loses its power")
	if err := show(ctx, e, "lab", "break", "power-off", "primary"); err != nil {
		return err
	}
	say("fukkyu run database-failover --database shodo --by yuki")
	text, err := failOver(ctx, e)
	if err != nil {
		return err
	}
	if _, err := e.Lab(ctx, "referee", "stop"); err != nil {
		return err
	}
	verdict, err := e.Lab(ctx, "referee", "verdict")
	if err != nil {
		return err
	}
	told, err := e.Lab(ctx, "inbox")
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n%s\nWhat people were told meanwhile:\n%s\n", text, verdict, told)
	say("The Temporal UI is at http://127.0.0.1:8233. Everything is stopped and removed by:")
	say("    go run github.com/go-task/task/v3/cmd/task@v3.53.1 down")
	return nil
}

// bringUp leaves a lab in its first state with a worker, whether or not there was one before.
func bringUp(ctx context.Context, e estate.Estate) error {
	_, statErr := os.Stat(filepath.Join(e.Dir, "state.json"))
	used := statErr == nil
	say("bringing the estate up: five machines, Kubernetes, PostgreSQL with two replicas, Redis, an application, Temporal")
	if err := show(ctx, e, "lab", "up"); err != nil {
		return err
	}
	if used {
		say("it was up before: putting the database back to its first state")
		if err := errors.Join(show(ctx, e, "lab", "mend", "all"), show(ctx, e, "lab", "reset")); err != nil {
			return err
		}
	}
	if err := show(ctx, e, "fukkyu", "setup"); err != nil {
		return err
	}
	const address = "127.0.0.1:9090"
	if err := show(ctx, e, "lab", "daemon", "start", "worker", "--", filepath.Join(e.Bin, "fukkyu-worker"), "--plan", e.Plan,
		"--site", filepath.Join(e.Dir, "site.yaml"), "--listen", address); err != nil {
		return err
	}
	return estate.AwaitReady(ctx, address)
}

// failOver runs the failover, answers its question as a person would, and returns the report.
func failOver(ctx context.Context, e estate.Estate) (string, error) {
	run := e.Command(ctx, "fukkyu", "run", "database-failover", "--database", "shodo", "--by", "yuki", "--reason", "the machine under the primary is off")
	var text bytes.Buffer
	run.Stdout, run.Stderr = &text, os.Stderr
	if err := run.Start(); err != nil {
		return "", fmt.Errorf("start the failover: %w", err)
	}
	answered := make(chan error, 1)
	answering, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { answered <- approve(answering, e) }()
	err := run.Wait()
	cancel()
	answer := <-answered
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 3, err == nil && text.Len() == 0:
		return "", fmt.Errorf("the failover was refused")
	case err != nil:
		return text.String(), fmt.Errorf("the failover did not recover the database: %w\n%s", err, text.String())
	case answer != nil && !errors.Is(answer, context.Canceled):
		return text.String(), answer
	}
	return text.String(), nil
}

// approve waits for the question and answers it.
func approve(ctx context.Context, e estate.Estate) error {
	var asked report.Report
	err := estate.Await(ctx, "the question of the failover", time.Minute, func() (bool, string) {
		result, err := e.Fukkyu(ctx, "status", "--output", "json")
		if err != nil {
			return false, err.Error()
		}
		if json.Unmarshal([]byte(result.Stdout), &asked) != nil {
			return false, result.Stderr
		}
		return asked.Question != nil, asked.Phase
	})
	if err != nil {
		return err
	}
	say("%s answers: fukkyu approve --question %d --by %s", approver, asked.Question.Number, approver)
	return show(ctx, e, "fukkyu", "approve", "--question", fmt.Sprint(asked.Question.Number), "--by", approver, "--comment", "seen what would be lost")
}

// show runs a program and lets the person see what it says.
func show(ctx context.Context, e estate.Estate, program string, args ...string) error {
	command := e.Command(ctx, program, args...)
	command.Stdout, command.Stderr = io.Discard, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s %v: %w", program, args, err)
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "\n"+format+"\n", args...) }
