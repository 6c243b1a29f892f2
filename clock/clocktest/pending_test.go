package clocktest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPendingLeavesOutWhatIsDue checks that a timer that is due does not count, even before its tick.
func TestPendingLeavesOutWhatIsDue(t *testing.T) {
	p, now := newPending(), time.Unix(1, 0)
	due, soon, late := new(timer), new(timer), new(timer)
	p.add(due, now)
	p.add(late, now.Add(2))
	p.add(soon, now.Add(1))
	n, first := p.after(now)
	require.Equal(t, 2, n)
	require.Equal(t, now.Add(1), first)
	p.remove(soon)
	p.add(late, now.Add(5)) // set again
	n, first = p.after(now)
	require.Equal(t, 1, n)
	require.Equal(t, now.Add(5), first)
}

// A tick has its own instant, even if its goroutine runs after the clock was moved on.
func TestLateTickHasItsInstant(t *testing.T) {
	mock := NewMock()
	c := mock.NewTimer(time.Minute).(*timer)
	c.mu.Lock() // keeps the tick from being sent
	mock.Add(time.Hour)
	c.mu.Unlock()
	require.Equal(t, "00:01:00", (<-c.C()).Format(time.TimeOnly))
}
