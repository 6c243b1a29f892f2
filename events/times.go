package events

import (
	"fmt"
	"strings"
	"time"
)

// Times says what a call has spent its time on, from its arrival to its end. The
// parts add up to exactly that. While several things stood in its way, the time is put
// down to the first of them in the order Hold, Queue, Tokens, Slot. A backoff goes on during a
// hold, and so does a run; a grant that is given up counts as a run until then.
// In JSON the parts are in nanoseconds, and zero parts are left out.
type Times struct {
	Queue   time.Duration `json:"queue,omitzero"`   // waited behind others
	Tokens  time.Duration `json:"tokens,omitzero"`  // was next, and waited for its tokens
	Slot    time.Duration `json:"slot,omitzero"`    // was next with its tokens there, and waited for a slot
	Hold    time.Duration `json:"hold,omitzero"`    // waited while no call was granted: a server's wait, or a pause
	Backoff time.Duration `json:"backoff,omitzero"` // waited to be retried
	Run     time.Duration `json:"run,omitzero"`     // from its grants to the ends of its attempts
}

// Total is the time from the call's arrival to its end.
func (t Times) Total() time.Duration {
	return t.Queue + t.Tokens + t.Slot + t.Hold + t.Backoff + t.Run
}

// Plus adds up the times of two calls, part by part.
func (t Times) Plus(u Times) Times {
	return Times{
		Queue: t.Queue + u.Queue, Tokens: t.Tokens + u.Tokens, Slot: t.Slot + u.Slot,
		Hold: t.Hold + u.Hold, Backoff: t.Backoff + u.Backoff, Run: t.Run + u.Run,
	}
}

// Over divides each part by n, rounding down: the mean of the times of n calls that
// were added up. It panics if n is zero.
func (t Times) Over(n int) Times {
	d := time.Duration(n)
	return Times{
		Queue: t.Queue / d, Tokens: t.Tokens / d, Slot: t.Slot / d,
		Hold: t.Hold / d, Backoff: t.Backoff / d, Run: t.Run / d,
	}
}

// String is the total and the parts that are not zero, such as
//
//	3.2s (queue 2s, tokens 1s, run 200ms)
func (t Times) String() string {
	var b strings.Builder
	fmt.Fprint(&b, readable(t.Total()))
	between := " ("
	for _, part := range []struct {
		name string
		d    time.Duration
	}{
		{"queue", t.Queue}, {"tokens", t.Tokens}, {"slot", t.Slot},
		{"hold", t.Hold}, {"backoff", t.Backoff}, {"run", t.Run},
	} {
		if part.d != 0 {
			fmt.Fprintf(&b, "%s%s %v", between, part.name, readable(part.d))
			between = ", "
		}
	}
	if between == ", " {
		b.WriteByte(')')
	}
	return b.String()
}
