package scheduler_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// The Times of a handle are those of its call's last event, add up to the time that has passed, and
// divide it correctly (C9, Times).
func TestTimes(t *testing.T) {
	seeded := exact
	seeded.Seed = 7
	second := func(context.Context) error { time.Sleep(time.Second); return nil }
	block := func(s *scheduler.Scheduler, cost int64, d time.Duration) {
		submit(t, s, func(ctx context.Context) error {
			select {
			case <-time.After(d):
			case <-ctx.Done():
			}
			return nil
		}, scheduler.Cost(cost))
		synctest.Wait()
	}
	for name, c := range map[string]struct {
		before func(s *scheduler.Scheduler)                      // the state before the call
		fn     func(context.Context) error                       // the call's function
		during func(s *scheduler.Scheduler, h *scheduler.Handle) // what happens while it waits or runs
		want   events.Times
	}{
		"run":    {fn: second, want: events.Times{Run: time.Second}},
		"tokens": {before: func(s *scheduler.Scheduler) { block(s, 7, 0) }, fn: second, want: events.Times{Tokens: 2 * time.Second, Run: time.Second}},
		"queue and tokens": {before: func(s *scheduler.Scheduler) { block(s, 8, 0); block(s, 4, 0) }, fn: second,
			want: events.Times{Queue: 2 * time.Second, Tokens: 5 * time.Second, Run: time.Second}},
		"slot":    {before: func(s *scheduler.Scheduler) { block(s, 1, time.Minute); block(s, 1, 3*time.Second) }, fn: second, want: events.Times{Slot: 3 * time.Second, Run: time.Second}},
		"backoff": {fn: (&flaky{failures: 2}).run, want: events.Times{Tokens: 2 * time.Second, Backoff: 3 * time.Second}},
		"server's wait of its own": {fn: (&flaky{failures: 1, err: retry.After(errBusy, 10*time.Second)}).run,
			want: events.Times{Backoff: seeded.ServerWait(1, 1, 10*time.Second), Tokens: 5 * time.Second}},
		"server's wait of another": {before: func(s *scheduler.Scheduler) {
			r, _ := s.Reserve(context.Background())
			<-r.Ready()
			r.Done(retry.After(errBusy, 10*time.Second))
		}, fn: second, want: events.Times{Hold: seeded.ServerWait(1, 1, 10*time.Second), Tokens: 5 * time.Second, Run: time.Second}},
		"pause": {before: func(s *scheduler.Scheduler) { _ = s.PauseUntil(time.Now().Add(time.Hour)) }, fn: second, want: events.Times{Hold: time.Hour, Run: time.Second}},
		"server's wait that comes while it waits": {before: func(s *scheduler.Scheduler) { block(s, 8, 0) }, fn: second,
			during: func(s *scheduler.Scheduler, _ *scheduler.Handle) {
				time.Sleep(time.Second)
				r, _ := s.Reserve(context.Background(), scheduler.Cost(0), scheduler.Priority(1))
				<-r.Ready()
				r.Done(retry.After(errBusy, 10*time.Second))
			}, want: events.Times{Hold: seeded.ServerWait(3, 1, 10*time.Second), Tokens: 6 * time.Second, Run: time.Second}},
		"pause that comes while it waits": {before: func(s *scheduler.Scheduler) { block(s, 8, 0) }, fn: second,
			during: func(s *scheduler.Scheduler, _ *scheduler.Handle) {
				time.Sleep(time.Second)
				_ = s.Pause()
				time.Sleep(time.Minute)
				_ = s.Resume()
			}, want: events.Times{Hold: time.Minute, Tokens: 3 * time.Second, Run: time.Second}},
		"canceled in the queue": {before: func(s *scheduler.Scheduler) { _ = s.Pause() }, fn: second,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(time.Second); h.Cancel() }, want: events.Times{Hold: time.Second}},
		"canceled while its tokens come": {before: func(s *scheduler.Scheduler) { block(s, 8, 0) }, fn: second,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(time.Second); h.Cancel() }, want: events.Times{Tokens: time.Second}},
		"canceled behind another": {before: func(s *scheduler.Scheduler) { block(s, 8, 0); block(s, 4, 0) }, fn: second,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(time.Second); h.Cancel() }, want: events.Times{Queue: time.Second}},
		"canceled while it runs": {fn: untilDone,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(time.Second); h.Cancel() }, want: events.Times{Run: time.Second}},
		"canceled in backoff": {fn: failing(nil).run,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(500 * time.Millisecond); h.Cancel() }, want: events.Times{Backoff: 500 * time.Millisecond}},
		"closed in the queue": {before: func(s *scheduler.Scheduler) { block(s, 9, time.Minute) }, fn: second,
			during: func(s *scheduler.Scheduler, _ *scheduler.Handle) { time.Sleep(time.Second); s.Close() }, want: events.Times{Tokens: time.Second}},
		"closed in backoff": {fn: failing(nil).run,
			during: func(s *scheduler.Scheduler, _ *scheduler.Handle) { time.Sleep(500 * time.Millisecond); s.Close() }, want: events.Times{Backoff: 500 * time.Millisecond}},
		"panic":  {fn: func(context.Context) error { time.Sleep(time.Second); panic("oops") }, want: events.Times{Run: time.Second}},
		"Goexit": {fn: func(context.Context) error { time.Sleep(time.Second); runtime.Goexit(); return nil }, want: events.Times{Run: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, MaxInFlight: 2, Retry: seeded}, func(t *testing.T, s *scheduler.Scheduler) {
				if c.before != nil {
					c.before(s)
				}
				sub := s.Subscribe(events.All)
				started := time.Now()
				cost := scheduler.Cost(5)
				h := submit(t, s, c.fn, cost, scheduler.Name("it"))
				require.Zero(t, h.Times(), "no Times before the end")
				if c.during != nil {
					synctest.Wait()
					c.during(s, h)
				}
				<-h.Done()
				require.Equal(t, c.want, h.Times())
				require.Equal(t, time.Since(started), h.Times().Total())
				told := false
				for ev := range sub.C {
					if told = ev.Name == "it" && ev.Kind.Ends(); told {
						require.Equal(t, c.want, ev.Times)
						break
					}
				}
				require.True(t, told, "also if Close ends the call")
			})
		})
	}
}

