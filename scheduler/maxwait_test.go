package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// requireWouldWait checks the fields of a WouldWaitError and returns it.
func requireWouldWait(t *testing.T, err error, what string, wait, left time.Duration) *scheduler.WouldWaitError {
	t.Helper()
	var would *scheduler.WouldWaitError
	require.ErrorAs(t, err, &would)
	require.ErrorIs(t, err, scheduler.ErrWouldWait)
	require.Equal(t, what, would.For)
	require.Equal(t, wait, would.Wait, "Wait")
	require.Equal(t, left, would.Left, "Left")
	return would
}

// A call with MaxWait is refused at once if its turn is expected later, and else waits (C16, MaxWait).
func TestMaxWait(t *testing.T) {
	calls := map[string]func(s *scheduler.Scheduler, opts ...scheduler.Option) error{
		"Do": func(s *scheduler.Scheduler, opts ...scheduler.Option) error {
			return s.Do(context.Background(), nothing, opts...)
		},
		"Submit": func(s *scheduler.Scheduler, opts ...scheduler.Option) error {
			h, err := s.Submit(context.Background(), nothing, opts...)
			if err != nil {
				return err
			}
			return settled(h)
		},
		"Reserve": func(s *scheduler.Scheduler, opts ...scheduler.Option) error {
			r, err := s.Reserve(context.Background(), opts...)
			if err != nil {
				return err
			}
			<-r.Ready()
			defer r.Done(nil)
			return r.Err()
		},
		"Stream": func(s *scheduler.Scheduler, opts ...scheduler.Option) (err error) {
			for r := range scheduler.Stream(context.Background(), s, slices.Values([]int{1}), func(context.Context, int) (int, error) { return 0, nil }, streamOptions(opts)...) {
				err = r.Err
			}
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
				submit(t, s, nothing, scheduler.Cost(5))
				started := time.Now()
				err := call(s, scheduler.MaxWait(6*time.Second-1))
				would := requireWouldWait(t, err, "queue", 6*time.Second, 6*time.Second-1)
				require.Equal(t, 6*time.Second-1, would.MaxWait)
				require.ErrorContains(t, err, "scheduler: the call would have to wait 6s, but its MaxWait is 5.9s: allow more or call later")
				require.Zero(t, time.Since(started), "it does not wait")
				require.EqualValues(t, 1, s.Snapshot().Totals.Refused)
				require.NoError(t, call(s, scheduler.MaxWait(6*time.Second)))
				require.Equal(t, 6*time.Second, time.Since(started))
				requireWouldWait(t, call(s, scheduler.MaxWait(0)), "tokens", time.Second, 0)
				requireWouldWait(t, call(s, scheduler.MaxWait(time.Hour), scheduler.MaxWait(-time.Second)), "tokens", time.Second, 0)
			})
		})
	}
}

func streamOptions(opts []scheduler.Option) (all []scheduler.StreamOption) {
	for _, o := range opts {
		all = append(all, o)
	}
	return all
}

// A hold, a pause or a new limit that makes the turn too late ends the call at once (C16, MaxWait).
func TestMaxWaitAndChangesOfPlan(t *testing.T) {
	for name, change := range map[string]struct {
		make func(s *scheduler.Scheduler) error
		wait time.Duration
	}{
		"pause": {func(s *scheduler.Scheduler) error { return s.PauseUntil(s.Now().Add(10 * time.Second)) }, 12 * time.Second},
		"limit": {func(s *scheduler.Scheduler) error { return s.SetLimit(bucket.Per(1, 5*time.Second).Burst(10)) }, 10 * time.Second},
		"hold": {func(s *scheduler.Scheduler) error {
			return s.Do(context.Background(), func(context.Context) error { return retry.After(errBusy, 20*time.Second) },
				scheduler.Cost(0), scheduler.Priority(1), scheduler.Retry(retry.Policy{MaxRetries: retry.None, Jitter: retry.None}))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				h := submit(t, s, nothing, scheduler.Cost(3), scheduler.MaxWait(4*time.Second))
				stays := submit(t, s, nothing, scheduler.MaxWait(time.Hour))
				time.Sleep(time.Second)
				_ = change.make(s)
				err := settled(h)
				require.Equal(t, 3*time.Second, err.(*scheduler.WouldWaitError).Left)
				if change.wait > 0 {
					require.Equal(t, change.wait, err.(*scheduler.WouldWaitError).Wait)
				}
				require.ErrorContains(t, err, "but of its MaxWait of 4s only 3s is left: allow more or call later")
				require.EqualValues(t, 1, s.Snapshot().Totals.Canceled)
				require.NoError(t, settled(stays), "it has time")
			})
		})
	}
}

