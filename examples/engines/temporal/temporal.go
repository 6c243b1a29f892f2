// Package temporal lets activities of Temporal wait for their turn in a scheduler.
package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Queue is the task queue of the activities that share the quota, and of nothing else.
const Queue = "api"

const (
	longest = 3 * time.Second // an activity that would wait longer gives its slot back
	late    = time.Second     // how late Temporal may start an attempt
)

// Config configures the scheduler of a worker process. All processes share the limit through the store.
func Config(limit bucket.Limit, store bucket.Store) scheduler.Config {
	return scheduler.Config{Limit: limit, Store: store, Retry: retry.Policy{MaxRetries: retry.None}} // Temporal retries, and nothing else
}

// Job is a workflow that makes one call. Attempts that are handed back count, so a timeout ends them, and no maximum.
func Job(ctx workflow.Context, url string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              Queue,
		StartToCloseTimeout:    time.Minute, // of an attempt, with the wait in its slot
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 0},
	})
	return workflow.ExecuteActivity(ctx, (*Activities).Call, url).Get(ctx, nil)
}

// Activities make calls.
type Activities struct{ Scheduler *scheduler.Scheduler }

// Call is an activity. If its turn comes soon, it waits for it in its slot, so that the call is made at that instant. If
// its turn comes later, because of a server's wait, it is handed back until then.
func (a *Activities) Call(ctx context.Context, url string) error {
	err := a.Scheduler.Do(ctx, func(ctx context.Context) error {
		return call.Post(ctx, url, activity.GetInfo(ctx).WorkflowExecution.ID)
	}, scheduler.MaxWait(longest))
	if at, known := scheduler.RetryAt(err); known {
		return handBack(err, at.Sub(a.Scheduler.Now())-late)
	}
	if errors.Is(err, scheduler.ErrWouldWait) { // it is not known when, since the store is away
		return handBack(err, longest)
	}
	return err // Temporal's backoff
}

// handBack returns an error after which the next attempt comes in d. Zero would stand for Temporal's backoff.
func handBack(err error, d time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("not yet", "Wait", temporal.ApplicationErrorOptions{
		Cause: err, NextRetryDelay: max(time.Millisecond, d),
	})
}
