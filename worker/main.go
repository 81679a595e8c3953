// Command fukkyu-worker runs the recoveries: it binds a plan to a site, and performs the workflows and activities that
// Temporal hands out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/build"
	"github.com/shodo-ecosystem/fukkyu/internal/logging"
	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"go.temporal.io/sdk/client"
)

// Exit codes, as those of the command fukkyu.
const (
	exitFailed = 1
	exitUsage  = 2
)

// redialInterval is the pause between two tries to reach Temporal at the start.
const redialInterval = time.Second

// settings are what the command line says.
type settings struct {
	plan, site, listen string
	temporal           temporalclient.Options
}

func main() {
	settings, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(exitUsage) // the flag package has said why
	}
	logger, flush, err := logging.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, stop, settings, logger)
	flush()
	var wrong plan.Errors
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, wrong)
		os.Exit(exitUsage)
	case err != nil:
		logger.Error("worker failed", "error", err)
		os.Exit(exitFailed)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("fukkyu-worker", flag.ContinueOnError)
	flags.StringVar(&s.plan, "plan", "", "the plan `FILE` (required)")
	flags.StringVar(&s.site, "site", "", "the site `FILE` (required)")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:9090", "`ADDRESS` of /healthz, /readyz and /metrics")
	flags.StringVar(&s.temporal.Address, "address", "", "`ADDRESS` of Temporal, else TEMPORAL_ADDRESS or the profile's")
	flags.StringVar(&s.temporal.Namespace, "namespace", "", "Temporal `NAMESPACE`, else TEMPORAL_NAMESPACE or the profile's")
	flags.StringVar(&s.temporal.Profile, "profile", "", "`NAME` of a profile of the temporal command")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: fukkyu-worker --plan FILE --site FILE [flags]\nexample: fukkyu-worker --plan plans/shodo.yaml --site site.yaml")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.plan == "" || s.site == "" || flags.NArg() > 0 {
		fmt.Fprintln(flags.Output(), "both --plan and --site are needed, and nothing else")
		flags.Usage()
		return s, errors.New("wrong usage")
	}
	return s, nil
}

// run works until ctx ends, then drains. A second signal ends the process at once, because stop gives signals back their
// default.
func run(ctx context.Context, stop context.CancelFunc, settings settings, logger *slog.Logger) error {
	defer stop()
	pinned, err := plan.Load(settings.plan)
	if err != nil {
		return err
	}
	site, err := plan.LoadSite(settings.site, pinned.Plan)
	if err != nil {
		return err
	}
	metrics, err := telemetry.NewMetrics(logger)
	if err != nil {
		return err
	}
	health := newHealth()
	server, err := health.serve(settings.listen, metrics.Handler())
	if err != nil {
		return err
	}
	defer server.Close()
	tracing, err := telemetry.NewTracing(ctx, "fukkyu-worker", build.Version(), logger)
	if err != nil {
		logger.Warn("nothing is traced", "error", err) // a recovery does not depend on it
	}
	defer tracing.Stop()
	settings.temporal.Logger, settings.temporal.Metrics, settings.temporal.Interceptors = logger, metrics.Temporal(), tracing.Interceptors()
	connection, err := dial(ctx, settings.temporal, logger)
	if err != nil {
		return err
	}
	if connection == nil {
		return nil // asked to stop before Temporal answered
	}
	defer connection.Close()
	namespace, err := temporalclient.Namespace(settings.temporal)
	if err != nil {
		return err
	}
	runs := newRuns(connection, namespace, pinned.Plan.Objectives.RTO, logger)
	if err := measure(metrics.Meter(), pinned, site, runs); err != nil {
		return err
	}
	team, err := newTeam(connection, namespace, pinned, site)
	if err != nil {
		return err
	}
	if err := team.start(); err != nil {
		return err
	}
	health.watch(connection, namespace)
	go runs.watch(ctx)
	logger.Info("worker started", "plan", pinned.Plan.Name, "version", pinned.Plan.Version, "hash", pinned.Hash, "site", site.Name, "build", build.Version(), "queues", team.queues)
	<-ctx.Done()
	stop()
	logger.Info("worker drains", "timeout", drainTimeout)
	health.drain()
	team.stop()
	logger.Info("worker stopped")
	return nil
}

// dial tries until Temporal answers: a worker that is started before its server, or during its restart, waits for it.
// It returns nothing when ctx ends first.
func dial(ctx context.Context, options temporalclient.Options, logger *slog.Logger) (client.Client, error) {
	ticker := time.NewTicker(redialInterval)
	defer ticker.Stop()
	for {
		connection, err := temporalclient.Dial(ctx, options)
		if err == nil {
			return connection, nil
		}
		var unreachable *temporalclient.Unreachable
		if !errors.As(err, &unreachable) {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		logger.Warn("Temporal does not answer, trying again", "error", err)
		select {
		case <-ctx.Done():
			return nil, nil
		case <-ticker.C:
		}
	}
}
