// Command bench recovers the lab's database again and again and says where the time goes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/report"
	"github.com/shodo-ecosystem/fukkyu/workflows"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := flag.Int("n", 10, "how many runs of each course")
	profile := flag.String("profile", "tuned", "the lab's time profile: tuned or default")
	network := flag.String("network", "10.77.0.0/16", "the lab's network, for a machine where another lab is up")
	only := flag.String("only", "", "one course: "+strings.Join(names(), ", ")+"; all of them when empty")
	patroni := flag.Bool("patroni", false, "measure Patroni too, and compare")
	flag.Parse()
	chosen := courses
	if *only != "" {
		chosen = slices.DeleteFunc(slices.Clone(courses), func(c course) bool { return c.name != *only })
	}
	if *runs < 1 || flag.NArg() > 0 || len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "usage: bench [-n RUNS] [-profile tuned|default] [-network PREFIX] [-only %s], with at least one run\n", strings.Join(names(), "|"))
		os.Exit(2)
	}
	if err := bench(ctx, chosen, *runs, *profile, *network, *patroni); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// course is what is measured: a scenario on an estate in a certain state.
type course struct {
	name     string
	heading  string
	scenario workflows.Scenario
	// prepare brings the estate into its state, with the referee at work.
	prepare func(context.Context, estate.Estate) error
	changes []estate.Changes // of the plan
	loses   bool             // acknowledged writes may be gone
}

var courses = []course{
	{name: "failover", heading: "failovers, node off, asynchronous replication", scenario: workflows.Failover, prepare: nodeOff, loses: true},
	{name: "switchover", heading: "switchovers in a row, asynchronous replication", scenario: workflows.Switchover, prepare: healthy},
	{name: "synchronous", heading: "failovers, node off, synchronous replication (ANY 1 of 2)", scenario: workflows.Failover, prepare: nodeOffSynchronous,
		changes: []estate.Changes{estate.Synchronous}},
}

func names() []string {
	var names []string
	for _, course := range courses {
		names = append(names, course.name)
	}
	return names
}

// nodeOff puts everything back and switches the primary's machine off.
func nodeOff(ctx context.Context, e estate.Estate) error {
	return e.Each(ctx, "mend all", "reset", "referee start", "break power-off primary")
}

// nodeOffSynchronous does so while commits wait for a replica.
func nodeOffSynchronous(ctx context.Context, e estate.Estate) error {
	if err := e.Each(ctx, "mend all", "reset"); err != nil {
		return err
	}
	if err := e.SynchronousCommits(ctx, "postgres-primary-0"); err != nil {
		return err
	}
	return e.Each(ctx, "referee start", "break power-off primary")
}

// healthy goes on with the estate as the last run left it.
func healthy(ctx context.Context, e estate.Estate) error { return e.Each(ctx, "referee start") }

// sample is one run, in seconds.
type sample struct {
	lost       int
	firstWrite float64            // from the command to the first write that the referee had acknowledged
	overhead   float64            // of that, what no activity accounts for
	service    float64            // the referee's longest time without service
	steps      map[string]float64 // each step, by the report
}

func bench(ctx context.Context, courses []course, runs int, profile, network string, patroni bool) error {
	flags := []string{"--profile", profile, "--network", network}
	e, err := estate.Up(ctx, flags...)
	if err != nil {
		return err
	}
	var done []measured
	for _, course := range courses {
		one, err := run(ctx, e, course, runs)
		if err != nil {
			return err
		}
		one.print(profile)
		done = append(done, one)
	}
	if patroni {
		if err := againstPatroni(ctx, e, done, runs, flags); err != nil {
			return err
		}
	}
	return publish(done, profile)
}

