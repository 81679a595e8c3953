package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/shodo-ecosystem/fukkyu/e2e/estate"
	"github.com/shodo-ecosystem/fukkyu/e2e/patroni"
)

// rival is what is done to Patroni, beside the course that does the same to us. What counts for both is what the customer
// sees: the longest time without an acknowledged write.
type rival struct {
	name   string
	course string // ours
	timing patroni.Timing
	do     func(context.Context, estate.Estate) error
}

var rivals = []rival{
	{"node loss, Patroni's default timing", "failover", patroni.Default, patroni.LoseLeader},
	{"node loss, Patroni's fastest timing", "failover", patroni.Fastest, patroni.LoseLeader},
	{"planned switchover", "switchover", patroni.Fastest, patroni.Switchover},
}

// compared is one line of the comparison, in seconds.
type compared struct {
	Name      string  `json:"name"`
	Ours      spread  `json:"ours"`
	Theirs    spread  `json:"theirs"`
	Ratio     float64 `json:"ratio"`     // of the medians, ours by theirs
	OursLost  int     `json:"oursLost"`  // acknowledged writes that are gone, in all runs
	TheirLost int     `json:"theirLost"` // the same
}

// againstPatroni measures Patroni on a lab of the same kind and prints it beside what was measured of us.
func againstPatroni(ctx context.Context, e estate.Estate, ours []measured, runs int, flags []string) error {
	var lines []compared
	for _, rival := range rivals {
		at := slices.IndexFunc(ours, func(own measured) bool { return own.Course == rival.course })
		if at < 0 {
			continue // nothing of ours to hold it against
		}
		theirs, lost, err := challenge(ctx, e, rival, runs, flags)
		if err != nil {
			return fmt.Errorf("%s: %w", rival.name, err)
		}
		line := compared{Name: rival.name, Ours: ours[at].service(), Theirs: theirs, OursLost: ours[at].Lost, TheirLost: lost}
		line.Ratio = line.Ours.Median / line.Theirs.Median
		lines = append(lines, line)
	}
	fmt.Printf("\ncustomers without service, seconds, %d runs each\n\n%-40s %24s %24s %14s %12s\n", runs, "", "ours min/median/max", "Patroni min/median/max", "ours ÷ theirs", "writes lost")
	for _, line := range lines {
		fmt.Printf("%-40s %8.2f%8.2f%8.2f %8.2f%8.2f%8.2f %14.2f %5d %6d\n", line.Name, line.Ours.Min, line.Ours.Median, line.Ours.Max,
			line.Theirs.Min, line.Theirs.Median, line.Theirs.Max, line.Ratio, line.OursLost, line.TheirLost)
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", text)
	return nil
}

// challenge brings up a lab with Patroni and does the same to it again and again.
func challenge(ctx context.Context, e estate.Estate, rival rival, runs int, flags []string) (spread, int, error) {
	if _, err := e.Lab(ctx, "down"); err != nil {
		return spread{}, 0, err
	}
	if _, err := e.Lab(ctx, append([]string{"up", "--packages", "patroni"}, flags...)...); err != nil {
		return spread{}, 0, err
	}
	if err := patroni.Install(ctx, e, rival.timing); err != nil {
		return spread{}, 0, err
	}
	var samples []sample
	lost := 0
	for i := range runs {
		verdict, err := endure(ctx, e, rival)
		if err != nil {
			return spread{}, 0, fmt.Errorf("run %d: %w", i+1, err)
		}
		samples, lost = append(samples, sample{service: verdict.LongestGap.Seconds}), lost+verdict.LostCount
		fmt.Fprintf(os.Stderr, "%s %d of %d: customers without service %.3f s, %d acknowledged writes gone\n", rival.name, i+1, runs, verdict.LongestGap.Seconds, verdict.LostCount)
	}
	return spreadOf(samples, func(s sample) float64 { return s.service }), lost, nil
}

// servedPatience is how long customers may wait for Patroni.
const servedPatience = 2 * time.Minute

// endure does it once, and waits until customers have been served again for a while and the cluster is whole.
func endure(ctx context.Context, e estate.Estate, rival rival) (estate.Verdict, error) {
	var verdict estate.Verdict
	if err := e.Each(ctx, "referee start"); err != nil {
		return verdict, err
	}
	began := time.Now()
	if err := rival.do(ctx, e); err != nil {
		return verdict, err
	}
	err := estate.Await(ctx, "customers to be served", servedPatience, func() (bool, string) {
		now, err := e.Verdict(ctx)
		return err == nil && now.LongestGap.End.After(began) && time.Since(now.LongestGap.End) > time.Second, fmt.Sprint(now.LongestGap)
	})
	if err != nil {
		return verdict, err
	}
	if err := e.Each(ctx, "referee stop"); err != nil {
		return verdict, err
	}
	if verdict, err = e.Verdict(ctx); err != nil {
		return verdict, err
	}
	if err := e.Each(ctx, "mend all"); err != nil {
		return verdict, err
	}
	return verdict, patroni.AwaitWhole(ctx, e)
}
