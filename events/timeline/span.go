package timeline

import (
	"cmp"
	"slices"
	"time"

	"example.com/fairlead/events"
)

// longest bounds instants and times, so that sums of a few can't overflow: 36 years.
const longest = time.Duration(1 << 60)

// part is what a call spends its time on: a field of [events.Times], in their order.
type part uint8

const (
	queue part = iota
	tokens
	slot
	hold
	backoff
	run
	parts
)

var partNames = [parts]string{"queue", "tokens", "slot", "hold", "backoff", "run"}

func byPart(t events.Times) [parts]time.Duration {
	return [parts]time.Duration{t.Queue, t.Tokens, t.Slot, t.Hold, t.Backoff, t.Run}
}

func toTimes(d [parts]time.Duration) events.Times {
	return events.Times{Queue: d[queue], Tokens: d[tokens], Slot: d[slot], Hold: d[hold], Backoff: d[backoff], Run: d[run]}
}

// plausible reports whether times can be those of a call: they come from outside.
func plausible(t events.Times) bool {
	left := longest
	for _, d := range byPart(t) {
		if d < 0 || d > left {
			return false
		}
		left -= d
	}
	return true
}

// span is a time that was spent on one thing.
type span struct {
	part     part
	attempt  int // the one it is of, or after which it comes
	from, to time.Duration
	err      string // run: what the attempt failed with
}

func (s span) length() time.Duration { return s.to - s.from }

// shift counts from another instant.
func shift(spans []span, first time.Duration) []span {
	for i := range spans {
		spans[i].from -= first
		spans[i].to -= first
	}
	return spans
}

// breaks are times in which nobody was granted, in order and apart from each other.
type breaks []span

const mostBreaks = 1000

// add appends one that begins after the last has begun, and returns how many were left out.
func (b *breaks) add(s span) (leftOut int) {
	if *b = b.with(s); len(*b) > mostBreaks {
		*b = (*b)[:mostBreaks]
		return 1
	}
	return 0
}

// with has one more, that is joined to the last if they touch.
func (b breaks) with(s span) breaks {
	if n := len(b); n > 0 && b[n-1].to >= s.from {
		b[n-1].to = max(b[n-1].to, s.to)
		return b
	}
	return append(b, s)
}

// cut ends the last one, if it still goes on.
func (b breaks) cut(at time.Duration) {
	if n := len(b); n > 0 && b[n-1].to > at {
		b[n-1].to = at
	}
}

// until are those up to now.
func (b breaks) until(now time.Duration) []span {
	all := slices.Clone(b)
	all.cut(now)
	return all
}

// within are those in a time, cut to it.
func (b breaks) within(from, to time.Duration) (in []span) {
	for i := len(b) - 1; i >= 0 && b[i].to > from; i-- {
		if s := (span{from: max(from, b[i].from), to: min(to, b[i].to)}); s.length() > 0 {
			in = append(in, s)
		}
	}
	return in
}

// union puts spans into order, and joins those that overlap.
func union(spans []span) (all breaks) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range spans {
		all = all.with(s)
	}
	return all
}

// fit gives the spans of a call the parts that its times say. The events tell when it waited,
// ran and backed off; on what it waited only the sums are known, and at is a good guess. So
// each wait takes of what was guessed as much as there is, and the rest of the others. It
// reports false if the times are not those of the spans.
func fit(guessed []span, times events.Times) (spans []span, ok bool) {
	left := byPart(times)
	for _, s := range guessed {
		for _, p := range preference(s.part) {
			d := min(s.length(), left[p])
			if d == 0 && p != run { // a run of no length may have an error to tell
				continue
			}
			left[p] -= d
			piece := s
			piece.part, piece.to = p, s.from+d
			s.from += d
			spans = appendSpan(spans, piece)
		}
		if s.length() > 0 {
			return nil, false
		}
	}
	return spans, left == [parts]time.Duration{}
}

// preference is what a span may be, if it was guessed to be p: the first that fits.
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

// endToEnd are the parts of a call that ended at an instant, in the order of the fields.
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

// appendSpan joins a span to the last one if it only goes on with it.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].part == s.part && spans[n-1].attempt == s.attempt && s.part != run {
		spans[n-1].to = s.to
		return spans
	}
	return append(spans, s)
}