// run takes a course as often as is asked for.
func run(ctx context.Context, e estate.Estate, course course, runs int) (measured, error) {
	if err := e.Each(ctx, "mend all", "reset"); err != nil {
		return measured{}, err
	}
	e, err := e.WithPlan(append(course.changes, estate.Automatic)...)
	if err != nil {
		return measured{}, err
	}
	worker, err := e.StartWorker(ctx, estate.Crew{})
	if err != nil {
		return measured{}, err
	}
	defer worker.Stop()
	var samples []sample
	var steps []string
	for i := range runs {
		one, names, err := measure(ctx, e, course)
		if err != nil {
			return measured{}, fmt.Errorf("%s %d: %w", course.name, i+1, err)
		}
		samples, steps = append(samples, one), names
		fmt.Fprintf(os.Stderr, "%s %d of %d: first write after %.3f s, overhead %.3f s, customers without service %.3f s, %d acknowledged writes gone\n",
			course.name, i+1, runs, one.firstWrite, one.overhead, one.service, one.lost)
	}
	return tally(course, samples, steps), nil
}

// measure takes a course once.
func measure(ctx context.Context, e estate.Estate, course course) (sample, []string, error) {
	if err := course.prepare(ctx, e); err != nil {
		return sample{}, nil, err
	}
	began := time.Now()
	got, result, err := e.Recover(ctx, course.scenario)
	if err != nil {
		return sample{}, nil, err
	}
	if got.Outcome != report.Recovered {
		return sample{}, nil, fmt.Errorf("it ended %s: %s\n%s", got.Outcome, got.Summary, result.Stderr)
	}
	if _, err := e.Lab(ctx, "referee", "stop"); err != nil {
		return sample{}, nil, err
	}
	verdict, err := e.Verdict(ctx)
	if err != nil {
		return sample{}, nil, err
	}
	if verdict.LostCount > 0 && !course.loses || verdict.Overlap {
		return sample{}, nil, fmt.Errorf("%d acknowledged writes are gone; two primaries at once: %t", verdict.LostCount, verdict.Overlap)
	}
	busy, err := activitiesWithin(ctx, got.WorkflowID, got.RunID, began, verdict.LongestGap.End)
	if err != nil {
		return sample{}, nil, err
	}
	one := sample{lost: verdict.LostCount, firstWrite: verdict.LongestGap.End.Sub(began).Seconds(), service: verdict.LongestGap.Seconds, steps: map[string]float64{}}
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

// row is one figure of a course.
type row struct {
	Name string `json:"name"`
	spread
}

// measured is what is said of one course.
type measured struct {
	Course string `json:"course"`
	Runs   int    `json:"runs"`
	Lost   int    `json:"lost"` // acknowledged writes that are gone, in all runs
	Rows   []row  `json:"rows"`

	heading string
}

func tally(course course, samples []sample, steps []string) measured {
	said := measured{Course: course.name, Runs: len(samples), heading: course.heading, Rows: []row{
		{"command to first acknowledged write", spreadOf(samples, func(s sample) float64 { return s.firstWrite })},
		{"of that, our own overhead", spreadOf(samples, func(s sample) float64 { return s.overhead })},
		{withoutService, spreadOf(samples, func(s sample) float64 { return s.service })},
	}}
	for _, one := range samples {
		said.Lost += one.lost
	}
	for _, name := range steps {
		said.Rows = append(said.Rows, row{"step: " + name, spreadOf(samples, func(s sample) float64 { return s.steps[name] })})
	}
	return said
}

// withoutService is the figure that customers notice.
const withoutService = "customers without service"

func (m measured) service() spread {
	for _, row := range m.Rows {
		if row.Name == withoutService {
			return row.spread
		}
	}
	return spread{}
}

func (m measured) print(profile string) {
	fmt.Printf("\n%d %s, automatic approval, profile %s; %d acknowledged writes gone; seconds\n\n", m.Runs, m.heading, profile, m.Lost)
	fmt.Printf("%-52s %8s %8s %8s\n", "", "min", "median", "max")
	for _, r := range m.Rows {
		fmt.Printf("%-52s %8.3f %8.3f %8.3f\n", r.Name, r.Min, r.Median, r.Max)
	}
}

// publish prints everything as one line of JSON.
func publish(done []measured, profile string) error {
	line, err := json.Marshal(struct {
		Profile string     `json:"profile"`
		Courses []measured `json:"courses"`
	}{profile, done})
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", line)
	return nil
}
