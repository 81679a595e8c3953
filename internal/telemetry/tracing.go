package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

const (
	// flushTimeout is how long the end of a program waits for its last spans to be taken.
	flushTimeout = 2 * time.Second
	// complaintInterval is the pause between two log lines about a collector that does not take spans. It may be gone for
	// the whole disaster, and the log has better things to tell.
	complaintInterval = time.Minute
)

// Tracing sends spans of workflows and activities to a collector. The zero value is tracing that is off.
type Tracing struct {
	provider    *trace.TracerProvider
	interceptor interceptor.Interceptor
}

// NewTracing traces the program called service when the standard environment of OpenTelemetry names a collector, and
// returns tracing that is off otherwise. The collector need not be there. The error is an environment that cannot be used.
func NewTracing(ctx context.Context, service, version string, logger *slog.Logger) (Tracing, error) {
	if !wanted() {
		return Tracing{}, nil
	}
	otel.SetErrorHandler(&complaints{logger: logger}) // the SDK has no other way to say that spans were lost
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return Tracing{}, fmt.Errorf("prepare traces for OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	// The environment comes last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES know better.
	program := resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", version))
	described, err := resource.New(ctx, program, resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return Tracing{}, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(described))
	traced, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:              provider.Tracer("fukkyu"),
		DisableQueryTracing: true, // whoever watches a run asks for its status again and again
		// A header that somebody else wrote must not keep a recovery from starting.
		AllowInvalidParentSpans: true,
	})
	if err != nil {
		return Tracing{}, fmt.Errorf("prepare traces: %w", err)
	}
	return Tracing{provider: provider, interceptor: traced}, nil
}

// wanted reads the environment as the specification of OpenTelemetry has it.
func wanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Interceptors belong into the options of a Temporal client, whose workers are traced with it. Tracing that is off has none.
func (t Tracing) Interceptors() []interceptor.ClientInterceptor {
	if t.interceptor == nil {
		return nil
	}
	return []interceptor.ClientInterceptor{t.interceptor}
}

// Stop sends what is left. A collector that does not answer delays it by two seconds at most.
func (t Tracing) Stop() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(fmt.Errorf("send the last spans: %w", err))
	}
}

// complaints writes errors of the tracing SDK to the log, one a minute.
type complaints struct {
	mutex  sync.Mutex
	logger *slog.Logger
	last   time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if time.Since(c.last) < complaintInterval {
		return
	}
	c.last = time.Now()
	c.logger.Warn("traces are not sent", "error", err)
}
