package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// changesAfter returns what has changed, as lines, and checks that something has.
func changesAfter(t *testing.T, s *scheduler.Scheduler, start time.Time) string {
	t.Helper()
	synctest.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	ch, err := s.Changes(ended)
	require.NoError(t, err)
	require.Equal(t, time.Now(), ch.At)
	require.Equal(t, s.Snapshot().Budgets, ch.Budgets)
	var lines []string
	for _, c := range ch.Calls {
		line := fmt.Sprintf("%d %s %s", c.Call, c.Name, c.State)
		if c.Attempts > 0 {
			line += fmt.Sprintf(", %d attempts", c.Attempts)
		}
		if !c.Due.IsZero() {
			line += fmt.Sprintf(", due at %v", c.Due.Sub(start))
		}
		if c.Err != "" {
			line += ", last: " + c.Err
		}
		if c.End != 0 {
			line += fmt.Sprintf(", %v: %v", c.End, c.Outcome)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// TestChanges reads the changes of tracked calls from their beginning to their end.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(2), Retry: retry.Policy{MaxRetries: 1, Jitter: retry.None}})
		require.NoError(t, err)
		fails := func(context.Context) error { return retry.Transient(errBusy) }
		submit(t, s, fails, scheduler.Name("a"), scheduler.Tracked())
		submit(t, s, nothing, scheduler.Name("not tracked"))
		submit(t, s, nothing, scheduler.Name("c"), scheduler.Tracked())
		last := submit(t, s, nothing, scheduler.Name("d"), scheduler.Tracked(), scheduler.Delay(time.Hour))
		require.Equal(t, `1 a backing off, 1 attempts, due at 1s, last: server is busy
3 c queued
4 d later, due at 1h0m0s`, changesAfter(t, s, start))
		time.Sleep(2 * time.Second)
		require.Equal(t, `1 a ended, 2 attempts, last: server is busy, exhausted: retry: retries exhausted: 2 attempts failed, 1s waited in between, the last with: server is busy
3 c ended, 1 attempts, succeeded: <nil>`, changesAfter(t, s, start))
		require.NoError(t, last.SetPriority(3))
		require.Equal(t, "4 d later, due at 1h0m0s", changesAfter(t, s, start))
		canceled := submit(t, s, nothing, scheduler.Tracked(), scheduler.Delay(time.Hour))
		canceled.Cancel()
		left, _ := s.Shutdown(t.Context())
		require.Len(t, left, 1)
		ch, err := s.Changes(t.Context())
		require.NoError(t, err)
		require.Len(t, ch.Calls, 1, "what has ended before")
		require.Equal(t, events.Canceled, ch.Calls[0].End)
		require.ErrorIs(t, ch.Calls[0].Outcome, scheduler.ErrCanceled)
		_, err = s.Changes(t.Context())
		require.ErrorIs(t, err, scheduler.ErrClosed)
	})
}

// TestChangesWait checks how a goroutine waits for changes, and until when.
func TestChangesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{})
		require.NoError(t, err)
		begin := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		submit(t, s, nothing)
		_, err = s.Changes(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
		time.AfterFunc(time.Second, func() { submit(t, s, nothing, scheduler.Tracked()) })
		ch, err := s.Changes(t.Context())
		require.NoError(t, err)
		require.Len(t, ch.Calls, 1)
		time.AfterFunc(time.Second, s.Close)
		for err == nil { // the end of the call may be told apart from its beginning
			ch, err = s.Changes(t.Context())
		}
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Equal(t, 3*time.Second, time.Since(begin))
		var none context.Context
		_, err = s.Changes(none)
		require.ErrorContains(t, err, "nil context")
	})
}

// TestChangesAfterManyThatWereTold checks that more than MaxChanges calls that have changed twice are told once each, and then a
// change that comes after them.
func TestChangesAfterManyThatWereTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.Unlimited})
		require.NoError(t, err)
		defer s.Close()
		s.Pause()
		for range 3 * 1024 {
			submit(t, s, nothing, scheduler.Tracked())
		}
		s.Resume()
		synctest.Wait()
		submit(t, s, nothing, scheduler.Tracked(), scheduler.Delay(time.Hour))
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, n := range []int{1024, 1024, 1024, 1} {
			ch, err := s.Changes(short)
			require.NoError(t, err)
			require.Len(t, ch.Calls, n)
		}
	})
}

