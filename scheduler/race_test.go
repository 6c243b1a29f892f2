package scheduler_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// Cancel against grant (C1, one end; H10). Each call is canceled at the instant of its grant.
// Either its function was started and it has paid, or it was not and it has paid nothing.
func TestH10_CancelAgainstGrant(t *testing.T) {
	const calls, cost = 300, 3
	perMilli := scheduler.Config{Limit: bucket.Per(cost, time.Millisecond).Burst(cost * calls), Level: empty}
	watched := scheduler.OnProgress(func(scheduler.Progress) {})
	for name, call := range map[string]func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error{
		"do": func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			cancelIn(cancel)
			return s.Do(ctx, fn, scheduler.Cost(cost))
		},
		"do watched": func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			cancelIn(cancel)
			return s.Do(ctx, fn, scheduler.Cost(cost), watched)
		},
		"submit": func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			cancelIn(cancel)
			h, err := s.Submit(ctx, fn, scheduler.Cost(cost))
			if err != nil {
				return err
			}
			return settled(h)
		},
		"handle": func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error {
			h, err := s.Submit(ctx, fn, scheduler.Cost(cost))
			if err != nil {
				return err
			}
			cancelIn(h.Cancel)
			return settled(h)
		},
		"handle watched": func(s *scheduler.Scheduler, ctx context.Context, cancelIn func(func()), fn func(context.Context) error) error {
			h, err := s.Submit(ctx, fn, scheduler.Cost(cost), watched)
			if err != nil {
				return err
			}
			cancelIn(h.Cancel)
			return settled(h)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, perMilli, func(t *testing.T, s *scheduler.Scheduler) {
				var started, succeeded, canceled atomic.Int64
				var all sync.WaitGroup
				for i := range calls {
					at := time.Duration(i+1) * time.Millisecond
					all.Go(func() {
						runs := 0
						err := call(s, t.Context(), func(cancel func()) { time.AfterFunc(at, cancel) }, func(context.Context) error {
							runs++
							started.Add(1)
							return nil
						})
						switch {
						case err == nil:
							succeeded.Add(1)
							require.Equal(t, 1, runs)
						default:
							canceled.Add(1)
							require.ErrorIs(t, err, context.Canceled)
							require.Zero(t, runs)
						}
					})
				}
				all.Wait()
				synctest.Wait()
				snap := s.Snapshot()
				require.EqualValues(t, calls, succeeded.Load()+canceled.Load())
				require.EqualValues(t, succeeded.Load(), snap.Totals.Succeeded)
				require.EqualValues(t, canceled.Load(), snap.Totals.Canceled)
				require.EqualValues(t, started.Load(), snap.Totals.Attempts)
				require.EqualValues(t, started.Load()*cost, snap.Ledger.Spent-snap.Ledger.Refunded)
				require.Zero(t, snap.Queued+snap.Running)
			})
		})
	}
}

// Cancel against submit. The owner may get the cancellation before the call, and does not lose it
// (H10).
func TestH10_CancelAgainstSubmit(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ahead := submit(t, s, nothing, scheduler.Cost(10))
		started := time.Now()
		for range 3000 {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			if h, err := s.Submit(ctx, nothing); err == nil {
				err = settled(h)
				require.ErrorIs(t, err, context.Canceled)
			}
		}
		require.Zero(t, time.Since(started), "no call waited for its turn")
		require.NoError(t, settled(ahead))
		require.EqualValues(t, 10, s.Snapshot().Ledger.Spent)
	})
}

// hasty is a context that ends as soon as it is watched, before its watcher can act.
type hasty struct {
	context.Context
	done chan struct{}
}

func (c *hasty) Done() <-chan struct{} { return c.done }

func (c *hasty) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

func (c *hasty) AfterFunc(func()) (stop func() bool) {
	close(c.done)
	return func() bool { return false }
}

// A call whose context ends before the owner knows of the call is canceled all the same (H10).
func TestH10_CancelBeforeSubmit(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		h, err := s.Submit(&hasty{t.Context(), make(chan struct{})}, nothing)
		require.NoError(t, err)
		require.Equal(t, context.Canceled, settled(h))
		require.Zero(t, time.Since(started))
	})
}

// Cancellations, panics, failures and retries at random instants, with too few slots. The audit in
// bubble finds the ledger balanced and each call ended once (C1; H10).
func TestH10_Storm(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Per(7, time.Millisecond), MaxInFlight: 5, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		var started, ended atomic.Int64
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				defer ended.Add(1)
				defer func() { _ = recover() }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%50)*time.Millisecond+1)
				defer cancel()
				made := 0
				fn := func(ctx context.Context) error {
					started.Add(1)
					made++
					switch (i + made) % 5 {
					case 0:
						panic("storm")
					case 1:
						return failing(nil).run(ctx)
					case 2:
						time.Sleep(time.Millisecond)
					}
					return nil
				}
				if i%2 == 0 {
					_ = s.Do(ctx, fn)
				} else if h, err := s.Submit(ctx, fn); err == nil {
					_ = settled(h)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		snap := s.Snapshot()
		require.EqualValues(t, 500, ended.Load())
		require.Zero(t, snap.Queued+snap.Running+snap.BackingOff)
		require.EqualValues(t, started.Load(), snap.Totals.Attempts)
		require.LessOrEqual(t, snap.Ledger.Spent-snap.Ledger.Refunded, started.Load()+7, "a full bucket can't take every refund")
		require.GreaterOrEqual(t, snap.Ledger.Spent-snap.Ledger.Refunded, started.Load())
	})
}
