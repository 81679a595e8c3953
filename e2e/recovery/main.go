// Command recovery recovers the lab's services twice from the same faults: by the plan's own script, and by Fukkyu. It says how long
// each took until everything was healthy, and what each left broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.runs, "n", 1, "how many runs of each disaster and rescuer")
	flag.IntVar(&o.services, "services", 60, "how many synthetic services the large disaster has")
	flag.DurationVar(&o.limit, "limit", 15*time.Minute, "how long a rescuer may take; the script waits up to 10 minutes for a service")
	flag.StringVar(&o.network, "network", "10.77.0.0/16", "the lab's network, for a machine where another lab is up")
	only := flag.String("only", "", "one disaster: "+strings.Join(names(), ", ")+"; all of them when empty")
	flag.Parse()
	chosen := disasters
	if *only != "" {
		chosen = slices.DeleteFunc(slices.Clone(disasters), func(d disaster) bool { return d.name != *only })
	}
	if o.runs < 1 || o.services < 4 || flag.NArg() > 0 || len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "usage: recovery [-n RUNS] [-services COUNT] [-limit DURATION] [-network PREFIX] [-only %s], with at least one run and 4 services\n", strings.Join(names(), "|"))
		os.Exit(2)
	}
	if err := compare(ctx, chosen, o); err != nil {
		fmt.Fprintln(os.Stderr, "recovery:", err)
		os.Exit(1)
	}
}

type options struct {
	runs, services int
	limit          time.Duration
	network        string
}

// compare takes every disaster as often as is asked for, each time once by each rescuer.
func compare(ctx context.Context, chosen []disaster, o options) error {
	e, err := estate.Up(ctx, "--network", o.network)
	if err != nil {
		return err
	}
	var results []result
	for _, d := range chosen {
		of, err := measure(ctx, e, d, o)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		results = append(results, of...)
	}
	return publish(results)
}

// measure brings a disaster about for each rescuer in turn, as often as is asked for.
func measure(ctx context.Context, e estate.Estate, d disaster, o options) ([]result, error) {
	scene, err := setUp(ctx, e, d, o.services)
	if err != nil {
		return nil, err
	}
	defer scene.leave(ctx)
	var results []result
	for _, r := range []rescuer{script, fukkyu} {
		of := result{Disaster: d.name, By: r.name, Services: len(scene.services), heading: d.heading}
		for i := range o.runs {
			one, err := scene.run(ctx, d, r, o.limit)
			if err != nil {
				return nil, fmt.Errorf("%s, run %d: %w", r.name, i+1, err)
			}
			fmt.Fprintf(os.Stderr, "%s, by %s, %d of %d: %s\n", d.name, r.name, i+1, o.runs, one)
			of.Runs = append(of.Runs, one)
		}
		results = append(results, of)
	}
	return results, nil
}
