// Command bench fails the lab's database over again and again and says where the time goes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := flag.Int("n", 10, "how many failovers")
	profile := flag.String("profile", "tuned", "the lab's time profile: tuned or default")
	flag.Parse()
	if *runs < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: bench [-n RUNS] [-profile tuned|default], with at least one run")
		os.Exit(2)
	}
	if err := bench(ctx, *runs, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sample is one failover, in seconds.
type sample struct {
	firstWrite float64            // from the command to the first write that the referee had acknowledged
	overhead   float64            // of that, what no activity accounts for
	service    float64            // the referee's longest time without service
	steps      map[string]float64 // each step, by the report
}

func bench(ctx context.Context, runs int, profile string) error {
	e, err := estate.Open()
	if err != nil {
		return err
	}
	if _, err := e.Lab(ctx, "up", "--profile", profile); err != nil {
		return err
	}
	if e.Plan, err = e.AutomaticPlan(); err != nil {
		return err
	}
	if result, err := e.Fukkyu(ctx, "setup"); err != nil || result.Exit != 0 {
		return fmt.Errorf("fukkyu setup: %w %s", err, result.Stderr)
	}
	worker, err := e.StartWorker(ctx, estate.Crew{})
	if err != nil {
		return err
	}
	defer worker.Stop()
	var samples []sample
	var names []string
	for i := range runs {
		one, steps, err := measure(ctx, e)
		if err != nil {
			return fmt.Errorf("run %d: %w", i+1, err)
		}
		samples, names = append(samples, one), steps
		fmt.Fprintf(os.Stderr, "run %d of %d: first write after %.3f s, overhead %.3f s, customers without service %.3f s\n", i+1, runs, one.firstWrite, one.overhead, one.service)
	}
	return publish(samples, names, profile)
}

// measure fails over once and puts everything back.
func measure(ctx context.Context, e estate.Estate) (sample, []string, error) {
	if _, err := e.Lab(ctx, "mend", "all"); err != nil {
		return sample{}, nil, err
	}
	if _, err := e.Lab(ctx, "reset"); err != nil {
		return sample{}, nil, err
	}
	if _, err := e.Lab(ctx, "referee", "start"); err != nil {
		return sample{}, nil, err
	}
	if _, err := e.Lab(ctx, "break", "power-off", "primary"); err != nil {
		return sample{}, nil, err
	}
	began := time.Now()
	got, result, err := e.Failover(ctx)
	if err != nil {
		return sample{}, nil, err
	}
	if got.Outcome != report.Recovered {
		return sample{}, nil, fmt.Errorf("the failover ended %s: %s\n%s", got.Outcome, got.Summary, result.Stderr)
	}
	if _, err := e.Lab(ctx, "referee", "stop"); err != nil {
		return sample{}, nil, err
	}
	verdict, err := e.Verdict(ctx)
	if err != nil {
		return sample{}, nil, err
	}
	busy, err := activitiesWithin(ctx, got.WorkflowID, got.RunID, began, verdict.LongestGap.End)
	if err != nil {
		return sample{}, nil, err
	}
	one := sample{firstWrite: verdict.LongestGap.End.Sub(began).Seconds(), service: verdict.LongestGap.Seconds, steps: map[string]float64{}}
	one.overhead = one.firstWrite - busy.Seconds()
	var names []string
	for _, step := range got.Steps {
		names = append(names, step.Name)
		one.steps[step.Name] = step.Took().Seconds()
	}
	return one, names, nil
}

// spread is what is said of one figure.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func spreadOf(samples []sample, figure func(sample) float64) spread {
	var values []float64
	for _, one := range samples {
		values = append(values, figure(one))
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	if len(values)%2 == 0 {
		middle = (values[len(values)/2-1] + middle) / 2
	}
	return spread{Min: values[0], Median: middle, Max: values[len(values)-1]}
}

// publish prints a table, and the same as one line of JSON.
func publish(samples []sample, names []string, profile string) error {
	type row struct {
		Name string `json:"name"`
		spread
	}
	rows := []row{
		{"command to first acknowledged write", spreadOf(samples, func(s sample) float64 { return s.firstWrite })},
		{"of that, our own overhead", spreadOf(samples, func(s sample) float64 { return s.overhead })},
		{"customers without service", spreadOf(samples, func(s sample) float64 { return s.service })},
	}
	for _, name := range names {
		rows = append(rows, row{"step: " + name, spreadOf(samples, func(s sample) float64 { return s.steps[name] })})
	}
	fmt.Printf("%d failovers, node off, asynchronous replication, automatic approval, profile %s; seconds\n\n", len(samples), profile)
	fmt.Printf("%-52s %8s %8s %8s\n", "", "min", "median", "max")
	for _, r := range rows {
		fmt.Printf("%-52s %8.3f %8.3f %8.3f\n", r.Name, r.Min, r.Median, r.Max)
	}
	line, err := json.Marshal(struct {
		Runs    int    `json:"runs"`
		Profile string `json:"profile"`
		Rows    []row  `json:"rows"`
	}{len(samples), profile, rows})
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", line)
	return nil
}
