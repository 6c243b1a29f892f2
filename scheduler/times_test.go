package scheduler_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestTimes: what a handle says of a call's time is what its last event says, adds up to
// the time that has passed, and puts it where it belongs.
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
		before func(s *scheduler.Scheduler)                      // what is there already
		fn     func(context.Context) error                       // what the call does
		during func(s *scheduler.Scheduler, h *scheduler.Handle) // what happens to it
		want   events.Times
	}{
		"run":    {fn: second, want: events.Times{Run: time.Second}},
		"tokens": {before: func(s *scheduler.Scheduler) { block(s, 7, 0) }, fn: second, want: events.Times{Tokens: 2 * time.Second, Run: time.Second}},
		"queue and tokens": {before: func(s *scheduler.Scheduler) { block(s, 8, 0); block(s, 4, 0) }, fn: second,
			want: events.Times{Queue: 2 * time.Second, Tokens: 5 * time.Second, Run: time.Second}},
		"slot":    {before: func(s *scheduler.Scheduler) { block(s, 1, time.Minute); block(s, 1, 3*time.Second) }, fn: second, want: events.Times{Slot: 3 * time.Second, Run: time.Second}},
		"backoff": {fn: (&flaky{failures: 2}).run, want: events.Times{Tokens: 2 * time.Second, Backoff: 3 * time.Second}},
		"server's wait of another": {before: func(s *scheduler.Scheduler) {
			r, _ := s.Reserve(context.Background())
			<-r.Ready()
			r.Done(retry.After(errBusy, 10*time.Second))
		}, fn: second, want: events.Times{Hold: seeded.ServerWait(1, 1, 10*time.Second), Tokens: 5 * time.Second, Run: time.Second}},
		"pause": {before: func(s *scheduler.Scheduler) { _ = s.HoldUntil(time.Now().Add(time.Hour)) }, fn: second, want: events.Times{Hold: time.Hour, Run: time.Second}},
		"cancelled in the queue": {before: func(s *scheduler.Scheduler) { _ = s.Pause() }, fn: second,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(time.Second); h.Cancel() }, want: events.Times{Hold: time.Second}},
		"cancelled in backoff": {fn: failing(nil).run,
			during: func(_ *scheduler.Scheduler, h *scheduler.Handle) { time.Sleep(500 * time.Millisecond); h.Cancel() }, want: events.Times{Backoff: 500 * time.Millisecond}},
		"closed in the queue": {before: func(s *scheduler.Scheduler) { block(s, 9, time.Minute) }, fn: second,
			during: func(s *scheduler.Scheduler, _ *scheduler.Handle) { time.Sleep(time.Second); s.Close() }, want: events.Times{Tokens: time.Second}},
		"panic":  {fn: func(context.Context) error { time.Sleep(time.Second); panic("oops") }, want: events.Times{Run: time.Second}},
		"Goexit": {fn: func(context.Context) error { time.Sleep(time.Second); runtime.Goexit(); return nil }, want: events.Times{Run: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, MaxInFlight: 2, Retry: seeded}, func(t *testing.T, s *scheduler.Scheduler) {
				if c.before != nil {
					c.before(s)
				}
				sub := s.Subscribe()
				started := time.Now()
				cost := scheduler.Cost(5)
				h := submit(t, s, c.fn, cost, scheduler.Name("it"))
				require.Zero(t, h.Times(), "not before the end")
				if c.during != nil {
					synctest.Wait()
					c.during(s, h)
				}
				<-h.Done()
				require.Equal(t, c.want, h.Times())
				require.Equal(t, time.Since(started), h.Times().Total())
				for ev := range sub.C {
					if ev.Name == "it" && ev.Kind.Ends() {
						require.Equal(t, c.want, ev.Times)
						break
					}
				}
			})
		})
	}
}

// What still runs when the scheduler is closed is timed to its end.
func TestTimesAfterClose(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, func(context.Context) error { time.Sleep(time.Minute); return nil })
		time.Sleep(time.Second)
		s.Close()
		<-h.Done()
		require.NoError(t, h.Err())
		require.Equal(t, events.Times{Run: time.Minute}, h.Times())
	})
}
