package core

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/observer"
)

// FuzzCoreModel makes a run of the simulator in which the input decides everything.
func FuzzCoreModel(f *testing.F) {
	for _, stride := range []int{1, 7, 31, 97, 255} {
		f.Add(someBytes(2000, stride))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newSimFrom(0, &byteSource{left: b}, true)
		if s.run(); s.failure != nil {
			t.Fatal(explain(t, s, func() *sim { return newSimFrom(0, &byteSource{left: b}, true) }))
		}
	})
}

// byteSource draws from bytes, two at a time, as long as there are any.
type byteSource struct {
	left  []byte
	drawn uint64
}

func (b *byteSource) Uint64() uint64 {
	b.drawn++
	x := b.drawn * 0x9E3779B97F4A7C15 >> 16 // the low bits are pseudo-random
	for i := range min(2, len(b.left)) {
		x |= uint64(b.left[i]) << (56 - 8*i)
	}
	b.left = b.left[min(2, len(b.left)):]
	return x
}

// someBytes returns bytes without an obvious pattern.
func someBytes(n, stride int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*stride + i*i/3)
	}
	return b
}

// FuzzCore checks that the core never contradicts itself, with sizes and instants up to the largest
// there are, which no model computes with. It covers B5, ledger; B6, clock jumps; C1, one end; O1,
// FIFO; O2, seniority; E1, order of events.
func FuzzCore(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00submit and finish"))
	for _, stride := range []int{1, 3, 7, 31, 97, 255} {
		f.Add(someBytes(300, stride))
	}
	f.Fuzz(func(t *testing.T, program []byte) { newPlay(t, program, false).play() })
}

// play makes the moves and checks the core after each.
func (p *play) play() {
	for p.left() && !p.Failed() {
		p.step()
		p.check()
	}
	p.k.Close(p.now)
	p.check()
	p.checkClosed()
}

// play makes the moves that a program encodes, a byte or two at a time.
type play struct {
	*testing.T
	program  *bytes.Reader
	k        *Core
	now      time.Duration // passed to the core; may go back
	latest   time.Duration // the highest so far
	calls    []*Call
	entered  map[*Call]bool // calls with room in the queue
	done     map[*Call]bool
	observer observer.Observer
	spendsUp bool // neither limit nor cost was ever changed
	quotas   bool // some limits have a Reset
}

func newPlay(t *testing.T, program []byte, quotas bool) *play {
	p := &play{T: t, quotas: quotas, program: bytes.NewReader(program[:min(len(program), 400)]), entered: map[*Call]bool{}, done: map[*Call]bool{}}
	cfg := Config{
		Origin:       simOrigin,
		Limits:       bucket.Limits{"": p.limit()},
		MaxInFlight:  p.upTo(4),
		MaxQueued:    p.upTo(4),
		Overflow:     Overflow(p.upTo(3)),
		PriorityStep: p.size(),
	}
	if level := p.level(); level != nil {
		cfg.Levels = map[string]bucket.State{"": *level}
	}
	var err error
	p.k, err = New(cfg)
	require.NoError(t, err)
	p.k.Wanted = events.All
	p.spendsUp = cfg.Levels == nil && !quotas
	p.observer.Rank = func(ev events.Event) time.Duration {
		return p.calls[slices.IndexFunc(p.calls, func(c *Call) bool { return c.ID == ev.Call })].Rank
	}
	return p
}

func (p *play) left() bool { return p.program.Len() > 0 && len(p.calls) < 150 }

func (p *play) byte() byte {
	b, _ := p.program.ReadByte() // 0 after the end
	return b
}

// upTo returns a number from 0 up to but not including n.
func (p *play) upTo(n int) int { return int(p.byte()) % n }

// size returns a duration or a number of any size.
func (p *play) size() time.Duration {
	b := p.byte()
	return time.Duration(min(uint64(b%4)<<(b/4), math.MaxInt64))
}

func (p *play) limit() bucket.Limit {
	if p.quotas && p.upTo(4) > 0 {
		return p.quota()
	}
	return bucket.Limit{Capacity: max(1, int64(p.size())), Refill: max(1, int64(p.size())), Per: max(1, p.size())}
}

func (p *play) level() *bucket.State {
	switch p.upTo(4) {
	case 0:
		return &bucket.State{}
	case 1:
		return &bucket.State{Tokens: -int64(p.size()), Held: p.size()}
	}
	return nil
}

