package clocktest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
)

// agenda is a Syncer that works like a scheduler. One goroutine owns it, waits for one timer, and
// answers Sync through an inbox.
type agenda struct {
	clock   clock.Clock
	inbox   chan chan time.Time
	due     []time.Time   // appointments, in order
	handled []time.Time   // when each appointment was handled
	every   time.Duration // if above zero, each appointment is repeated after it
}

// newAgenda starts an agenda with appointments after the given durations. It ends with the test.
func newAgenda(t *testing.T, c clock.Clock, every time.Duration, after ...time.Duration) *agenda {
	a := &agenda{clock: c, inbox: make(chan chan time.Time), every: every}
	for _, d := range after {
		a.due = append(a.due, c.Now().Add(d))
	}
	ended := make(chan struct{})
	go func() { defer close(ended); a.own() }()
	t.Cleanup(func() { close(a.inbox); <-ended })
	return a
}

func (a *agenda) own() {
	timer := a.clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var answer chan time.Time
		select {
		case <-timer.C():
		case ch, open := <-a.inbox:
			if !open {
				return
			}
			answer = ch
		}
		next := a.turn()
		if !next.IsZero() {
			timer.Reset(next.Sub(a.clock.Now()))
		}
		if answer != nil {
			answer <- next
		}
	}
}

// turn handles the appointments that are due and returns the next one.
func (a *agenda) turn() time.Time {
	now := a.clock.Now()
	for len(a.due) > 0 && !a.due[0].After(now) {
		a.handled = append(a.handled, now)
		if a.every > 0 {
			a.due = append(a.due, a.due[0].Add(a.every))
		}
		a.due = a.due[1:]
	}
	if len(a.due) == 0 {
		return time.Time{}
	}
	return a.due[0]
}

func (a *agenda) Sync() (time.Time, bool) {
	answer := make(chan time.Time, 1)
	a.inbox <- answer
	next := <-answer
	return next, !next.IsZero()
}

func TestAdvance(t *testing.T) {
	const s = time.Second
	cases := []struct {
		name    string
		due     []time.Duration
		every   time.Duration
		advance time.Duration
		want    []time.Duration
	}{
		{"nothing due", nil, 0, 5 * s, nil},
		{"each at its own instant", []time.Duration{1, s, s + 1, 4 * s}, 0, 5 * s, []time.Duration{1, s, s + 1, 4 * s}},
		{"the last instant is included", []time.Duration{5 * s, 5*s + 1}, 0, 5 * s, []time.Duration{5 * s}},
		{"several at one instant", []time.Duration{s, s, s}, 0, 5 * s, []time.Duration{s, s, s}},
		{"nothing comes early", []time.Duration{6 * s}, 0, 5 * s, nil},
		{"added on the way", []time.Duration{s}, 2 * s, 6 * s, []time.Duration{s, 3 * s, 5 * s}},
		{"by zero", []time.Duration{0, 1}, 0, 0, []time.Duration{0}},
		{"overdue from the start", []time.Duration{-s, s}, 0, 2 * s, []time.Duration{0, s}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			mock := clocktest.NewMock()
			a := newAgenda(t, mock, tc.every, tc.due...)
			clocktest.Advance(a, mock, tc.advance)
			require.Equal(t, epoch.Add(tc.advance), mock.Now())
			var got []time.Duration
			for _, at := range a.handled {
				got = append(got, at.Sub(epoch))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// syncFunc is a function that is used as a Syncer.
type syncFunc func() (time.Time, bool)

func (f syncFunc) Sync() (time.Time, bool) { return f() }

func TestAdvanceGivesUpOnASyncerThatIsStuck(t *testing.T) {
	for _, behind := range []time.Duration{0, time.Nanosecond, time.Hour} {
		t.Run(behind.String(), func(t *testing.T) {
			mock := clocktest.NewMock()
			stuck := syncFunc(func() (time.Time, bool) { return mock.Now().Add(-behind), true })
			require.PanicsWithValue(t,
				"clocktest: Advance cannot go on: Sync keeps returning "+epoch.Add(-behind).String()+
					", and it is 2000-01-01 00:00:00 +0000 UTC already",
				func() { clocktest.Advance(stuck, mock, time.Second) })
		})
	}
}

func TestAdvanceIsPatientForAWhile(t *testing.T) {
	mock := clocktest.NewMock()
	asked := 0
	slow := syncFunc(func() (time.Time, bool) { asked++; return mock.Now(), asked < 50 })
	clocktest.Advance(slow, mock, time.Second)
	require.Equal(t, epoch.Add(time.Second), mock.Now())
	require.Equal(t, 51, asked, "once more at the end")
}

func TestAdvanceForwardOnly(t *testing.T) {
	idle := syncFunc(func() (time.Time, bool) { return time.Time{}, false })
	require.Panics(t, func() { clocktest.Advance(idle, clocktest.NewMock(), -1) })
}
