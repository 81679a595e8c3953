package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
)

func newMetrics(t *testing.T) *telemetry.Metrics {
	t.Helper()
	metrics, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return metrics
}

func scrape(t *testing.T, metrics *telemetry.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	require.Equal(t, 200, answer.Code)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}

func TestMetrics_OfTemporal_HaveTheTypesAndUnitsOfPrometheus(t *testing.T) {
	metrics := newMetrics(t)
	handler := metrics.Temporal().WithTags(map[string]string{"task_queue": "fukkyu"})

	handler.Counter("temporal_request").Inc(2)
	handler.Timer("temporal_request_latency").Record(40 * time.Millisecond)
	handler.Gauge("temporal_num_pollers").Update(3)

	served := scrape(t, metrics)
	require.Contains(t, served, "# TYPE temporal_request_total counter")
	require.Contains(t, served, `temporal_request_total{task_queue="fukkyu"} 2`)
	require.Contains(t, served, `temporal_num_pollers{task_queue="fukkyu"} 3`)
	require.Contains(t, served, `temporal_request_latency_seconds_bucket{task_queue="fukkyu",le="0.025"} 0`)
	require.Contains(t, served, `temporal_request_latency_seconds_bucket{task_queue="fukkyu",le="0.05"} 1`)
	require.Contains(t, served, "process_start_time_seconds")
}

func failing(context.Context, metric.Float64Observer) error { return errors.New("cannot be read") }

func TestMetrics_AnInstrumentThatFails_HidesNoOther(t *testing.T) {
	metrics := newMetrics(t)
	_, err := metrics.Meter().Float64ObservableGauge("fukkyu_broken", metric.WithFloat64Callback(failing))
	require.NoError(t, err)
	metrics.Temporal().Counter("temporal_request").Inc(1)

	require.Contains(t, scrape(t, metrics), "temporal_request_total 1")
}

func TestMetrics_ANameThatPrometheusCannotTake_IsLoggedAndNotFatal(t *testing.T) {
	var log strings.Builder
	metrics, err := telemetry.NewMetrics(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)

	metrics.Temporal().Counter("").Inc(1)

	require.Contains(t, log.String(), "not measured")
}
