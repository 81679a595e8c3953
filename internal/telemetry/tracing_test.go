package telemetry_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/telemetry"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
)

// enough is when a program is taken to be delayed by its traces: the two seconds that it may take, and slack for a busy machine.
const enough = 4 * time.Second

// traced returns tracing towards a collector at endpoint.
func traced(t *testing.T, endpoint string) telemetry.Tracing {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	tracing, err := telemetry.NewTracing(t.Context(), "fukkyu-worker", "1.2.3", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return tracing
}

// act performs one activity under the interceptors of tracing.
func act(t *testing.T, tracing telemetry.Tracing) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	environment := suite.NewTestActivityEnvironment()
	var interceptors []interceptor.WorkerInterceptor
	for _, both := range tracing.Interceptors() {
		interceptors = append(interceptors, both.(interceptor.WorkerInterceptor))
	}
	environment.SetWorkerOptions(worker.Options{Interceptors: interceptors})
	environment.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "Promote"})
	_, err := environment.ExecuteActivity("Promote")
	require.NoError(t, err)
}

func TestTracing_WithoutACollectorInTheEnvironment_IsOff(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing is set":     {},
		"an empty endpoint":  {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		"the SDK is off":     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_SDK_DISABLED": "true"},
		"there is no export": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range environment {
				t.Setenv(key, value)
			}
			tracing, err := telemetry.NewTracing(t.Context(), "fukkyu", "1.2.3", slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			require.Empty(t, tracing.Interceptors())
			tracing.Stop()
		})
	}
}

// inbox is a collector.
type inbox struct {
	collector.UnimplementedTraceServiceServer
	spans chan *collector.ExportTraceServiceRequest
}

func (i inbox) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	i.spans <- request
	return &collector.ExportTraceServiceResponse{}, nil
}

func TestTracing_Stop_SendsWhatIsLeft(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	received := inbox{spans: make(chan *collector.ExportTraceServiceRequest, 1)}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, received)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	tracing := traced(t, "http://"+listener.Addr().String())
	act(t, tracing)

	tracing.Stop()

	sent := (<-received.spans).GetResourceSpans()[0]
	require.Equal(t, "RunActivity:Promote", sent.GetScopeSpans()[0].GetSpans()[0].GetName())
	described := map[string]string{}
	for _, attribute := range sent.GetResource().GetAttributes() {
		described[attribute.GetKey()] = attribute.GetValue().GetStringValue()
	}
	require.Equal(t, "fukkyu-worker", described["service.name"])
	require.Equal(t, "1.2.3", described["service.version"])
}

func TestTracing_TheCollectorIsGone_DelaysTheEndByAFewSecondsAtMost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // nobody accepts: connections stand in the queue and are never answered
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refusing.Close())
	for name, address := range map[string]string{"it refuses": refusing.Addr().String(), "it is silent": listener.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			tracing := traced(t, "http://"+address)
			act(t, tracing)
			began := time.Now()

			tracing.Stop()

			require.Less(t, time.Since(began), enough)
		})
	}
}
