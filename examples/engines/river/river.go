// Package river lets jobs of River wait for their turn in a scheduler.
package river

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Args has the URL that a job calls, and the customer.
type Args struct{ URL, Customer string }

// Kind implements river.JobArgs.
func (Args) Kind() string { return "call" }

// InsertOpts implements river.JobArgsWithInsertOpts. The queue has the jobs of one quota, and no others.
func (Args) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "api"} }

// Config configures the scheduler of a worker process. All processes share the limit through the store.
func Config(limit bucket.Limit, store bucket.Store, perCustomer bucket.Limit) scheduler.Config {
	return scheduler.Config{
		Limit:  limit,
		Store:  store,
		PerKey: scheduler.PerKey{Limit: perCustomer},
		Retry:  retry.Policy{MaxRetries: retry.None}, // River retries, and nothing else
	}
}

// Client returns the client of a worker process. Stop it before the scheduler is closed.
func Client(pool *pgxpool.Pool, worker river.Worker[Args]) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	return river.NewClient(riverpgxv5.New(pool), &river.Config{
		Workers: workers,
		Queues:  map[string]river.QueueConfig{"api": {MaxWorkers: slots}},
	})
}

const (
	slots   = 12              // how many jobs a process runs at a time; two of them need 21
	longest = 3 * time.Second // a job that would wait longer gives its slot back
	late    = time.Second     // how late River may take up a job: its FetchPollInterval
)

// Worker makes the calls of jobs. A job whose turn comes soon waits for it in its slot, so that the call is made at that
// instant. One whose turn comes later, because of a server's wait or of its customer's limit, is snoozed until then.
// A snooze is not one of the job's attempts.
type Worker struct {
	river.WorkerDefaults[Args]
	Scheduler *scheduler.Scheduler
}

// Work implements river.Worker.
func (w *Worker) Work(ctx context.Context, job *river.Job[Args]) error {
	err := w.Scheduler.Do(ctx, func(ctx context.Context) error {
		return call.Post(ctx, job.Args.URL, strconv.FormatInt(job.ID, 10))
	}, scheduler.Key(job.Args.Customer), scheduler.MaxWait(longest))
	if at, known := scheduler.RetryAt(err); known {
		return river.JobSnooze(max(0, at.Sub(w.Scheduler.Now())-late))
	}
	if errors.Is(err, scheduler.ErrWouldWait) { // it is not known when, since the store is away
		return river.JobSnooze(longest)
	}
	return err // an attempt of River's
}