// What is not foreseen, such as calls that overtake and slots, ends the call when its MaxWait has passed, and
// without a timer or goroutine for each call (C16, MaxWait).
func TestMaxWaitPasses(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Canceled))
		defer sub.Close()
		ctx, cancel := context.WithCancel(t.Context())
		busy, started := goDo(ctx, s, untilDone), time.Now()
		h := submit(t, s, nothing, scheduler.MaxWait(2*time.Second))
		r, err := s.Reserve(t.Context(), scheduler.MaxWait(time.Second))
		require.NoError(t, err)
		<-r.Ready()
		requireWouldWait(t, r.Err(), "queue", 0, 0)
		require.Equal(t, time.Second, time.Since(started))
		err = settled(h)
		require.Equal(t, 2*time.Second, time.Since(started))
		requireWouldWait(t, err, "slot", 0, 0)
		require.EqualError(t, err, "scheduler: the call has waited 2s, as long as its MaxWait allows, and would have to wait for a slot: MaxInFlight calls run: allow more or call later")
		require.ErrorIs(t, (<-sub.C).Err, scheduler.ErrWouldWait)

		next := goDo(t.Context(), s, nothing, scheduler.MaxWait(time.Second))
		time.Sleep(time.Second - 1)
		cancel() // a slot is free just in time
		require.Error(t, (<-busy).err)
		require.NoError(t, (<-next).err)
	})
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		h := submit(t, s, nothing, scheduler.MaxWait(2*time.Second))
		submit(t, s, nothing, scheduler.Cost(5), scheduler.Priority(1)) // overtakes it
		requireWouldWait(t, settled(h), "queue", 4*time.Second, 0)
		require.Equal(t, 2*time.Second, time.Since(started))

		h = submit(t, s, nothing, scheduler.MaxWait(10*time.Second))
		require.NoError(t, s.Pause()) // without a known end, so the call waits for what happens
		requireWouldWait(t, settled(h), "hold", 4*time.Second, 0)
		require.Equal(t, 12*time.Second, time.Since(started))
	})
}

// MaxWait does not bound retries or the function, and the deadline of the context still counts (C16, MaxWait).
func TestMaxWaitAndRetries(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		f := &flaky{failures: 3, err: retry.Transient(errBusy)}
		require.NoError(t, s.Do(t.Context(), f.run, scheduler.MaxWait(time.Millisecond), scheduler.Cost(8)))
		require.Equal(t, 22*time.Second, time.Since(started), "each retry waits for 8 tokens")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		started = time.Now()
		submit(t, s, nothing, scheduler.Cost(5))
		err := s.Do(ctx, failing(retry.Transient(errBusy)).run, scheduler.MaxWait(15*time.Second), scheduler.Cost(10))
		var late *scheduler.DeadlineError
		require.ErrorAs(t, err, &late, "its retries have the context's deadline")
		require.Greater(t, time.Since(started), 15*time.Second, "and not its MaxWait")
		require.ErrorIs(t, err, errBusy)
	})
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorAs(t, s.Do(ctx, nothing, scheduler.Cost(5), scheduler.MaxWait(2*time.Second)), new(*scheduler.DeadlineError), "the earlier of the two")
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for range 2 { // the second one without the deadline
			err := s.Do(ctx, nothing, scheduler.Cost(5), scheduler.MaxWait(time.Second), scheduler.WaitUntilDeadline())
			requireWouldWait(t, err, "tokens", 5*time.Second, time.Second)
		}
	})
}

