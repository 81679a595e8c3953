package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/activities/application"
	"github.com/shodo-ecosystem/fukkyu/activities/diagnose"
	"github.com/shodo-ecosystem/fukkyu/activities/history"
	"github.com/shodo-ecosystem/fukkyu/activities/kubernetes"
	"github.com/shodo-ecosystem/fukkyu/activities/lease"
	"github.com/shodo-ecosystem/fukkyu/activities/notify"
	"github.com/shodo-ecosystem/fukkyu/activities/pgbouncer"
	"github.com/shodo-ecosystem/fukkyu/activities/pin"
	"github.com/shodo-ecosystem/fukkyu/activities/postgres"
	"github.com/shodo-ecosystem/fukkyu/activities/power"
	"github.com/shodo-ecosystem/fukkyu/activities/redis"
	"github.com/shodo-ecosystem/fukkyu/activities/volume"
	"github.com/shodo-ecosystem/fukkyu/internal/build"
	"github.com/shodo-ecosystem/fukkyu/plan"
	"github.com/shodo-ecosystem/fukkyu/runbook"
	"github.com/shodo-ecosystem/fukkyu/workflows"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
)

const (
	// drainTimeout is how long activities may go on after SIGTERM. Longer than any of their patiences, shorter than the grace
	// period of the worker's pod.
	drainTimeout = 30 * time.Second
	// stickyTimeout is how long Temporal offers a workflow task to the worker that had the workflow last: the pause that a
	// recovery makes when that worker has died.
	stickyTimeout = time.Second
	// heartbeatThrottle lets heartbeats through to the server. The SDK's own limit of 60 s would hide a dead worker.
	heartbeatThrottle = 400 * time.Millisecond
	// pollers is how many tasks of each kind a worker waits for at the same time. A server keeps a task queue in four partitions, and passes
	// tasks on from one where nobody waits 10 times a second at most: two of ours wait at each. With the SDK's two in all, a burst of a full
	// outage was once seen to stand still for a minute. That this was the reason is likely, because one wait lasts as long, and not proven.
	pollers = 8
)

// team is one Temporal worker for each task queue: one for workflows, one for each region's activities.
type team struct {
	workers []worker.Worker
	queues  []string
}

func newTeam(connection client.Client, namespace string, pinned plan.Pinned, site plan.Site) (*team, error) {
	clusters, err := kubernetes.Connect(site)
	if err != nil {
		return nil, err
	}
	messages, err := notify.New(site.Channels, notify.Patience)
	if err != nil {
		return nil, err
	}
	t := &team{}
	home := t.add(connection, runbook.Queue)
	workflows.Register(home)
	home.RegisterActivity(&pin.Activities{Pinned: pinned, Build: build.Version()})
	home.RegisterActivity(&history.Activities{Client: connection, Namespace: namespace})
	home.RegisterActivity(messages)
	credentials := kubernetes.Credentials{Clusters: clusters, Plan: pinned.Plan, Site: site}
	for _, region := range site.Regions {
		place := t.add(connection, runbook.RegionQueue(region.Name))
		place.RegisterActivity(kubernetes.New(clusters))
		place.RegisterActivity(lease.New(clusters, holders{connection: connection, namespace: namespace}))
		place.RegisterActivity(postgres.New(credentials))
		place.RegisterActivity(redis.New())
		place.RegisterActivity(pgbouncer.New(clusters))
		place.RegisterActivity(volume.New(clusters, site))
		place.RegisterActivity(power.New(site))
		place.RegisterActivity(application.New(site))
		place.RegisterActivity(diagnose.New(clusters, credentials, site))
	}
	return t, nil
}

func (t *team) add(connection client.Client, queue string) worker.Worker {
	member := worker.New(connection, queue, worker.Options{
		WorkerStopTimeout:                drainTimeout,
		StickyScheduleToStartTimeout:     stickyTimeout,
		MaxConcurrentActivityTaskPollers: pollers,
		MaxConcurrentWorkflowTaskPollers: pollers,
		MaxHeartbeatThrottleInterval:     heartbeatThrottle,
		DefaultHeartbeatThrottleInterval: heartbeatThrottle,
		DisableRegistrationAliasing:      true, // a type that is not registered is an error, not a guess
		Interceptors:                     append([]interceptor.WorkerInterceptor{&heartbeats{}, &replication{}}, faultPoints()...),
	})
	t.workers, t.queues = append(t.workers, member), append(t.queues, queue)
	return member
}

func (t *team) start() error {
	for i, member := range t.workers {
		if err := member.Start(); err != nil {
			return fmt.Errorf("start the worker of task queue %s: %w", t.queues[i], err)
		}
	}
	return nil
}

// stop drains the workers all together, so that the timeout counts once.
func (t *team) stop() {
	done := make(chan struct{})
	for _, member := range slices.Backward(t.workers) {
		go func() {
			member.Stop()
			done <- struct{}{}
		}()
	}
	for range t.workers {
		<-done
	}
}

// holders asks Temporal whether the run that holds a lease is closed.
type holders struct {
	connection client.Client
	namespace  string
}

// Closed looks up "workflow ID/run ID". A run that Temporal no longer knows is closed, and has been for the namespace's retention.
func (h holders) Closed(ctx context.Context, holder string) (bool, time.Time, error) {
	cut := strings.LastIndexByte(holder, '/')
	if cut < 0 {
		return false, time.Time{}, fmt.Errorf("holder %q is not a workflow and a run", holder)
	}
	described, err := h.connection.DescribeWorkflowExecution(ctx, holder[:cut], holder[cut+1:])
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return true, time.Time{}, nil
	}
	if err != nil {
		return false, time.Time{}, err
	}
	closed := described.GetWorkflowExecutionInfo().GetCloseTime()
	if closed == nil {
		return false, time.Time{}, nil
	}
	return true, closed.AsTime(), nil
}
