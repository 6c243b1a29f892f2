package timeline

import (
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events"
)

// summary is what happened, of all calls, in a sentence or two.
func (p picture) summary() string {
	s := p.ends()
	if p.sums.timed > 0 {
		s += fmt.Sprintf(" On average a call took %v.", p.sums.mean())
	}
	return strings.Join(append([]string{s}, p.notes()...), " ")
}

// ends says how the calls have ended.
func (p picture) ends() string {
	var b strings.Builder
	over := p.over()
	fmt.Fprintf(&b, "%s in %v", count(over, "call"), readable(p.length))
	between := ": "
	for kind := events.Succeeded; kind < events.Refused; kind++ {
		if n := p.sums.ended[kind]; n > 0 {
			fmt.Fprintf(&b, "%s%d %v", between, n, kind)
			between = ", "
		}
	}
	fmt.Fprintf(&b, "; %s; up to %d waited at once", count(p.sums.attempts, "attempt"), p.peak)
	if n := p.sums.ended[events.Refused]; n > 0 {
		fmt.Fprintf(&b, "; %s refused", count(n, "more call"))
	}
	b.WriteByte('.')
	return b.String()
}

// mean is what a call has spent its time on, on average.
func (s sums) mean() events.Times {
	var d [parts]time.Duration
	for p, all := range s.times {
		d[p] = time.Duration(all / float64(s.timed))
	}
	return toTimes(d)
}

// over is how many calls have ended that were taken in.
func (p picture) over() (n int) {
	for kind := events.Succeeded; kind < events.Refused; kind++ {
		n += p.sums.ended[kind]
	}
	return n
}

// notes say what is not in the picture.
func (p picture) notes() (all []string) {
	if p.every > 1 {
		all = append(all, fmt.Sprintf("One call in %d is drawn, %d of the %d that are over; sums and curves are of all.",
			p.every, p.sums.drawn, p.over()))
	}
	if p.sums.missed > 0 {
		all = append(all, count(p.sums.missed, "event")+" came too fast to be read: what they told is missing.")
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

// readable rounds a duration to what a person reads.
func readable(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
