// Command fukkyu starts recoveries, watches them, and carries people's decisions to them: a thin skin over Temporal's client.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/shodo-ecosystem/fukkyu/internal/build"
	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/plan"
)

// Exit codes, for scripts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage, or an invalid plan
	exitRefused     = 3 // nothing is changed
	exitIncomplete  = 4 // action is needed
	exitLate        = 5 // done, but too late or unproven
	exitWaiting     = 6 // the run goes on without this command
	exitUnreachable = 7 // Temporal does not answer
)

// exit is an error that decides the exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

func refused(format string, args ...any) error {
	return &exit{code: exitRefused, err: fmt.Errorf(format, args...)}
}

func usage(format string, args ...any) error {
	return &exit{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tracing, err := telemetry.NewTracing(ctx, "fukkyu", build.Version(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, "fukkyu: nothing is traced: "+err.Error())
	}
	err = newRoot(tracing.Interceptors()...).ExecuteContext(ctx)
	tracing.Stop()
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "fukkyu: "+err.Error())
	}
	os.Exit(codeOf(err))
}

func codeOf(err error) int {
	var decided *exit
	var wrong plan.Errors
	var unreachable *temporalclient.Unreachable
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &decided):
		return decided.code
	case errors.As(err, &unreachable):
		return exitUnreachable
	case errors.As(err, &wrong):
		return exitUsage
	default:
		return exitFailed
	}
}
