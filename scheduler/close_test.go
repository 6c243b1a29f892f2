package scheduler_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// Submit against Close: an accepted call ends once, and the others return ErrClosed (H15).
func TestH15_SubmitAgainstClose(t *testing.T) {
	for range 20 {
		bubble(t, scheduler.Config{MaxInFlight: 3}, func(t *testing.T, s *scheduler.Scheduler) {
			var succeeded, closed, ran atomic.Int64
			count := func(err error) {
				if err == nil {
					succeeded.Add(1)
					return
				}
				require.ErrorIs(t, err, scheduler.ErrClosed)
				closed.Add(1)
			}
			run := func(context.Context) error { ran.Add(1); runtime.Gosched(); return nil }
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					switch i {
					case 100:
						s.Close()
						fallthrough
					default:
						count(s.Do(context.Background(), run))
						if h, err := s.Submit(context.Background(), run); err != nil {
							count(err)
						} else {
							count(settled(h))
						}
					}
				})
			}
			all.Wait()
			require.EqualValues(t, 400, succeeded.Load()+closed.Load())
			require.EqualValues(t, ran.Load(), succeeded.Load(), "exactly the calls that ran have succeeded")
		})
	}
}

// Concurrent calls of Close all return when the owner has ended (H16).
func TestH16_CloseAtTheSameTime(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Exhausted)) // there will be none
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if i%2 == 0 {
					s.Close()
				} else {
					left, err := s.Shutdown(t.Context())
					require.NoError(t, err)
					require.Empty(t, left)
				}
				select {
				case _, open := <-sub.C:
					require.False(t, open)
				default:
					t.Error("Close returned before the owner had ended")
				}
				require.True(t, s.Snapshot().Closed)
			})
		}
		all.Wait()
		s.Close()
	})
}

// Close may be called from any function of the user (H17).
func TestH17_CloseFromInside(t *testing.T) {
	for name, close := range map[string]func(t *testing.T, s *scheduler.Scheduler){
		"a call of Do": func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, s.Do(t.Context(), func(context.Context) error { s.Close(); return nil }))
		},
		"submitted work": func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, settled(submit(t, s, func(context.Context) error { s.Close(); return nil })))
		},
		"an attempt that fails": func(t *testing.T, s *scheduler.Scheduler) {
			err := s.Do(t.Context(), func(ctx context.Context) error { s.Close(); return failing(nil).run(ctx) })
			require.ErrorIs(t, err, scheduler.ErrClosed)
			require.ErrorIs(t, err, errBusy)
		},
		"a progress callback": func(t *testing.T, s *scheduler.Scheduler) {
			closing := scheduler.OnProgress(func(scheduler.Progress) { s.Close() })
			require.ErrorIs(t, s.Do(t.Context(), failing(nil).run, closing), scheduler.ErrClosed)
		},
		"progress of submitted work": func(t *testing.T, s *scheduler.Scheduler) {
			closing := scheduler.OnProgress(func(scheduler.Progress) { s.Close() })
			require.ErrorIs(t, settled(submit(t, s, failing(nil).run, closing)), errBusy)
		},
		"a loop over events": func(t *testing.T, s *scheduler.Scheduler) {
			sub := s.Subscribe(events.All)
			go func() { _ = s.Do(context.Background(), nothing) }()
			for ev := range sub.C {
				if ev.Kind == events.Succeeded {
					s.Close()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				close(t, s)
				require.True(t, s.Snapshot().Closed)
			})
		})
	}
}

