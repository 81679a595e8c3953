// Package telemetry is what the machines of operators see of a program: metrics for Prometheus, and traces by OpenTelemetry.
//
// A recovery never waits for any of it, and never fails with it.
package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// buckets are the bounds of histograms, in seconds: from one read of a server, to a person who is asked at night.
// OpenTelemetry's own are meant for milliseconds and would put everything into the first.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// Metrics collects what a program measures, until Prometheus asks.
type Metrics struct {
	registry *prometheus.Registry
	meter    metric.Meter
	logger   *slog.Logger
}

// NewMetrics starts to collect, with the measurements of the Go runtime and of the process to begin with. What cannot be
// measured later is written to logger.
func NewMetrics(logger *slog.Logger) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("prepare metrics for Prometheus: %w", err)
	}
	inSeconds := sdk.NewView(
		sdk.Instrument{Kind: sdk.InstrumentKindHistogram, Unit: "s"},
		sdk.Stream{Aggregation: sdk.AggregationExplicitBucketHistogram{Boundaries: buckets}},
	)
	provider := sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithView(inSeconds))
	return &Metrics{registry: registry, meter: provider.Meter("fukkyu"), logger: logger}, nil
}

// Meter makes instruments.
func (m *Metrics) Meter() metric.Meter { return m.meter }

// Handler serves everything collected, as Prometheus reads it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.logger.Handler(), slog.LevelWarn),
		// One metric that cannot be had must not hide the others.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// Temporal is where Temporal's SDK, and through it workflows and activities, tell what they measure.
func (m *Metrics) Temporal() client.MetricsHandler {
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                m.meter,
		UseMonotonicCounters: true, // else Prometheus would be told that counters are gauges
		OnError:              func(err error) { m.logger.Warn("not measured", "error", err) },
	})
}
