// Package temporalclient connects to Temporal as the temporal command does: by the profiles of its configuration file and
// the TEMPORAL_ environment variables.
package temporalclient

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
)

// dialTimeout bounds the first connection. A Temporal server that is up answers in milliseconds.
const dialTimeout = 3 * time.Second

// Options lift single settings out of the configuration. Empty ones leave it as it is.
type Options struct {
	Address   string
	Namespace string
	Profile   string
	Logger    *slog.Logger
	// Metrics is told what the SDK measures, and Interceptors see every call; both may be nil.
	Metrics      client.MetricsHandler
	Interceptors []interceptor.ClientInterceptor
}

// Unreachable is a Temporal server that does not answer.
type Unreachable struct {
	Address string
	Cause   error
}

// Error says where the server was looked for and how to look elsewhere.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("Temporal does not answer at %s: %s; set --address, TEMPORAL_ADDRESS or a profile of the temporal command", u.Address, u.Cause)
}

// Unwrap is what the connection said.
func (u *Unreachable) Unwrap() error { return u.Cause }

// Dial connects. Errors: Unreachable, or a configuration that cannot be read.
func Dial(ctx context.Context, options Options) (client.Client, error) {
	settings, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: options.Profile})
	if err != nil {
		return nil, fmt.Errorf("read the Temporal configuration: %w", err)
	}
	if options.Address != "" {
		settings.HostPort = options.Address
	}
	if settings.HostPort == "" {
		settings.HostPort = client.DefaultHostPort
	}
	if options.Namespace != "" {
		settings.Namespace = options.Namespace
	}
	if options.Logger != nil {
		settings.Logger = log.NewStructuredLogger(options.Logger)
	}
	if options.Metrics != nil {
		settings.MetricsHandler = options.Metrics
	}
	settings.Interceptors = append(settings.Interceptors, options.Interceptors...)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	connection, err := client.DialContext(ctx, settings)
	if err != nil {
		return nil, &Unreachable{Address: settings.HostPort, Cause: err}
	}
	return connection, nil
}

// Namespace is the namespace that Dial would use.
func Namespace(options Options) (string, error) {
	if options.Namespace != "" {
		return options.Namespace, nil
	}
	settings, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: options.Profile})
	if err != nil {
		return "", fmt.Errorf("read the Temporal configuration: %w", err)
	}
	if settings.Namespace == "" {
		return client.DefaultNamespace, nil
	}
	return settings.Namespace, nil
}