// step makes one move.
func (p *play) step() {
	k, now := p.k, p.now
	switch p.upTo(19) {
	case 0, 1, 2:
		p.submit()
	case 3, 4:
		p.finish(errFailed, retry.Verdict{Kind: retry.Kind(p.upTo(4)), Wait: p.size()})
	case 5:
		p.finish(nil, retry.Verdict{})
	case 6:
		p.giveUp()
	case 7, 8:
		p.now = After(p.now, p.size())
		k.Advance(p.now)
	case 9:
		if wake := k.Wake(); wake != bucket.Forever {
			p.now = wake
		}
		k.Advance(p.now)
	case 10:
		p.now -= min(p.now, p.size())
		k.Advance(p.now)
	case 11:
		k.Pause(now, After(now, p.size()))
	case 12:
		k.Resume(now)
	case 13:
		require.NoError(p, k.SetLimit(now, 0, p.limit()))
		p.spendsUp = false
	case 14:
		k.SetMaxInFlight(now, p.upTo(4))
	case 15:
		if b := p.byte(); b < 250 {
			k.SetMaxQueued(now, int(b)%4)
		} else {
			k.Drain(now)
		}
	case 16:
		if c := p.pick(); c != nil {
			k.SettleCost(now, c, int(c.Attempts), 0, int64(p.size()))
			p.spendsUp = false
		}
	case 17:
		if p.quotas && p.upTo(2) == 0 {
			p.setWall()
			return
		}
		k.Observe(now, 0, int64(p.size())-1)
	case 18:
		require.NoError(p, k.Learn(now, 0, p.limit(), int64(p.size())-1))
		p.spendsUp = false
	}
}

// finish ends an attempt.
func (p *play) finish(err error, v retry.Verdict) {
	if c := p.pick(); c != nil {
		p.start(c)
		p.k.Finish(p.now, c, err, v)
	}
}

// start starts a call's function, if it has not started.
func (p *play) start(c *Call) {
	if !p.started(c) {
		p.k.Started(p.now, c)
	}
}

func (p *play) started(c *Call) bool {
	return c.State == Running && p.observer.Calls[c.ID].Last == events.Started
}

// giveUp gives up a call in one of several ways.
func (p *play) giveUp() {
	c := p.pick()
	switch way := p.upTo(4); {
	case c == nil:
	case way == 0:
		p.start(c)
	case way == 1 || p.started(c): // a started attempt can't be given back
		p.k.Cancel(p.now, c, errFailed)
	case way == 2:
		p.k.Abandon(p.now, c, errFailed)
	case way == 3:
		p.k.CancelReservation(p.now, c, errFailed)
	}
}

// pick returns any accepted call. Many of its calls have ended, so that many moves come too late.
func (p *play) pick() *Call {
	if len(p.calls) == 0 {
		return nil
	}
	return p.calls[len(p.calls)-1-p.upTo(len(p.calls))]
}

// submit submits some calls of a kind.
func (p *play) submit() {
	what, cost, n := p.byte(), int64(p.size()), 1
	policy := retry.Policy{MaxRetries: 2}
	deadline := time.Duration(bucket.Forever)
	if what&1 != 0 {
		deadline = After(p.now, p.size())
	}
	priority := 0
	if what&2 != 0 {
		priority = int(p.size()) * (p.upTo(3) - 1)
	}
	maxWait := -time.Duration(what >> 4 & 1) // 0 or NoWait
	if what&80 == 80 {
		maxWait = p.size()
	}
	arrives := p.now
	if what&128 != 0 {
		arrives = After(p.now, p.size())
	}
	if what&4 != 0 {
		policy = retry.Policy{MaxRetries: 2, Initial: p.size(), Max: p.size(), MaxServerWait: p.size()}
	}
	if what&8 != 0 {
		n = p.upTo(40)
	}
	if policy.Validate() != nil {
		policy = retry.Policy{}
	}
	policy = policy.WithDefaults()
	for range n {
		c := &Call{Cost: cost, Deadline: deadline, WantsAdmission: what&32 != 0, Watched: what&64 != 0}
		c.ensureDetail().policy = &policy
		if o := (Options{Priority: priority, MaxWait: maxWait}); o != (Options{}) {
			c.detail.options = &o
		}
		if what&128 != 0 {
			c.SetNotBefore(arrives)
		}
		wanted, refused := c.WantsAdmission, p.k.Totals.Refused
		p.calls = append(p.calls, c)
		p.k.Submit(p.now, c)
		if p.k.Totals.Refused > refused {
			p.calls = p.calls[:len(p.calls)-1]
			require.Equal(p, Ended, c.State)
			require.Error(p, c.detail.err)
			require.Zero(p, c.ID)
		} else if !wanted {
			p.entered[c] = true // it did not ask for room
		}
	}
}

// check looks for contradictions.
func (p *play) check() {
	k := p.k
	p.checkEffects()
	if requireBalanced(p, &k.Budgets[0].Bucket); k.Budgets[0].Available() > k.Budgets[0].Limit().Capacity {
		p.Fatalf("%d tokens in a bucket for %d", k.Budgets[0].Available(), k.Budgets[0].Limit().Capacity)
	}
	if p.latest = max(p.latest, p.now); k.Now != p.latest {
		p.Fatalf("the core's time is %d, and its owner's %d", k.Now, p.latest)
	}
	if wake := k.Wake(); wake <= k.Now && wake != bucket.Forever {
		p.Fatalf("wake is %d, and the time %d", wake, k.Now)
	}
	p.checkCounts()
	p.checkQueue()
	p.checkHeap(k.backoff, BackingOff)
	p.checkHeap(k.later, Later)
	if p.spendsUp {
		p.checkSpent()
	}
}

