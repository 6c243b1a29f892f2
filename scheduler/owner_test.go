package scheduler

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
)

// TestH10_GrantedAndDone checks that a call that finds both its grant and the end of its context
// does not start, and gets a refund.
func TestH10_GrantedAndDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 { // a select may take either first
			s, err := New(Config{Limit: bucket.PerSecond(1).Burst(1), Level: &bucket.State{}})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			err = s.Do(ctx, func(context.Context) error {
				t.Error("the function ran although its context was done")
				return nil
			}, OnProgress(func(Progress) {
				time.Sleep(time.Second) // now it is granted
				synctest.Wait()
				cancel()
			}))
			require.ErrorIs(t, err, context.Canceled)
			snap := s.Snapshot()
			require.EqualValues(t, 1, snap.Ledger.Refunded)
			require.EqualValues(t, 1, snap.Available)
			require.Zero(t, snap.Totals.Attempts)
			s.Close()
		}
	})
}

// TestH10_GrantedAndDoneSubmitted is the same for submitted work whose context ends in the turn of
// the grant.
func TestH10_GrantedAndDoneSubmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		resume := pauseOwner(s)
		h, err := s.Submit(ctx, func(context.Context) error {
			t.Error("the function ran although its context was done")
			return nil
		}, Cost(7))
		require.NoError(t, err)
		s.post(message{op: opAsk, do: func(*owner, time.Duration) { cancel() }})
		resume()
		<-h.Done()
		require.ErrorIs(t, h.Err(), context.Canceled)
		require.Zero(t, h.Attempts())
		require.EqualValues(t, 7, s.Snapshot().Ledger.Refunded)
	})
}

// A reservation that is canceled in the turn of its grant ends once and pays nothing (H10).
func TestH10_ReservationWithdrawnInTheTurnOfItsGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		resume := pauseOwner(s)
		canceled, err := s.Reserve(context.Background(), Cost(7))
		require.NoError(t, err)
		canceled.Cancel()
		done, err := s.Reserve(context.Background(), Cost(3))
		require.NoError(t, err)
		done.Done(nil)
		resume()
		for _, r := range []*Reservation{canceled, done} {
			<-r.Ready()
			require.Equal(t, ErrCanceled, r.Err())
		}
		snap := s.Snapshot()
		require.EqualValues(t, 10, snap.Ledger.Refunded)
		require.EqualValues(t, 2, snap.Totals.Canceled)
		require.Zero(t, snap.Running)
	})
}

// pauseOwner stops the owner in the middle of a turn until resume is called. Messages that arrive
// in between are handled in the same turn.
func pauseOwner(s *Scheduler) (resume func()) {
	paused, on := make(chan struct{}), make(chan struct{})
	s.post(message{op: opAsk, do: func(*owner, time.Duration) {
		close(paused)
		<-on
	}})
	<-paused
	return func() { close(on) }
}

// A subscription sees what is done right after it was made, even if the owner was in the middle of
// a turn (E3, completeness).
func TestE3_FromTheMomentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		resume := pauseOwner(s)
		subs := make(chan *events.Subscription, 1)
		go func() {
			sub := s.Subscribe(events.Of(events.Queued))
			_, err := s.Submit(context.Background(), succeed)
			if err != nil {
				t.Error(err)
			}
			subs <- sub
		}()
		synctest.Wait()
		resume()
		synctest.Wait()
		require.Len(t, (<-subs).C, 1)
	})
}

// However many calls wait, the owner has one timer, and sets it only when the next instant changes
// (H45).
func TestH45_OneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &countingClock{Clock: clock.System()}
		s, err := New(Config{Clock: c, Limit: bucket.PerSecond(1).Burst(1), Level: &bucket.State{}})
		require.NoError(t, err)
		for range 1000 {
			_, err := s.Submit(context.Background(), succeed)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.EqualValues(t, 1, c.timers.Load())
		require.EqualValues(t, 1, c.resets.Load(), "the head is always the same")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, c.timers.Load())
		require.EqualValues(t, 11, c.resets.Load(), "one for each grant")
		s.Close()
	})
}

// countingClock counts the timers of the system clock and their resets.
type countingClock struct {
	clock.Clock
	timers, resets atomic.Int64
}

func (c *countingClock) NewTimer(d time.Duration) clock.Timer {
	c.timers.Add(1)
	return &countingTimer{c.Clock.NewTimer(d), c}
}

type countingTimer struct {
	clock.Timer
	c *countingClock
}

func (t *countingTimer) Reset(d time.Duration) {
	t.c.resets.Add(1)
	t.Timer.Reset(d)
}