// A grant that is given back counts as running, though no function ran. Here the progress function
// keeps the call from starting.
func TestTimesOfAnAbandonedGrant(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Canceled))
		started := time.Now()
		h := submit(t, s, failing(errBroken).run, scheduler.OnProgress(func(scheduler.Progress) { time.Sleep(5 * time.Second) }))
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, s.Snapshot().Running, "the call was granted, but its goroutine does not know yet")
		h.Cancel()
		require.ErrorIs(t, settled(h), scheduler.ErrCanceled)
		require.Zero(t, h.Attempts())
		require.EqualValues(t, 5, s.Snapshot().Available, "its token was refunded")
		require.Equal(t, events.Times{Tokens: time.Second, Run: 4 * time.Second}, h.Times())
		require.Equal(t, time.Since(started), h.Times().Total())
		require.Equal(t, h.Times(), (<-sub.C).Times)
	})
}

// A call has no Times before its end.
func TestTimesOnlyAtTheEnd(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 1}
		h := submit(t, s, func(ctx context.Context) error { time.Sleep(time.Second); return f.run(ctx) })
		for _, want := range []scheduler.Snapshot{{Queued: 1}, {Running: 1}, {BackingOff: 1}, {Running: 1}} {
			time.Sleep(time.Second / 2)
			snap := s.Snapshot()
			require.Equal(t, []int{want.Queued, want.Running, want.BackingOff}, []int{snap.Queued, snap.Running, snap.BackingOff})
			require.Zero(t, h.Times())
			time.Sleep(time.Second / 2)
		}
		require.NoError(t, settled(h))
		require.Equal(t, events.Times{Tokens: time.Second, Backoff: time.Second, Run: 2 * time.Second}, h.Times())
	})
}

// A result has the Times of its call's last event, and they add up to the time until the result.
func TestTimesOfStream(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, MaxInFlight: 2, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Ends)
		calls := []func(context.Context) error{nothing, (&flaky{failures: 2}).run, failing(errBroken).run, panics("boom"), goexits, failing(nil).run}
		run := func(ctx context.Context, call func(context.Context) error) (int, error) {
			time.Sleep(3 * time.Second) // so that calls wait for slots, too
			return 0, call(ctx)
		}
		started := time.Now()
		got, sum := map[uint64]events.Times{}, events.Times{}
		for res := range scheduler.Stream(t.Context(), s, slices.Values(calls), run) {
			require.Equal(t, time.Since(started), res.Times.Total(), "result %d", res.Index)
			got[res.Call], sum = res.Times, sum.Plus(res.Times)
		}
		require.Len(t, got, len(calls))
		for name, part := range map[string]time.Duration{"queue": sum.Queue, "tokens": sum.Tokens, "slot": sum.Slot, "backoff": sum.Backoff, "run": sum.Run} {
			require.NotZero(t, part, "the calls should have some of each part: %s", name)
		}
		s.Close()
		told := map[uint64]events.Times{}
		for ev := range sub.C {
			told[ev.Call] = ev.Times
		}
		require.Equal(t, told, got)
	})
}

// If a call still runs when the scheduler is closed, its handle and its result have its Times up to
// its end. There is no event for it.
func TestTimesAfterClose(t *testing.T) {
	for name, end := range map[string]func(context.Context) error{
		"returns": nothing, "would be retried": failing(nil).run, "panics": panics("boom"), "Goexit": goexits,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				sub := s.Subscribe(events.All)
				started := time.Now()
				f := &flaky{failures: 1}
				long := func(ctx context.Context, _ int) (int, error) {
					if err := f.run(ctx); err != nil {
						return 0, err // time before the close counts, too
					}
					time.Sleep(time.Minute)
					return 0, end(ctx)
				}
				results := make(chan scheduler.Result[int, int], 1)
				h := submit(t, s, func(ctx context.Context) error { time.Sleep(time.Minute); return end(ctx) })
				go func() {
					for res := range scheduler.Stream(context.Background(), s, upTo(1), long) {
						results <- res
					}
				}()
				time.Sleep(10 * time.Second)
				s.Close()
				require.Zero(t, h.Times(), "the call still runs")
				<-h.Done()
				require.Equal(t, events.Times{Tokens: time.Second, Run: time.Minute}, h.Times())
				require.Equal(t, time.Since(started), h.Times().Total())

				// It waited behind h and for its token. After the backoff the next token was there.
				res := <-results
				require.Equal(t, events.Times{Queue: time.Second, Tokens: time.Second, Backoff: time.Second, Run: time.Minute}, res.Times)
				require.Equal(t, time.Since(started), res.Times.Total())
				for ev := range sub.C {
					require.False(t, ev.Kind.Ends(), "%v", ev)
				}
			})
		})
	}
}
