package timeline

import (
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events"
)

// summary says in a sentence or two what happened to all calls.
func (p picture) summary() string {
	s := p.outcomes()
	if p.sums.spent.Calls > 0 {
		s += fmt.Sprintf(" On average a call took %v.", p.sums.spent.Mean())
	}
	return strings.Join(append([]string{s}, p.notes()...), " ")
}

// outcomes says how the calls ended.
func (p picture) outcomes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %v%s", count(p.ended(), "call"), readable(p.length), outcomes(p.sums.ended))
	fmt.Fprintf(&b, "; %s; up to %d waited at once", count(p.sums.attempts, "attempt"), p.peak)
	if n := p.sums.ended[events.Refused]; n > 0 {
		fmt.Fprintf(&b, "; %s refused", count(n, "more call"))
	}
	b.WriteByte('.')
	return b.String()
}

// outcomes returns counts by how calls ended, such as ": 12 succeeded, 1 failed", or "" if there are none.
func outcomes(ended [32]int) string {
	s, between := "", ": "
	for kind := events.Succeeded; kind < events.Refused; kind++ {
		if n := ended[kind]; n > 0 {
			s += fmt.Sprintf("%s%d %v", between, n, kind)
			between = ", "
		}
	}
	return s
}

// ended returns the number of calls that have ended, without refused ones.
func (p picture) ended() int { return total(p.sums.ended) }

func total(ended [32]int) (n int) {
	for kind := events.Succeeded; kind < events.Refused; kind++ {
		n += ended[kind]
	}
	return n
}

// notes says what is missing in the picture.
func (p picture) notes() (all []string) {
	if p.every > 1 {
		all = append(all, fmt.Sprintf("One call in %d is drawn, %d of the %d that are over; sums and curves are of all.",
			p.every, p.sums.drawn, p.ended()))
	}
	if p.sums.missed > 0 {
		all = append(all, count(p.sums.missed, "event")+" lost because the reader was too slow.")
	}
	if p.leftOut != "" {
		all = append(all, fmt.Sprintf("The calls of %s are in one group, the last.", p.leftOut))
	}
	if n := p.sums.breaks + p.sums.marks; n > 0 {
		all = append(all, fmt.Sprintf("Of what happened to the scheduler, %s not drawn.", wereNot(n)))
	}
	return all
}

func wereNot(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}

// readable rounds a duration to milliseconds, or to microseconds if it is below a second.
func readable(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