// Close ends each accepted call once, whatever its state (C6, close; H18).
func TestH18_CloseWithWorkPending(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		hour := func(context.Context) error { time.Sleep(time.Hour); return nil }
		running := goDo(t.Context(), s, hour)
		working := submit(t, s, untilDone)
		backsOff := goDo(t.Context(), s, failing(nil).run)
		backsOffToo := submit(t, s, failing(nil).run)
		time.Sleep(4 * time.Second) // both wait for their fourth attempt, at 7 s
		queued := goDo(t.Context(), s, nothing, scheduler.Cost(10))
		queuedToo := submit(t, s, nothing, scheduler.OnProgress(func(scheduler.Progress) {}))
		synctest.Wait()

		started := time.Now()
		s.Close()
		require.Zero(t, time.Since(started), "Close waits for no function")
		require.Same(t, scheduler.ErrClosed, (<-queued).err)
		require.Same(t, scheduler.ErrClosed, settled(queuedToo))
		for _, err := range []error{(<-backsOff).err, settled(backsOffToo)} {
			require.ErrorIs(t, err, scheduler.ErrClosed)
			require.ErrorIs(t, err, errBusy)
			require.EqualError(t, err, "scheduler is closed (attempts made: 3, the last failed with: server is busy (rate limited))")
		}
		require.Equal(t, 3, backsOffToo.Attempts())
		require.Same(t, scheduler.ErrClosed, settled(working), "its context is canceled with that cause")
		require.Zero(t, time.Since(started))
		require.NoError(t, (<-running).err, "Do has the caller's context, which Close does not cancel")
		require.Equal(t, time.Hour-4*time.Second, time.Since(started))

		totals := s.Snapshot().Totals
		require.EqualValues(t, 4, totals.Closed)
		require.EqualValues(t, 6, totals.Accepted)
	})
}

// After Close every method returns at once, with ErrClosed or a final value (C6; H19).
func TestH19_UseAfterClose(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(4)))
		h := submit(t, s, nothing)
		<-h.Done()
		final := s.Snapshot()
		s.Close()
		started := time.Now()
		time.Sleep(time.Minute)

		require.Same(t, scheduler.ErrClosed, s.Do(t.Context(), nothing))
		_, err := s.Submit(t.Context(), nothing)
		require.Same(t, scheduler.ErrClosed, err)
		_, err = s.Submit(t.Context(), nothing, scheduler.OnProgress(func(scheduler.Progress) {}))
		require.Same(t, scheduler.ErrClosed, err)
		_, err = scheduler.Value(t.Context(), s, func(context.Context) (int, error) { return 1, nil })
		require.Same(t, scheduler.ErrClosed, err)
		left, err := s.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, left)
		next, ok := s.Sync()
		require.False(t, ok)
		require.Zero(t, next)
		_, open := <-s.Subscribe(events.All).C
		require.False(t, open, "a subscription after close is closed from the start")
		h.Cancel()
		require.NoError(t, h.Err())
		s.Close()

		final.Closed = true
		require.Equal(t, final, s.Snapshot(), "the state at Close")
		require.Equal(t, time.Minute, time.Since(started))
	})
}

// The owner and running submitted work are the only goroutines (H20).
func TestH20_Goroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines()
		s := open(t, scheduler.Config{Limit: oneEach.Burst(6), Retry: exact})
		require.Equal(t, before+1, goroutines())
		handles := []*scheduler.Handle{submit(t, s, untilDone)}
		for range 5 {
			handles = append(handles, submit(t, s, failing(nil).run))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 1000 {
			h, err := s.Submit(ctx, nothing)
			require.NoError(t, err)
			handles = append(handles, h)
		}
		synctest.Wait()
		require.Equal(t, before+2, goroutines(), "only the running call has a goroutine")
		s.Close()
		for _, h := range handles {
			require.ErrorIs(t, settled(h), scheduler.ErrClosed)
		}
		synctest.Wait()
		require.Equal(t, before, goroutines())
	})
}

// goroutines counts the goroutines of the current bubble, without those of other tests.
func goroutines() int {
	buf := make([]byte, 1<<20)
	all := string(buf[:runtime.Stack(buf, true)])
	own, _, _ := strings.Cut(all, "\n")
	return strings.Count(all, own[strings.LastIndex(own, "synctest bubble"):]+"\n")
}
