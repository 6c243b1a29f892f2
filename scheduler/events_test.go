package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func eventLines(sub *events.Subscription) string {
	synctest.Wait()
	var b strings.Builder
	for {
		select {
		case ev, ok := <-sub.C:
			if !ok {
				return b.String() + "closed\n"
			}
			fmt.Fprintf(&b, "%d %s %v\n", ev.Seq, ev.At.Sub(epoch), ev)
		default:
			return b.String()
		}
	}
}

var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

func TestEventsOfACallsLife(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.All)
		require.NoError(t, s.Do(t.Context(), (&flaky{failures: 1}).run, scheduler.Name("ping"), scheduler.Cost(2)))
		require.Equal(t, lines(
			`1 0s call 1 "ping" queued: position 1, about 2s to wait`,
			`2 2s call 1 "ping" granted: attempt 1 of 6 for 2 tokens, 0 tokens left`,
			`3 2s call 1 "ping" started: attempt 1 of 6`,
			`4 2s call 1 "ping" retrying: attempt 1 of 6 failed, next in 1s, 0 tokens left: server is busy (rate limited)`,
			`5 3s call 1 "ping" queued: position 1, about 1s to wait`,
			`6 4s call 1 "ping" granted: attempt 2 of 6 for 2 tokens, 0 tokens left`,
			`7 4s call 1 "ping" started: attempt 2 of 6`,
			`8 4s call 1 "ping" succeeded: attempt 2 of 6 after 4s (tokens 3s, backoff 1s)`,
		), eventLines(sub))
	})
}

func TestEventsOfAllEnds(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Retry: retry.Policy{MaxRetries: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Ends | events.Of(events.ShutDown))
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Error(t, s.Do(t.Context(), failing(errBroken).run))
		require.Error(t, s.Do(t.Context(), failing(nil).run))
		require.Error(t, settled(submit(t, s, goexits)))
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(6)))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, s.Do(ctx, nothing, scheduler.Cost(10)))
		waits := submit(t, s, nothing, scheduler.Cost(10))
		waits.Cancel()
		closed := submit(t, s, nothing, scheduler.Cost(10))
		s.Close()
		require.Error(t, settled(closed))
		require.Equal(t, lines(
			"succeeded: attempt 1 of 1",
			"failed: request is malformed",
			"exhausted: retry: retries exhausted: 1 attempt failed, the last with: server is busy (rate limited)",
			"failed: scheduler: the function called runtime.Goexit instead of returning",
			"succeeded: attempt 1 of 1",
			"refused: scheduler: the call would have to wait 10s, but the context's deadline is in 1s: allow more time or call later",
			"canceled: scheduler: call canceled through its handle: context canceled",
			"closed: scheduler is closed",
			"shut down",
			"closed",
		), withoutCalls(eventLines(sub)))
	})
}

func withoutCalls(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if _, rest, ok := strings.Cut(line, "0s "); ok {
			line = rest
		}
		if strings.HasPrefix(line, "call ") {
			line = strings.SplitN(line, " ", 3)[2]
		}
		out = append(out, line)
	}
	return lines(out...)
}

func TestEventHeld(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Held))
		require.NoError(t, s.Do(t.Context(), (&flaky{failures: 1, err: retry.After(errBusy, 20*time.Second)}).run))
		ev := <-sub.C
		require.EqualValues(t, 1, ev.Call)
		require.GreaterOrEqual(t, ev.Delay, 20*time.Second)
		require.LessOrEqual(t, ev.Delay, 22*time.Second)
		require.True(t, epoch.Add(ev.Delay).Equal(ev.Until))
		require.ErrorIs(t, ev.Err, errBusy)
		require.Empty(t, eventLines(sub), "once")
	})
}

func TestSubscribeMidway(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		done := goDo(t.Context(), s, (&flaky{failures: 2}).run)
		time.Sleep(2 * time.Second) // two attempts are made
		all, some := s.Subscribe(events.All), s.Subscribe(events.Of(events.Granted, events.Succeeded))
		require.NoError(t, (<-done).err)
		s.Close()
		require.Equal(t, lines(
			"1 3s call 1 queued: position 1, about 0s to wait",
			"2 3s call 1 granted: attempt 3 of 6 for 1 token, 999 tokens left",
			"3 3s call 1 started: attempt 3 of 6",
			"4 3s call 1 succeeded: attempt 3 of 6 after 3s (backoff 3s)",
			"5 3s shut down",
			"closed",
		), eventLines(all))
		got := eventLines(some)
		require.Equal(t, 3, strings.Count(got, "\n"))
		require.Contains(t, got, "2 3s call 1 granted")
		require.Contains(t, got, "4 3s call 1 succeeded")
	})
}

func TestSubscribersAgree(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		one, other := s.Subscribe(events.All), s.Subscribe(events.All)
		for i := range 20 {
			_ = goDo(t.Context(), s, (&flaky{failures: int64(i % 7)}).run)
		}
		time.Sleep(time.Hour)
		s.Close()
		told := eventLines(one)
		require.Equal(t, told, eventLines(other))
		require.Equal(t, 20, strings.Count(told, " succeeded:")+strings.Count(told, "retries exhausted:"))
	})
}

// A subscription that lost the final events changes no outcome (E2, slow subscribers; H24).
func TestH24_OutcomesAreInTheResult(t *testing.T) {
	bubble(t, scheduler.Config{EventBuffer: 1, Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.All)
		ctx, cancel := context.WithCancel(t.Context())
		handles := []*scheduler.Handle{
			submit(t, s, nothing),
			submit(t, s, failing(errBroken).run),
			submit(t, s, failing(nil).run),
		}
		canceled, err := s.Submit(ctx, nothing, scheduler.Cost(10))
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond)
		cancel()
		time.Sleep(time.Hour)
		closed := submit(t, s, failing(nil).run)
		synctest.Wait()
		s.Close()
		synctest.Wait() // a call that waited for an event would hang here
		for i, want := range []error{nil, errBroken, retry.ErrExhausted, context.Canceled, scheduler.ErrClosed} {
			require.ErrorIs(t, append(handles, canceled, closed)[i].Err(), want)
		}
		last := <-sub.C
		require.Equal(t, events.ShutDown, last.Kind)
		require.Greater(t, last.Missed, uint64(20))
	})
}
