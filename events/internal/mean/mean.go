// Package mean computes what calls have spent their time on, on average.
package mean

import (
	"time"

	"example.com/fairlead/events"
)

// Sum adds up the times of calls. A Duration is too small for very many of them.
type Sum struct {
	Calls int

	queue, turn, tokens, slot, hold, backoff, later, run float64 // in nanoseconds
}

// Add adds the times of a call.
func (s *Sum) Add(t events.Times) {
	s.Calls++
	s.queue += float64(t.Queue)
	s.turn += float64(t.Turn)
	s.tokens += float64(t.Tokens)
	s.slot += float64(t.Slot)
	s.hold += float64(t.Hold)
	s.backoff += float64(t.Backoff)
	s.later += float64(t.Later)
	s.run += float64(t.Run)
}

// Plus returns the sum of two.
func (s Sum) Plus(t Sum) Sum {
	return Sum{
		s.Calls + t.Calls, s.queue + t.queue, s.turn + t.turn, s.tokens + t.tokens, s.slot + t.slot,
		s.hold + t.hold, s.backoff + t.backoff, s.later + t.later, s.run + t.run,
	}
}

// Mean returns the times of a call on average, or zero if there are no calls.
func (s Sum) Mean() events.Times {
	if s.Calls == 0 {
		return events.Times{}
	}
	of := func(sum float64) time.Duration { return time.Duration(sum / float64(s.Calls)) }
	return events.Times{
		Queue: of(s.queue), Turn: of(s.turn), Tokens: of(s.tokens), Slot: of(s.slot),
		Hold: of(s.hold), Backoff: of(s.backoff), Later: of(s.later), Run: of(s.run),
	}
}

// maxTime is 36 years, so that sums of a few times can't overflow.
const maxTime = time.Duration(1 << 60)

// Plausible reports whether a call can have such times. They come from a user's events, so they may be anything.
func Plausible(t events.Times) bool {
	if t.Turn < 0 || t.Turn > t.Queue {
		return false
	}
	left := maxTime
	for _, d := range []time.Duration{t.Queue, t.Tokens, t.Slot, t.Hold, t.Backoff, t.Later, t.Run} {
		if d < 0 || d > left {
			return false
		}
		left -= d
	}
	return true
}
