// Package backlite lets tasks of backlite, which a process keeps in SQLite, wait for their turn in a scheduler.
package backlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mikestefanello/backlite"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Call is a task. Its ID is the same whenever it is handed back.
type Call struct{ ID, URL, Customer string }

// Config implements backlite.Task.
func (Call) Config() backlite.QueueConfig {
	return backlite.QueueConfig{
		Name:        "calls",
		MaxAttempts: 6,
		Backoff:     5 * time.Second,
		Retention:   &backlite.Retention{OnlyFailed: true, Data: &backlite.RetainData{}},
	}
}

// Config configures the scheduler of the process.
func Config(limit, perCustomer bucket.Limit) scheduler.Config {
	return scheduler.Config{
		Limit:  limit,
		PerKey: scheduler.PerKey{Limit: perCustomer},
		Retry:  retry.Policy{MaxRetries: retry.None}, // backlite retries, and nothing else
	}
}

const longest = 2500 * time.Millisecond // a task that would wait longer gives its slot back

// New returns a client of a queue with a number of slots. After releaseAfter, backlite takes the process of a task for dead
// and runs the task again, so that must be longer than any task takes.
func New(db *sql.DB, q backlite.Queue, slots int, releaseAfter time.Duration) (*backlite.Client, error) {
	db.SetMaxOpenConns(1) // SQLite has one writer
	c, err := backlite.NewClient(backlite.ClientConfig{DB: db, NumWorkers: slots, ReleaseAfter: releaseAfter})
	if err != nil {
		return nil, err
	}
	c.Register(q)
	return c, c.Install()
}

// Add adds tasks that are due at an instant. Backlite would prefer a task without an instant to all others.
func Add(c *backlite.Client, due time.Time, calls ...Call) error {
	tasks := make([]backlite.Task, len(calls))
	for i, t := range calls {
		tasks[i] = t
	}
	_, err := c.Add(tasks...).At(due).Save()
	return err
}

// Watch makes backlite look for tasks regularly until ctx is done. By itself it does not look for those of a process
// that has died.
func Watch(ctx context.Context, c *backlite.Client, every time.Duration) {
	for {
		select {
		case <-time.After(every):
			c.Notify()
		case <-ctx.Done():
			return
		}
	}
}

// Queue returns the queue of calls. A task whose turn comes soon waits for it in its slot, so that the call is made at
// that instant. One whose turn comes later, because of a server's wait or of its customer's limit, is handed back as a
// new task that is due then.
func Queue(s *scheduler.Scheduler) backlite.Queue {
	return backlite.NewQueue(func(ctx context.Context, t Call) error {
		err := s.Do(ctx, func(ctx context.Context) error {
			return call.Post(ctx, t.URL, t.ID)
		}, scheduler.Key(t.Customer), scheduler.MaxWait(longest))
		if at, known := scheduler.RetryAt(err); known {
			return Add(backlite.FromContext(ctx), at, t)
		}
		if errors.Is(err, scheduler.ErrWouldWait) { // it is not known when
			return Add(backlite.FromContext(ctx), s.Now().Add(longest), t)
		}
		return err // an attempt of backlite's
	})
}
