package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// TestArrivalsAtOneInstant checks that calls that arrive at one instant take their places in order of
// rank, whenever they were submitted, and that each that can start at once does so before the next
// takes its place. So a queue with room for one has room for two of four.
func TestArrivalsAtOneInstant(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": {Capacity: 1, Refill: 1, Per: time.Second}}, MaxQueued: 1, Overflow: refuseNew, PriorityStep: time.Second})
	require.NoError(t, err)
	k.Wanted = events.All
	submit := func(now time.Duration, priority int, notBefore time.Duration) *Call {
		c := &Call{Cost: 1, Deadline: bucket.Forever}
		c.SetOptions(&Options{Priority: priority})
		c.SetNotBefore(notBefore)
		k.Submit(now, c)
		require.Equal(t, Later, c.State)
		require.Equal(t, notBefore-time.Duration(priority)*time.Second, c.Rank)
		return c
	}
	low, second, first := submit(0, -1, time.Hour), submit(time.Second, 1, time.Hour), submit(2*time.Second, 2, time.Hour)
	other := submit(3*time.Second, 9, time.Hour+1)
	require.Equal(t, time.Hour, k.Wake())
	require.Equal(t, time.Hour, k.NextLater())
	require.Equal(t, []*Call{other, first, second, low}, k.LaterCalls())
	require.False(t, k.Drained())

	k.Advance(2 * time.Hour)
	require.Equal(t, []State{Running, Running, Ended, Ended}, []State{first.State, second.State, low.State, other.State})
	require.Equal(t, time.Hour, first.detail.granted)
	require.Equal(t, time.Hour+time.Second, second.detail.granted)
	require.Equal(t, events.Times{Later: time.Hour - 2*time.Second}, first.Times())
	require.Equal(t, events.Times{Later: time.Hour - time.Second, Tokens: time.Second}, second.Times())
	for _, c := range []*Call{low, other} {
		require.Equal(t, QueueFull, c.Err().(*Early).Reason)
	}
	require.EqualValues(t, 2, k.Totals.Dropped)
}

// TestArrivalInThePast checks that an instant that has passed makes no difference.
func TestArrivalInThePast(t *testing.T) {
	for _, at := range []time.Duration{-time.Hour, 0, time.Second} {
		k, err := New(Config{Limits: bucket.Limits{"": {Capacity: 1, Refill: 1, Per: time.Second}}})
		require.NoError(t, err)
		c := &Call{Cost: 1, Deadline: bucket.Forever}
		c.SetNotBefore(at)
		k.Submit(time.Second, c)
		require.Equal(t, Running, c.State)
		require.Equal(t, time.Second, c.Rank)
		require.Zero(t, c.Times())
	}
}

// TestArrivesLater checks which calls have an instant at which they arrive.
func TestArrivesLater(t *testing.T) {
	c := new(Call)
	require.False(t, c.ArrivesLater())
	c.SetOptions(noOptions)
	require.False(t, c.ArrivesLater())
	c.extras()
	require.False(t, c.ArrivesLater())
	c.SetNotBefore(time.Second)
	require.True(t, c.ArrivesLater())
}
