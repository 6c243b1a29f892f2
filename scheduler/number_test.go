package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// numberOf returns the number that the next event has.
func numberOf(sub *events.Subscription) uint64 { return (<-sub.C).Call }

// A handle has the number of the call's events from the start: while the call waits, runs, backs off and
// after its end (E5, numbers).
func TestHandleCall(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Queued))
		other := submit(t, s, nothing)
		h := submit(t, s, func(context.Context) error {
			time.Sleep(time.Second)
			return retry.Transient(errBusy)
		}, scheduler.Retry(retry.Policy{MaxRetries: 1, Initial: 10 * time.Second, Jitter: retry.None}))
		require.Equal(t, numberOf(sub), other.Call())
		number := numberOf(sub)
		require.NotEqual(t, number, other.Call())
		for _, state := range []string{"2 0 0", "0 1 0", "0 0 1"} { // queued, running, backing off
			snap := s.Snapshot()
			require.Equal(t, state, fmt.Sprint(snap.Queued, snap.Running, snap.BackingOff))
			require.Equal(t, number, h.Call(), state)
			time.Sleep(2500 * time.Millisecond)
		}
		require.Error(t, settled(h))
		require.Equal(t, number, h.Call(), "ended")
	})
}

// A reservation has the number of the call's events, the same for each of its attempts (E5).
func TestReservationCall(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Granted))
		submit(t, s, nothing)
		r, err := s.Reserve(t.Context())
		require.NoError(t, err)
		waiting := r.Call()
		<-r.Ready()
		numberOf(sub)
		number := numberOf(sub)
		require.Equal(t, []uint64{number, number}, []uint64{waiting, r.Call()})
		next, err := r.Retry(retry.Transient(errBusy))
		require.NoError(t, err)
		require.Equal(t, number, next.Call(), "backs off")
		<-next.Ready()
		require.Equal(t, number, numberOf(sub))
		next.Done(nil)
		require.Equal(t, []uint64{number, number}, []uint64{r.Call(), next.Call()}, "done")
	})
}

// The number may be asked for by any goroutine, while the call goes through all its states and the scheduler
// is closed (E5). A data race would fail with -race.
func TestHandleCallConcurrently(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		some, cancel := context.WithCancel(t.Context())
		defer cancel()
		var askers sync.WaitGroup
		for i := range 200 {
			ctx := t.Context()
			if i%3 == 0 && i < 100 {
				ctx = some
			}
			h, err := s.Submit(ctx, (&flaky{failures: int64(i % 2)}).run)
			require.NoError(t, err)
			askers.Go(func() {
				for h.Err() == scheduler.ErrPending {
					assert.EqualValues(t, i+1, h.Call())
				}
				assert.EqualValues(t, i+1, h.Call())
			})
			if i == 150 {
				cancel()
			}
		}
		askers.Go(s.Close)
		askers.Wait()
	})
}

// A reservation that was refused has no number, as in events (E5).
func TestCallOfARefusedReservation(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		sub := s.Subscribe(events.Of(events.Refused))
		r, err := s.Reserve(soon)
		require.NoError(t, err)
		require.Zero(t, r.Call())
		<-r.Ready()
		require.ErrorIs(t, r.Err(), context.DeadlineExceeded)
		require.Zero(t, numberOf(sub))
		s.Close()
		require.Zero(t, r.Call())
	})
}