// checkHeap checks the calls that come to the queue at an instant.
func (p *play) checkHeap(h dueHeap, state State) {
	for i, pending := range h {
		if c := pending.value; c.State != state || int(c.detail.index) != i || c.detail.due != pending.first || c.Rank != pending.second || i > 0 && pending.before(&h[(i-1)/4]) {
			p.Fatalf("call %d is in the wrong place in its heap", c.ID)
		}
	}
}

// checkEffects checks the effects that the core left.
func (p *play) checkEffects() {
	fx := &p.k.Effects
	for i, ev := range fx.Events {
		ev.Seq = p.observer.Seq + 1
		if p.observer.See(ev); ev.Kind == events.Granted && p.k.MaxInFlight > 0 && p.k.running.count > p.k.MaxInFlight {
			p.Fatalf("event %d: %d calls run", i, p.k.running.count)
		}
	}
	if len(p.observer.Faults) > 0 {
		p.Fatal(strings.Join(p.observer.Faults, "\n"))
	}
	for _, c := range fx.Admitted {
		require.False(p, p.entered[c], "call %d gets room twice", c.ID)
		p.entered[c] = true
	}
	for _, c := range fx.Granted {
		require.Equal(p, Running, c.State)
		require.True(p, p.entered[c], "call %d is granted before it gets room", c.ID)
	}
	for _, u := range fx.Updates {
		require.True(p, u.Call.Watched)
		require.NotZero(p, u.Event.Call)
	}
	for _, c := range fx.Ended {
		require.Equal(p, Ended, c.State)
		require.False(p, p.done[c], "call %d ends twice", c.ID)
		p.done[c] = true
	}
	fx.Clear()
}

// checkCounts compares the totals with a count of the calls.
func (p *play) checkCounts() {
	k := p.k
	var in [Ended + 1]int
	waiting, attempts, retries := 0, 0, 0
	for _, c := range p.calls {
		in[c.State]++
		attempts += int(c.Attempts)
		retries += max(0, int(c.Attempts)-1)
		if c.detail.waitsForRoom {
			waiting++
		}
		if (c.State == Ended) != p.done[c] {
			p.Fatalf("call %d is in state %d, and ended: %v", c.ID, c.State, p.done[c])
		}
	}
	n := k.Totals
	over := n.Ended()
	got := []int{int(n.Accepted), int(over), k.queued, k.waitingForRoom.count, k.running.count, len(k.backoff), len(k.later), int(n.Attempts), int(n.Retries)}
	want := []int{len(p.calls), in[Ended], in[Queued], waiting, in[Running], in[BackingOff], in[Later], attempts, retries}
	if !slices.Equal(want, got) {
		p.Fatalf("accepted, ended, queued, waiting for room, running, backing off, later, attempts, retries:\n%v, but the core says\n%v", want, got)
	}
}

// checkQueue walks the queue.
func (p *play) checkQueue() {
	var last *Call
	all, position, wait := noCalls, 0, time.Duration(0)
	p.k.plain.waiting.each(func(c *Call) {
		if c.State != Queued || last != nil && !last.Before(c) {
			p.Fatalf("call %d is out of place in the queue", c.ID)
		}
		position++
		e := p.k.EstimateOf(p.now, c)
		place, its := e.Position, e.AtLeast
		require.Equal(p, e.AtLeast, e.Wait, "without keys")
		if place != position || its < wait {
			p.Fatalf("call %d is number %d in the queue, after one that waits %v, and its estimate is number %d and %v", c.ID, position, wait, place, its)
		}
		all.addCall(c, 1)
		last, wait = c, its
	})
	require.Equal(p, all, p.k.plain.waiting.all())
}

// checkSpent checks B2, exactness.
func (p *play) checkSpent() {
	l, limit := p.k.Budgets[0].Ledger(), p.k.Budgets[0].Limit()
	spent := float64(l.Spent) - float64(l.Refunded)
	most := float64(l.Initial) + float64(limit.Refill)*float64(p.k.Now)/float64(limit.Per)
	if spent > most*(1+1e-9) { // package bucket tests the exact bound
		p.Fatalf("%v tokens spent, of %v", spent, most)
	}
}

// checkClosed checks a closed core, and one that is restarted from it.
func (p *play) checkClosed() {
	k := p.k
	require.Zero(p, k.queued+len(k.backoff)+len(k.later))
	require.Equal(p, k.running.count, p.observer.Unfinished())
	require.EqualError(p, k.refusal(new(Call)), "scheduler is closed")
	text, err := json.Marshal(levelsOf(k))
	require.NoError(p, err)
	var read map[string]bucket.State
	require.NoError(p, json.Unmarshal(text, &read))
	next, err := New(Config{Origin: k.wall(k.Now), Limits: limitsOf(k), Levels: read})
	require.NoError(p, err)
	require.Equal(p, k.Budgets[0].Available(), next.Budgets[0].Available(), "%s", text)
	if held := k.Budgets[0].HeldUntil() - k.Now; next.Budgets[0].HeldUntil() != held {
		p.Fatalf("held for %v, and after a restart for %v", held, next.Budgets[0].HeldUntil())
	}
}
