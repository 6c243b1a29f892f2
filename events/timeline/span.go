package timeline

import (
	"cmp"
	"slices"
	"time"

	"example.com/fairlead/events"
)

// maxTime bounds instants and times, so that sums of a few of them can't overflow. It is 36 years.
const maxTime = time.Duration(1 << 60)

// part is one of the things that a call spends its time on, a field of [events.Times] in their order.
type part uint8

const (
	queue part = iota
	tokens
	slot
	hold
	backoff
	later
	run
	parts
)

var partNames = [parts]string{"queue", "tokens", "slot", "hold", "backoff", "later", "run"}

func byPart(t events.Times) [parts]time.Duration {
	return [parts]time.Duration{t.Queue, t.Tokens, t.Slot, t.Hold, t.Backoff, t.Later, t.Run}
}

func toTimes(d [parts]time.Duration) events.Times {
	return events.Times{Queue: d[queue], Tokens: d[tokens], Slot: d[slot], Hold: d[hold], Backoff: d[backoff], Later: d[later], Run: d[run]}
}

// span is a stretch of time that a call spent on one thing.
type span struct {
	part     part
	attempt  int // the number of the attempt; for a backoff, of the attempt before it
	from, to time.Duration
	err      string // run: what the attempt failed with
}

func (s span) length() time.Duration { return s.to - s.from }

// shift moves the spans so that they count from another instant.
func shift(spans []span, first time.Duration) []span {
	for i := range spans {
		spans[i].from -= first
		spans[i].to -= first
	}
	return spans
}

// breaks are times without grants, which are holds or pauses, in order and without overlap.
type breaks []span

const maxBreaks = 1000

// add appends a break that begins after the last one began. It returns how many it dropped.
func (b *breaks) add(s span) (leftOut int) {
	if *b = b.with(s); len(*b) > maxBreaks {
		*b = (*b)[:maxBreaks]
		return 1
	}
	return 0
}

// with returns the breaks with one more, which is joined to the last if they touch.
func (b breaks) with(s span) breaks {
	if n := len(b); n > 0 && b[n-1].to >= s.from {
		b[n-1].to = max(b[n-1].to, s.to)
		return b
	}
	return append(b, s)
}

// cut ends the last break, if it still goes on.
func (b breaks) cut(at time.Duration) {
	if n := len(b); n > 0 && b[n-1].to > at {
		b[n-1].to = at
	}
}

// until returns the breaks up to now.
func (b breaks) until(now time.Duration) []span {
	all := slices.Clone(b)
	all.cut(now)
	return all
}

// within returns the parts of breaks that lie between two instants.
func (b breaks) within(from, to time.Duration) (in []span) {
	for i := len(b) - 1; i >= 0 && b[i].to > from; i-- {
		if s := (span{from: max(from, b[i].from), to: min(to, b[i].to)}); s.length() > 0 {
			in = append(in, s)
		}
	}
	return in
}

// union sorts spans and joins those that overlap.
func union(spans []span) (all breaks) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range spans {
		all = all.with(s)
	}
	return all
}

// fit corrects guessed spans so that their parts add up to the times. Events tell exactly when a call
// waited, ran and backed off. Of the things that it waited for, they tell only the sums. So each wait
// takes the part that was guessed as long as the sum of that part lasts, and then other parts. fit
// reports false if the times can't be those of the spans.
func fit(guess []span, times events.Times) (spans []span, ok bool) {
	rest := byPart(times)
	for _, s := range guess {
		for _, p := range preference(s.part) {
			d := min(s.length(), rest[p])
			if d == 0 && p != run { // a run of no length may have an error to show
				continue
			}
			rest[p] -= d
			piece := s
			piece.part, piece.to = p, s.from+d
			s.from += d
			spans = appendSpan(spans, piece)
		}
		if s.length() > 0 {
			return nil, false
		}
	}
	return spans, rest == [parts]time.Duration{}
}

// preference returns the parts that a span guessed to be p may have, the most likely first.
func preference(p part) []part {
	switch p {
	case queue:
		return []part{queue, tokens, slot, hold}
	case hold:
		return []part{hold, queue, tokens, slot}
	case tokens:
		return []part{tokens, slot, queue, hold}
	case slot:
		return []part{slot, tokens, queue, hold}
	}
	return []part{p}
}

// endToEnd returns the parts of a call that ended at an instant, in the order of the fields.
func endToEnd(times events.Times, to time.Duration) (spans []span) {
	at := to - times.Total()
	for p, d := range byPart(times) {
		if d > 0 {
			spans = append(spans, span{part: part(p), from: at, to: at + d})
			at += d
		}
	}
	return spans
}

// appendSpan appends a span, or joins it to the last one if it merely continues that.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].part == s.part && spans[n-1].attempt == s.attempt && s.part != run {
		spans[n-1].to = s.to
		return spans
	}
	return append(spans, s)
}
