package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// run is one disaster, recovered once, in seconds from the command on.
type run struct {
	Healthy float64  `json:"healthy"`          // until everything was healthy and stayed so; 0 when it never was
	Took    float64  `json:"took"`             // until the command ended
	GaveUp  bool     `json:"gaveUp,omitempty"` // it was ended, because it took longer than the limit
	Left    []string `json:"left,omitempty"`   // what was broken when it had ended
}

func (r run) String() string {
	return fmt.Sprintf("all healthy after %s s, ended after %.1f s%s, left broken: %s", r.healthy(), r.Took, r.limit(), r.left())
}

func (r run) healthy() string {
	if r.Healthy == 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f", r.Healthy)
}

func (r run) limit() string {
	if r.GaveUp {
		return " (by the limit)"
	}
	return ""
}

// left names what is broken, each once and without what it says.
func (r run) left() string {
	var names []string
	for _, one := range r.Left {
		name, _, _ := strings.Cut(one, ":")
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) > 3:
		return fmt.Sprintf("%d services", len(names))
	default:
		return strings.Join(names, ", ")
	}
}

// result is what a rescuer did about a disaster.
type result struct {
	Disaster string `json:"disaster"`
	By       string `json:"by"`
	Services int    `json:"services"`
	Runs     []run  `json:"runs"`

	heading string
}

// median is the run in the middle by its time until everything was healthy; one that never came to that is the slowest.
func (r result) median() run {
	runs := slices.SortedFunc(slices.Values(r.Runs), func(a, b run) int {
		switch {
		case a.Healthy == b.Healthy:
			return 0
		case b.Healthy == 0 || a.Healthy != 0 && a.Healthy < b.Healthy:
			return -1
		default:
			return 1
		}
	})
	return runs[len(runs)/2]
}

// publish prints a table of the medians, and everything as one line of JSON.
func publish(results []result) error {
	fmt.Printf("\n%-10s %8s  %-17s %13s %9s  %s\n", "disaster", "services", "by", "all healthy s", "ended s", "left broken")
	for _, r := range results {
		middle := r.median()
		fmt.Printf("%-10s %8d  %-17s %13s %9.1f  %s%s\n", r.Disaster, r.Services, r.By, middle.healthy(), middle.Took, middle.left(), middle.limit())
	}
	fmt.Println()
	for i, r := range results {
		if i == 0 || results[i-1].Disaster != r.Disaster {
			fmt.Printf("%s: %s\n", r.Disaster, r.heading)
		}
	}
	line, err := json.Marshal(results)
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	fmt.Printf("\n%s\n", line)
	return nil
}
