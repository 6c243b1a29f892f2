package events

import (
	"fmt"
	"strings"
	"time"
)

// Times says what a call spent its time on, from when it was made to its end. The parts add up to
// the total, except for Turn, which is a part of Queue. If a call waits for several things at once,
// the time counts as the first of Hold, Queue, Tokens and Slot. Backoff and Run go on during a hold.
// A grant that is given up counts as Run until then. In JSON the parts are in nanoseconds, and zero
// parts are left out.
type Times struct {
	Queue   time.Duration `json:"queue,omitzero"`   // waited behind other calls
	Turn    time.Duration `json:"turn,omitzero"`    // the part of Queue in which only calls of other keys were ahead of it
	Tokens  time.Duration `json:"tokens,omitzero"`  // was next, and waited for its tokens
	Slot    time.Duration `json:"slot,omitzero"`    // was next, had its tokens, and waited for a slot
	Hold    time.Duration `json:"hold,omitzero"`    // waited for the end of a server's wait or of a pause, of all calls or of its key
	Backoff time.Duration `json:"backoff,omitzero"` // waited for its retry
	Later   time.Duration `json:"later,omitzero"`   // had not arrived: see scheduler.NotBefore
	Run     time.Duration `json:"run,omitzero"`     // ran, from each grant to the end of the attempt
}

// Total returns the time from when the call was made to its end.
func (t Times) Total() time.Duration {
	return t.Queue + t.Tokens + t.Slot + t.Hold + t.Backoff + t.Later + t.Run
}

// Plus returns the sum of two Times, part by part.
func (t Times) Plus(u Times) Times {
	return Times{
		Queue: t.Queue + u.Queue, Turn: t.Turn + u.Turn, Tokens: t.Tokens + u.Tokens, Slot: t.Slot + u.Slot,
		Hold: t.Hold + u.Hold, Backoff: t.Backoff + u.Backoff, Later: t.Later + u.Later, Run: t.Run + u.Run,
	}
}

// Over returns each part divided by n, rounded down. For the sum of n calls that is their
// mean. It panics if n is zero.
func (t Times) Over(n int) Times {
	d := time.Duration(n)
	return Times{
		Queue: t.Queue / d, Turn: t.Turn / d, Tokens: t.Tokens / d, Slot: t.Slot / d,
		Hold: t.Hold / d, Backoff: t.Backoff / d, Later: t.Later / d, Run: t.Run / d,
	}
}

// String returns the total and the parts that are not zero, such as
//
//	3.2s (queue 2s, tokens 1s, run 200ms)
//
// If [Times.Turn] is not zero, it follows the queue, as in queue 2s (turn 1.5s).
func (t Times) String() string {
	var b strings.Builder
	fmt.Fprint(&b, readable(t.Total()))
	between := " ("
	for _, part := range []struct {
		name string
		d    time.Duration
	}{
		{"queue", t.Queue}, {"tokens", t.Tokens}, {"slot", t.Slot},
		{"hold", t.Hold}, {"backoff", t.Backoff}, {"later", t.Later}, {"run", t.Run},
	} {
		if part.d != 0 {
			fmt.Fprintf(&b, "%s%s %v", between, part.name, readable(part.d))
			if part.name == "queue" && t.Turn != 0 {
				fmt.Fprintf(&b, " (turn %v)", readable(t.Turn))
			}
			between = ", "
		}
	}
	if between == ", " {
		b.WriteByte(')')
	}
	return b.String()
}
