// Package asynq lets tasks of asynq wait for their turn in a scheduler.
package asynq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hibiken/asynq"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Args has the URL that a task calls, and the customer.
type Args struct{ URL, Customer string }

// Task returns a task. A Handler counts its failures, and asynq must not: see README.md.
func Task(args Args) *asynq.Task {
	payload, _ := json.Marshal(args) // strings are never an error
	return asynq.NewTask("call", payload, asynq.MaxRetry(math.MaxInt32))
}

// Config configures the scheduler of a worker process. All processes share the limit through the store.
func Config(limit bucket.Limit, store bucket.Store, perCustomer bucket.Limit) scheduler.Config {
	return scheduler.Config{
		Limit:  limit,
		Store:  store,
		PerKey: scheduler.PerKey{Limit: perCustomer},
		Retry:  retry.Policy{MaxRetries: retry.None}, // asynq retries, and nothing else
	}
}

const (
	longest = 5 * time.Second // a task that would wait longer gives its slot back
	late    = 2 * time.Second // how late asynq may take up a task: it looks for due ones and for new ones each second
	retries = 5               // of a call that fails
)

// Handler makes the calls of tasks. A task whose turn comes soon waits for it in its slot, so that the call is made at
// that instant. One whose turn comes later, because of a server's wait or of its customer's limit, is handed back until
// then, which does not count as a failure.
type Handler struct{ Scheduler *scheduler.Scheduler }

// ProcessTask implements asynq.Handler.
func (h *Handler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	var args Args
	if err := json.Unmarshal(t.Payload(), &args); err != nil {
		return fmt.Errorf("%w: %w", asynq.SkipRetry, err)
	}
	id, _ := asynq.GetTaskID(ctx)
	err := h.Scheduler.Do(ctx, func(ctx context.Context) error {
		return call.Post(ctx, args.URL, id)
	}, scheduler.Key(args.Customer), scheduler.MaxWait(longest))
	if at, known := scheduler.RetryAt(err); known {
		return &later{max(0, at.Sub(h.Scheduler.Now())-late), err}
	}
	if errors.Is(err, scheduler.ErrWouldWait) || errors.Is(err, scheduler.ErrClosed) { // it is not known when
		return &later{longest, err}
	}
	if failed, _ := asynq.GetRetryCount(ctx); err != nil && failed >= retries {
		return fmt.Errorf("%w: %w", asynq.SkipRetry, err)
	}
	return err
}

// later is the error of a task that is handed back.
type later struct {
	wait time.Duration
	error
}

// Server returns the configuration of an asynq server with a number of slots.
func Server(slots int) asynq.Config {
	return asynq.Config{
		Concurrency:              slots,
		DelayedTaskCheckInterval: time.Second, // 5 s by default
		IsFailure:                func(err error) bool { return !errors.As(err, new(*later)) },
		RetryDelayFunc: func(n int, err error, t *asynq.Task) time.Duration {
			if l := (*later)(nil); errors.As(err, &l) {
				return l.wait
			}
			return asynq.DefaultRetryDelayFunc(n, err, t)
		},
	}
}