// TestTrackedAlone checks that calls whose changes can't be told are refused.
func TestTrackedAlone(t *testing.T) {
	s, err := scheduler.New(scheduler.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.ErrorContains(t, s.Do(t.Context(), nothing, scheduler.Tracked()), "Tracked is for Submit and Stream")
	_, err = s.Reserve(t.Context(), scheduler.Tracked())
	require.ErrorContains(t, err, "Tracked is for Submit and Stream")
}

// TestNotStarted checks that an attempt whose function could not begin gives its tokens back.
func TestNotStarted(t *testing.T) {
	for name, opts := range map[string][]scheduler.Option{
		"worker":     nil,
		"own runner": {scheduler.OnProgress(func(scheduler.Progress) {})},
		"any error":  {scheduler.Classify(func(error) retry.Verdict { return retry.Verdict{Kind: retry.KindTransient} })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(5), Retry: exact})
				require.NoError(t, err)
				defer s.Close()
				for _, failed := range []int{0, 1} {
					before := s.Snapshot()
					attempt := 0
					h := submit(t, s, func(context.Context) error {
						if attempt++; attempt <= failed {
							return retry.Transient(errBusy)
						}
						return fmt.Errorf("disk is full: %w", scheduler.ErrNotStarted)
					}, append(opts, scheduler.Cost(2))...)
					err := h.Wait(t.Context())
					require.ErrorIs(t, err, scheduler.ErrNotStarted)
					require.ErrorContains(t, err, "disk is full")
					require.Equal(t, failed > 0, errors.Is(err, errBusy))
					require.Equal(t, failed, h.Attempts())
					after := s.Snapshot()
					require.Equal(t, before.Ledger.Refunded+2, after.Ledger.Refunded)
					require.Equal(t, before.Totals.Attempts+uint64(failed), after.Totals.Attempts)
					require.Equal(t, before.Totals.Canceled+1, after.Totals.Canceled)
				}
			})
		})
	}
}

// TestH125_NoChangeIsLost submits, cancels and retries many calls while goroutines read the changes with contexts that
// end at any moment, and until a Close at any moment. Each accepted call begins once and ends once.
func TestH125_NoChangeIsLost(t *testing.T) {
	for range 20 {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50000), MaxInFlight: 8, Retry: retry.Policy{Initial: time.Microsecond, Max: 100 * time.Microsecond, MaxRetries: 2}})
		require.NoError(t, err)
		var mu sync.Mutex
		ends, known := map[uint64]int{}, map[uint64]bool{}
		var readers, writers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(300))*time.Microsecond)
					ch, err := s.Changes(ctx)
					cancel()
					if errors.Is(err, scheduler.ErrClosed) {
						return
					}
					mu.Lock()
					for _, c := range ch.Calls {
						known[c.Call] = true
						if c.End != 0 {
							ends[c.Call]++
						}
					}
					mu.Unlock()
				}
			})
		}
		fn := func(context.Context) error {
			if rand.IntN(3) == 0 {
				return retry.Transient(errBusy)
			}
			return nil
		}
		handles := make([][]*scheduler.Handle, 4)
		for i := range handles {
			writers.Go(func() {
				for range 500 {
					h, err := s.Submit(t.Context(), fn, scheduler.Tracked())
					if err != nil {
						return
					}
					handles[i] = append(handles[i], h)
					if rand.IntN(5) == 0 {
						h.Cancel()
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		s.Close()
		writers.Wait()
		readers.Wait()
		reported := map[uint64]int{}
		left, _ := s.Shutdown(t.Context())
		for _, u := range left {
			reported[u.Call]++
		}
		for _, list := range handles {
			for _, h := range list {
				n := h.Call()
				require.LessOrEqual(t, ends[n], 1, "call %d", n)
				require.Positive(t, ends[n]+reported[n], "call %d", n) // both, if it ended while the scheduler was closed
				require.True(t, known[n] || reported[n] > 0)
				delete(known, n)
			}
		}
		require.Empty(t, known, "only accepted calls")
	}
}
