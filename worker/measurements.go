package main

import (
	"context"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/build"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// measurements are the gauges of a worker: what it is, and what it knows of the runs. They are taken when Prometheus asks, so
// that a run which is closed is gone from them at once. docs/metrics.md says what each of them means.
type measurements struct {
	build                           metric.Float64ObservableGauge
	objectiveRTO, objectiveRPO      metric.Float64ObservableGauge
	read                            metric.Float64ObservableGauge
	runsOpen, questionsOpen         metric.Float64ObservableGauge
	run, deadline                   metric.Float64ObservableGauge
	last, lastEnd, missing, success metric.Float64ObservableGauge
	targetRTO, measuredRTO          metric.Float64ObservableGauge
	targetRPO, measuredRPO          metric.Float64ObservableGauge
}

// measure has meter ask what pinned and site say and what runs knows.
func measure(meter metric.Meter, pinned plan.Pinned, site plan.Site, runs *runs) error {
	var m measurements
	named := []struct {
		gauge      *metric.Float64ObservableGauge
		name, unit string
	}{
		{&m.build, "fukkyu_build_info", ""},
		{&m.objectiveRTO, "fukkyu_objective_rto", "s"},
		{&m.objectiveRPO, "fukkyu_objective_rpo", "s"},
		{&m.read, "fukkyu_runs_read_timestamp", "s"},
		{&m.runsOpen, "fukkyu_runs_open", ""},
		{&m.questionsOpen, "fukkyu_questions_open", ""},
		{&m.run, "fukkyu_run_info", ""},
		{&m.deadline, "fukkyu_run_deadline_timestamp", "s"},
		{&m.last, "fukkyu_last_run_info", ""},
		{&m.lastEnd, "fukkyu_last_run_timestamp", "s"},
		{&m.missing, "fukkyu_last_run_missing", ""},
		{&m.success, "fukkyu_last_success_timestamp", "s"},
		{&m.targetRTO, "fukkyu_rto_target", "s"},
		{&m.measuredRTO, "fukkyu_rto_measured", "s"},
		{&m.targetRPO, "fukkyu_rpo_target", "s"},
		{&m.measuredRPO, "fukkyu_rpo_measured", "s"},
	}
	var all []metric.Observable
	for _, gauge := range named {
		made, err := meter.Float64ObservableGauge(gauge.name, metric.WithUnit(gauge.unit))
		if err != nil {
			return fmt.Errorf("measure %s: %w", gauge.name, err)
		}
		*gauge.gauge, all = made, append(all, made)
	}
	_, err := meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		m.tellPlan(to, pinned, site)
		runs.mutex.Lock()
		defer runs.mutex.Unlock()
		if !runs.read.IsZero() { // before that there is nothing to tell, and nothing is not the same as no run
			m.tellOpen(to, runs)
			m.tellEnded(to, runs)
		}
		return nil
	}, all...)
	if err != nil {
		return fmt.Errorf("measure runs: %w", err)
	}
	return nil
}

func (m measurements) tellPlan(to metric.Observer, pinned plan.Pinned, site plan.Site) {
	to.ObserveFloat64(m.build, 1, labels("version", build.Version(), "plan", pinned.Plan.Name, "plan_version", pinned.Plan.Version,
		"plan_hash", pinned.Hash, "site", site.Name))
	of := labels("plan", pinned.Plan.Name)
	to.ObserveFloat64(m.objectiveRTO, pinned.Plan.Objectives.RTO.Seconds(), of)
	to.ObserveFloat64(m.objectiveRPO, pinned.Plan.Objectives.RPO.Seconds(), of)
}

func (m measurements) tellOpen(to metric.Observer, runs *runs) {
	to.ObserveFloat64(m.read, unix(runs.read))
	open, asking := map[string]int{}, map[string]int{}
	for _, mode := range runbook.Modes() { // none is a figure too
		open[string(mode)] = 0
	}
	for _, run := range runs.open {
		open[run.mode]++
		if run.asks() {
			asking[run.mode]++
		}
		to.ObserveFloat64(m.run, 1, labels("workflow_id", run.workflowID, "scenario", run.scenario, "mode", run.mode, "phase", run.phase))
		if !run.deadline.IsZero() {
			to.ObserveFloat64(m.deadline, unix(run.deadline), labels("workflow_id", run.workflowID, "scenario", run.scenario, "mode", run.mode))
		}
	}
	for mode, count := range open {
		to.ObserveFloat64(m.runsOpen, float64(count), labels("mode", mode))
		to.ObserveFloat64(m.questionsOpen, float64(asking[mode]), labels("mode", mode))
	}
}

func (m measurements) tellEnded(to metric.Observer, runs *runs) {
	for _, run := range runs.success {
		to.ObserveFloat64(m.success, unix(run.closed), run.labels())
	}
	for _, run := range runs.last {
		of := run.labels()
		to.ObserveFloat64(m.last, 1, of, labels("outcome", string(run.outcome)))
		to.ObserveFloat64(m.lastEnd, unix(run.closed), of)
		to.ObserveFloat64(m.missing, float64(run.missing), of)
		if run.rto.Target > 0 { // a run that left no report had objectives, and nobody can say which
			to.ObserveFloat64(m.targetRTO, run.rto.Target.Seconds(), of)
			to.ObserveFloat64(m.targetRPO, run.rpo.Target.Seconds(), of)
		}
		if run.rto.Measured != nil {
			to.ObserveFloat64(m.measuredRTO, run.rto.Measured.Seconds(), of)
		}
		if run.rpo.Measured != nil {
			to.ObserveFloat64(m.measuredRPO, run.rpo.Measured.Seconds(), of)
		}
	}
}

func (e endedRun) labels() metric.ObserveOption {
	return labels("workflow_id", e.workflowID, "scenario", e.scenario, "mode", e.mode, "target", e.target)
}

// labels are given as names and values in turn.
func labels(pairs ...string) metric.ObserveOption {
	var attributes []attribute.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		attributes = append(attributes, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}

// unix is a moment as Prometheus counts it.
func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
