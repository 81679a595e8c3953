package main

import (
	"context"

	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
)

// replication measures how far replicas are behind, whenever an activity reads the servers of a database for a recovery. The
// activities need not think of it.
type replication struct {
	interceptor.WorkerInterceptorBase
}

func (r *replication) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &reading{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type reading struct {
	interceptor.ActivityInboundInterceptorBase
}

func (r *reading) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := r.Next.ExecuteActivity(ctx, in)
	read, ok := result.(postgres.ReadServersResult)
	if err != nil || !ok || len(in.Args) == 0 {
		return result, err
	}
	if params, ok := in.Args[0].(postgres.ReadServersParams); ok {
		tellLag(activity.GetMetricsHandler(ctx), params.Database, read)
	}
	return result, nil
}

// tellLag measures each replica that was reached, with the moment of the measurement: a gauge stands until the next one.
func tellLag(metrics client.MetricsHandler, database string, read postgres.ReadServersResult) {
	end := primaryEnd(read.Servers)
	for _, server := range read.Servers {
		if !server.Reached || !server.InRecovery {
			continue
		}
		of := metrics.WithTags(map[string]string{"database": database, "replica": server.Pod})
		of.Gauge("fukkyu_replication_measured_timestamp_seconds").Update(unix(read.At))
		has := max(server.ReceiveLSN, server.ReplayLSN)
		if end > 0 {
			of.Gauge("fukkyu_replication_lag_bytes").Update(float64(max(end, has) - has))
		}
		switch {
		case server.Receiving && end > 0 && server.ReplayLSN >= end:
			of.Gauge("fukkyu_replication_lag_seconds").Update(0) // an idle primary does not make its replicas late
		case !server.LastCommit.IsZero():
			of.Gauge("fukkyu_replication_lag_seconds").Update(max(0, read.At.Sub(server.LastCommit)).Seconds())
		}
	}
}

// primaryEnd is where the primary's WAL is known to end: by its own word, or by what it last told a replica. 0: nobody knows.
func primaryEnd(servers []postgres.Server) postgres.LSN {
	var end postgres.LSN
	for _, server := range servers {
		switch {
		case !server.Reached:
		case server.InRecovery:
			end = max(end, server.PrimaryEnd)
		default:
			end = max(end, server.ReceiveLSN)
		}
	}
	return end
}
