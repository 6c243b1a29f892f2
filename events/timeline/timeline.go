// Package timeline draws what happened to calls, from their events. It writes a trace for
// Perfetto and chrome://tracing, a page for any browser, or an SVG picture.
//
//	var t timeline.Timeline
//	for ev := range s.Subscribe(events.All).C { // all kinds, until the scheduler is closed
//		t.Add(ev)
//	}
//	err := t.WriteHTML(file)
//
// It shows what each call spent its time on. These are the parts of [events.Times], which add up
// to the time from the call's arrival to its end. Above the calls it shows the tokens in the
// budget, the number of waiting calls, and the times when no call was granted.
//
// If calls have keys, the calls of each key are a group below its name. The groups are in the order
// in which the keys first came, after the calls without a key. A server's wait that holds one key is shown
// behind the calls of that key alone. The text of a group sums up all its calls. In a mean such as
// queue 2s (turn 1.5s), the turn is how long a call waited while only calls of other keys were ahead.
//
// # What it keeps
//
// However long the run is, at most [Timeline.MaxCalls] calls are kept one by one. When there are
// more, only every second call is kept, then every fourth and so on. Of 200,000 calls, the
// default of 1000 keeps every 256th, which are 782 from all over the run. The curves become
// coarser in the same way. At most [Timeline.MaxKeys] keys have a group of their own, and the calls
// of all further ones are the last group. Counts and sums include all calls, and the output says what
// was left out. Up to 262,144 calls that wait at the same time are counted. A run of 200,000 calls that
// all wait at once takes about 5 MB. A call has at most 128 spans, and each name and error
// 120 characters.
//
// # Lost events
//
// A reader that falls behind loses events, and [events.Event.Missed] says so. The last event of
// a call has its times. A call that lost an earlier event is drawn with its parts end to end, in
// the order of the fields of [events.Times], and a note that their real order is not known. A
// call that lost its last event is drawn as if it had not ended. The number of waiting calls may
// be wrong after a loss.
package timeline

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/mean"
)

// Timeline collects events. The zero Timeline is ready to use. All methods may be called from any
// goroutine, and a timeline may be written while events still arrive.
type Timeline struct {
	// MaxCalls limits the calls that are drawn one by one; 0 or less means 1000. It must not
	// be changed after the first event.
	MaxCalls int

	// MaxKeys limits the keys that have a group of calls of their own; 0 or less means 50. It must not
	// be changed after the first event.
	MaxKeys int

	mu     sync.Mutex
	origin time.Time     // when the first event happened
	now    time.Duration // when the latest event happened, since origin
	seen   bool

	calls     map[uint64]*call // those that are kept, by number
	every     uint64           // one call in this many is kept
	lastGrant time.Duration
	available int64 // tokens after the last grant
	holds     breaks
	pauses    breaks
	marks     []mark
	curves    curves
	sums      sums
	groups    groups
}

// sums count all calls, kept or not.
type sums struct {
	ended    [32]int // by kind
	attempts int
	spent    mean.Sum
	drawn    int // ended calls that are kept
	missed   uint64
	breaks   int // holds and pauses that were dropped
	marks    int // marks that were dropped
}

const (
	defaultCalls = 1000
	maxMarks     = 1000
)

// mark is something that happened to the scheduler at an instant.
type mark struct {
	at   time.Duration
	what string
}

// Add takes the next event. All events must be of one scheduler, in order and of all kinds.
func (t *Timeline) Add(ev events.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.seen {
		t.seen, t.origin, t.every = true, ev.At, 1
		t.calls = map[uint64]*call{}
	}
	t.now = max(t.now, min(ev.At.Sub(t.origin), maxTime))
	if ev.Missed > 0 {
		t.sums.missed += ev.Missed
		t.mark(text(count(ev.Missed, "event") + " lost"))
	}
	switch ev.Kind {
	case events.Held:
		t.hold(ev)
	case events.Paused:
		until := maxTime
		if !ev.Until.IsZero() {
			until = min(ev.Until.Sub(t.origin), maxTime)
		}
		t.pauses.cut(t.now)
		t.sums.breaks += t.pauses.add(span{from: t.now, to: max(t.now, until)})
	case events.Resumed:
		t.pauses.cut(t.now)
	case events.RateChanged, events.ShutDown, events.StoreAway, events.StoreBack, events.StoreReset, events.LimitChanged:
		ev.Missed = 0
		t.mark(text(ev.String()))
	case events.Later, events.Queued, events.Granted, events.Started, events.Retrying:
		t.addCallEvent(ev)
	default:
		if ev.Kind.Ends() {
			t.addCallEvent(ev)
		}
	}
	t.curves.add(t.now, ev)
}