// With NotBefore or Delay, MaxWait counts from the arrival (C16, MaxWait).
func TestMaxWaitAndDelay(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		delay, most := scheduler.Delay(5*time.Second), scheduler.MaxWait(2*time.Second)
		err := s.Do(t.Context(), nothing, delay, most, scheduler.Cost(8))
		requireWouldWait(t, err, "later", 8*time.Second, 7*time.Second)
		require.EqualError(t, err, "scheduler: the call would have to wait 3s after its arrival, but its MaxWait is 2s: allow more or call later")

		started := time.Now()
		fits := submit(t, s, nothing, delay, most, scheduler.Cost(7))
		late := submit(t, s, nothing, delay, most, scheduler.Cost(3))
		err = settled(late)
		require.Equal(t, 5*time.Second, time.Since(started), "when it arrives, others are before it")
		requireWouldWait(t, err, "queue", 5*time.Second, 2*time.Second)
		require.NoError(t, settled(fits))
		require.Equal(t, 7*time.Second, time.Since(started))
	})
}

// With WaitForRoom, the wait for room counts (C16, MaxWait).
func TestMaxWaitForRoom(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: 1, MaxQueued: 1}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		busy := goDo(ctx, s, untilDone)
		submit(t, s, nothing)
		started := time.Now()
		h, err := s.Submit(t.Context(), nothing, scheduler.MaxWait(time.Second))
		requireWouldWait(t, err, "queue", 0, 0)
		require.Nil(t, h)
		require.Equal(t, time.Second, time.Since(started))
		cancel()
		<-busy
	})
}

// With keys, only a turn that is certain to be late ends a call at once (C16, MaxWait).
func TestMaxWaitWithKeys(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 10 {
			submit(t, s, nothing, scheduler.Key("crowd"))
		}
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.MaxWait(2*time.Second)))
		require.LessOrEqual(t, time.Since(started), 2*time.Second)
		err := s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.Cost(9), scheduler.MaxWait(8*time.Second))
		require.ErrorIs(t, err, scheduler.ErrWouldWait)

		started = time.Now()
		submit(t, s, nothing, scheduler.Key("b"))
		h := submit(t, s, nothing, scheduler.Key("b"), scheduler.Cost(4), scheduler.MaxWait(5*time.Second))
		require.ErrorIs(t, settled(h), scheduler.ErrWouldWait, "it might have been in time")
		require.Equal(t, 5*time.Second, time.Since(started))
	})
}

// In a Stream the wait for a place of Parallel does not count, not even that of a call that arrives later (C16, MaxWait).
func TestMaxWaitInAStream(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		work := func(context.Context, int) (int, error) {
			time.Sleep(10 * time.Second)
			return 0, nil
		}
		started, n := time.Now(), 0
		delayed := scheduler.OptionsFor(func(i int) []scheduler.Option {
			return []scheduler.Option{scheduler.Delay(time.Duration(i) * time.Second)}
		})
		for r := range scheduler.Stream(t.Context(), s, slices.Values([]int{0, 1, 2}), work, scheduler.Parallel(1), scheduler.MaxWait(time.Second), delayed) {
			require.NoError(t, r.Err)
			n++
		}
		require.Equal(t, 3, n)
		require.GreaterOrEqual(t, time.Since(started), 31*time.Second, "one after the other")
	})
}

// A MaxWait does not end the function's context, as a deadline would (H116).
func TestH116_MaxWaitLeavesTheWork(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		work := func(ctx context.Context) error {
			time.Sleep(time.Hour)
			return ctx.Err()
		}
		h := submit(t, s, work, scheduler.MaxWait(time.Second))
		require.NoError(t, s.Do(t.Context(), work, scheduler.MaxWait(2*time.Second)))
		require.NoError(t, settled(h))
		soon, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.ErrorIs(t, s.Do(soon, work), context.DeadlineExceeded, "a deadline cuts it short")
	})
}
