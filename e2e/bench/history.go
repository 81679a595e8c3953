package main

import (
	"context"
	"fmt"
	"time"

	"github.com/shodo-ecosystem/fukkyu/internal/temporalclient"
	"go.temporal.io/api/enums/v1"
)

// span is when one activity was at work.
type span struct{ start, end time.Time }

// activitiesWithin is how much of the time between two moments at least one activity was at work, that is waited for
// PostgreSQL, Kubernetes, the power switch or the application. The rest of it is ours and Temporal's.
func activitiesWithin(ctx context.Context, id, runID string, from, to time.Time) (time.Duration, error) {
	connection, err := temporalclient.Dial(ctx, temporalclient.Options{})
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	begun := map[int64]time.Time{}
	var spans []span
	events := connection.GetWorkflowHistory(ctx, id, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return 0, fmt.Errorf("read the history of %s: %w", id, err)
		}
		switch event.GetEventType() {
		case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			begun[event.GetEventId()] = event.GetEventTime().AsTime()
		case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			start := begun[event.GetActivityTaskCompletedEventAttributes().GetStartedEventId()]
			spans = append(spans, span{start, event.GetEventTime().AsTime()})
		}
	}
	return union(spans, from, to), nil
}

// union is the length of what spans cover between from and to. They are in the order of their ends.
func union(spans []span, from, to time.Time) time.Duration {
	var covered time.Duration
	edge := to
	for i := len(spans) - 1; i >= 0; i-- { // from the end, so that a long span swallows the short ones inside it
		start, end := spans[i].start, spans[i].end
		if start.Before(from) {
			start = from
		}
		if end.After(edge) {
			end = edge
		}
		if end.After(start) {
			covered += end.Sub(start)
			edge = start
		}
	}
	return covered
}