func (t *Timeline) mark(what string) {
	if len(t.marks) == maxMarks {
		t.sums.marks++
		return
	}
	t.marks = append(t.marks, mark{t.now, what})
}

// hold adds a hold of all calls, or of those of one key.
func (t *Timeline) hold(ev events.Event) {
	holds := &t.holds
	if ev.Key != "" {
		g := t.groups.find(ev.Key, t.maxKeys())
		if g == t.groups.others {
			t.sums.breaks++ // it holds only some of the calls of that group
			return
		}
		holds = &g.holds
	}
	d := min(max(ev.Delay, 0), maxTime)
	t.sums.breaks += holds.add(span{from: t.now, to: min(t.now+d, maxTime)})
}

// addCallEvent takes an event of a call.
func (t *Timeline) addCallEvent(ev events.Event) {
	if ev.Kind == events.Granted {
		t.sums.attempts++
	}
	g := t.groups.find(ev.Key, t.maxKeys())
	if c := t.find(ev.Call, g); c != nil {
		c.apply(ev, t)
	}
	if ev.Kind == events.Granted {
		t.lastGrant, t.available = t.now, ev.Available
	}
	if !ev.Kind.Ends() {
		return
	}
	t.sums.ended[ev.Kind]++
	g.ended[ev.Kind]++
	if ev.Kind != events.Refused && mean.Plausible(ev.Times) {
		t.sums.spent.Add(ev.Times)
		g.spent.Add(ev.Times)
	}
}

// find returns the call with that number, if need be a new one of a group, or nil if it is not kept.
func (t *Timeline) find(number uint64, g *group) *call {
	if number == 0 || !t.keeps(number) {
		return nil
	}
	c := t.calls[number]
	if c == nil {
		c = &call{number: number, group: g, from: t.now}
		t.calls[number] = c
		for len(t.calls) > t.maxCalls() && t.every < 1<<63 {
			t.every *= 2
			maps.DeleteFunc(t.calls, func(number uint64, _ *call) bool { return !t.keeps(number) })
		}
	}
	return c
}

// keeps reports whether the call with that number is kept. The first call always is.
func (t *Timeline) keeps(number uint64) bool { return (number-1)%t.every == 0 }

// maxCalls returns the limit of calls that are kept.
func (t *Timeline) maxCalls() int {
	if t.MaxCalls <= 0 {
		return defaultCalls
	}
	return t.MaxCalls
}

// picture has the shapes to draw, as plain values. Instants count from its start.
type picture struct {
	start  time.Time
	length time.Duration
	calls  []call
	groups []group // the same calls; nil if no call has a key
	holds  []span
	pauses []span
	marks  []mark
	points []point
	peak   int // the most calls that waited at once
	every  uint64
	sums   sums

	leftOut string // says how many keys have no group
}

// legendParts returns the parts to explain. Few calls arrive later, so that part is left out where no
// call has it.
func (p picture) legendParts() (list []part) {
	arrivesLater := func(c call) bool { return c.times.Later > 0 }
	for i := range parts {
		if i != later || slices.ContainsFunc(p.calls, arrivesLater) {
			list = append(list, i)
		}
	}
	return list
}

// draw returns a picture of the timeline as it stands now.
func (t *Timeline) draw() picture {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := picture{start: t.origin, every: t.every, sums: t.sums, peak: t.curves.maxWaited()}
	first := time.Duration(0)
	for _, c := range t.calls {
		d := c.draw(t)
		first = min(first, d.from)
		if d.outcome != 0 {
			p.sums.drawn++
		}
		p.calls = append(p.calls, d)
	}
	slices.SortFunc(p.calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.group.order, b.group.order), cmp.Compare(a.number, b.number))
	})
	p.start, p.length = t.origin.Add(first), t.now-first
	for i := range p.calls {
		c := &p.calls[i]
		c.from, c.to = c.from-first, c.to-first
		shift(c.spans, first)
	}
	if len(t.groups.list) > 0 {
		p.groups, p.leftOut = t.groups.draw(p.calls, t.now, first), t.groups.leftOut()
	}
	p.holds, p.pauses = shift(t.holds.until(t.now), first), shift(t.pauses.until(t.now), first)
	p.marks, p.points = slices.Clone(t.marks), slices.Clone(t.curves.points)
	for i := range p.marks {
		p.marks[i].at -= first
	}
	for i := range p.points {
		p.points[i].at -= first
	}
	return p
}
