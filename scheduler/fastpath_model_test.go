package scheduler

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// TestFastPathAgainstTheExactBucket compares the owner's bucket with an exact one that pays at the
// instant of each call. Whenever calls take tokens from the lease, and however late the owner
// accounts for them, the exact bucket has each token. The owner's level is never higher than the
// exact one, and lower by at most the refill between two turns (B2, exactness; B5, ledger; O3, fast
// path).
func TestFastPathAgainstTheExactBucket(t *testing.T) {
	leased, runs := 0, 0
	for range 5 {
		rapid.Check(t, func(t *rapid.T) {
			m := newFastMatch(t)
			t.Repeat(map[string]func(*rapid.T){
				"plain calls":  m.plainCalls,
				"with options": m.withOptions,
				"options over": m.optionsOver,
				"known":        m.known,
				"clashes":      m.clashes,
				"other call":   m.otherCall,
				"long call":    m.longCall,
				"failure":      m.failure,
				"fast failure": m.fastFailure,
				"over":         m.over,
				"time":         m.time,
				"long time":    m.longTime,
				"snapshot":     m.snapshot,
				"pause":        m.pause,
				"new limit":    m.newLimit,
				"":             m.check,
			})
			leased, runs = leased+m.leased, runs+1
		})
	}
	require.Greater(t, leased, 2*runs, "the fast path is hardly ever open")
}

// fastMatch runs an owner and its fast path, without goroutines, against an exact bucket.
type fastMatch struct {
	o       *owner
	clock   *handClock
	exact   bucket.Bucket
	inFast  int      // plain calls that run by the fast path
	plain   []*lease // their leases
	named   []*call  // calls with options that run by the fast path
	ids     map[uint64]bool
	spread  bool    // a lease was spread over the cells
	running []*call // calls of the owner that run for longer
	retries []*call // calls that back off
	calls   uint64
	failed  uint64
	grants  uint64
	looked  time.Duration // the owner's last turn
	longest time.Duration // the longest time between two turns
	leased  int           // how many calls the fast path took
}

// handClock is a clock that is set by hand. Its timer does not fire by itself.
type handClock struct{ now, due time.Duration }

func (c *handClock) Now() time.Time                           { return time.Time{}.Add(c.now) }
func (c *handClock) NewTimer(d time.Duration) (t clock.Timer) { return c }
func (c *handClock) C() <-chan time.Time                      { return nil }
func (c *handClock) Stop()                                    { c.due = bucket.Forever }
func (c *handClock) Reset(d time.Duration)                    { c.due = c.now + d }

func newFastMatch(t *rapid.T) *fastMatch {
	limit := bucket.Limit{
		Capacity: rapid.SampledFrom([]int64{minLease, 50, 200, 1000}).Draw(t, "capacity"),
		Refill:   rapid.Int64Range(1, 10_000).Draw(t, "refill"),
		Per:      time.Second,
	}
	k, err := core.New(core.Config{Limits: bucket.Limits{"": limit}, MaxInFlight: rapid.SampledFrom([]int{0, 0, 2, 5}).Draw(t, "slots")})
	require.NoError(t, err)
	c := &handClock{due: bucket.Forever}
	m := &fastMatch{ids: map[uint64]bool{}, clock: c, o: &owner{s: &Scheduler{clock: c, retry: retry.Policy{}.WithDefaults(), inbox: make(chan message, 1), read: reader(c, time.Time{})}, core: k, timer: c, armed: bucket.Forever}}
	m.exact, _ = bucket.New(limit, 0)
	return m
}

// turn makes a turn of the owner, and lets the exact bucket pay for the retries that it grants.
func (m *fastMatch) turn(t *rapid.T, msg message) {
	m.longest = max(m.longest, m.clock.now-m.looked)
	m.looked = m.clock.now
	m.o.turn(msg)
	m.spread = m.spread || m.o.lease.spread
	m.retried(t)
}

// wait lets time pass. The owner's timer fires, perhaps late.
func (m *fastMatch) wait(t *rapid.T, d time.Duration) {
	end := m.clock.now + d
	for m.clock.due <= end {
		late := rapid.SampledFrom([]time.Duration{0, 0, 0, time.Microsecond, time.Millisecond}).Draw(t, "late")
		if len(m.retries) > 0 {
			late = 0 // the exact bucket can't pay for a retry at an earlier instant
		}
		m.clock.now = min(m.clock.due+late, end)
		m.clock.due = bucket.Forever
		m.o.armed = bucket.Forever
		m.turn(t, message{op: opTick})
	}
	m.clock.now = end
}

func (m *fastMatch) plainCalls(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 5, 20, 100, 300}).Draw(t, "n") {
		if w, l := m.o.s.fast.take(1); l != nil {
			m.tookFast(t, l.permit(w))
			continue
		}
		c := m.newCall(1)
		c.runner.fast = true
		m.submit(t, c)
	}
}

func (m *fastMatch) tookFast(t *rapid.T, got permit) {
	m.tookTokens(t, got, 1)
	m.plain = append(m.plain, got.lease)
	m.inFast++
}

func (m *fastMatch) tookTokens(t *rapid.T, got permit, cost int64) {
	if !m.spread {
		require.Equal(t, m.calls+1, got.number, "R3, jitter: calls are numbered in order of arrival")
	}
	require.False(t, m.ids[got.number], "R3: no two calls have the same number")
	m.ids[got.number] = true
	require.True(t, m.exact.Take(m.clock.now, cost), "the fast path granted tokens that did not exist")
	require.Zero(t, m.o.core.Queued(), "O3, fast path: no call is overtaken")
	m.calls++
	m.grants++
	m.leased++
	m.checkSlots(t)
}

// withOptions starts calls with a cost, as Do does. They run until optionsOver.
func (m *fastMatch) withOptions(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		c := m.newCall(rapid.Int64Range(1, 10).Draw(t, "cost"))
		if c.runner.fast = m.o.s.startFast(c); c.runner.fast {
			c.made = 1
			m.named = append(m.named, c)
			m.tookTokens(t, c.runner.permit, c.Cost)
		}
	}
}

// optionsOver ends the oldest call with options, as its runner does.
func (m *fastMatch) optionsOver(t *rapid.T) {
	if len(m.named) == 0 {
		return
	}
	c := m.named[0]
	m.named = m.named[1:]
	switch {
	case rapid.Bool().Draw(t, "fails"):
		c.claim()
		m.failed++
		m.turn(t, message{op: opDone, call: c, err: errFlaky})
	case !m.o.s.succeededFast(c):
		m.turn(t, message{op: opDone, call: c})
	case len(m.o.s.inbox) > 0:
		m.turn(t, <-m.o.s.inbox)
	}
}

// clashes makes the owner spread its leases.
func (m *fastMatch) clashes(*rapid.T) {
	m.o.s.fast.cells[0].clashes.Add(manyClashes + 1)
}

// known has the owner look at all calls that run, as for a report.
func (m *fastMatch) known(t *rapid.T) {
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) {
		o.knowAll(now)
		require.Equal(t, m.inFast, o.core.InFast, "only calls without options are unknown")
		for _, c := range m.named {
			require.Equal(t, core.Running, c.State)
			require.Equal(t, c.Cost, c.Paid())
		}
	}})
}

func (m *fastMatch) otherCall(t *rapid.T) {
	m.submit(t, m.newCall(rapid.Int64Range(0, 10).Draw(t, "cost")))
}

func (m *fastMatch) newCall(cost int64) *call {
	c := newCall()
	c.ctx, c.Cost = context.Background(), cost
	c.SetOptions(&core.Options{MaxWait: core.NoWait})
	return c
}

// submit submits a call that is refused unless it can start at once.
func (m *fastMatch) submit(t *rapid.T, c *call) {
	m.turn(t, message{op: opSubmit, call: c})
	switch r := <-c.runner.reply; r.kind {
	case replyGranted:
		require.True(t, m.exact.Take(m.clock.now, c.Cost), "the owner granted tokens that did not exist")
		m.calls++
		m.grants++
		m.checkSlots(t)
		switch {
		case m.o.core.Verdict(&c.Call).Retryable():
			m.retries = append(m.retries, c)
			m.turn(t, message{op: opFailed, call: c, err: errFlaky})
		case c.Options().Name == "long":
			m.running = append(m.running, c)
		default:
			m.turn(t, message{op: opDone, call: c})
		}
	}
}

// longCall starts a call of the owner that keeps its slot until a later longCall ends it.
func (m *fastMatch) longCall(t *rapid.T) {
	if len(m.running) > rapid.IntRange(0, 3).Draw(t, "long calls") {
		c := m.running[0]
		m.running = m.running[1:]
		m.turn(t, message{op: opDone, call: c})
		return
	}
	c := m.newCall(1)
	c.SetOptions(&core.Options{Name: "long", MaxWait: core.NoWait})
	m.submit(t, c)
}

// fastFailure makes a call of the fast path that fails, so that the owner gets it.
func (m *fastMatch) fastFailure(t *rapid.T) {
	if w, l := m.o.s.fast.take(1); l != nil {
		m.tookFast(t, l.permit(w))
		c := m.newCall(1)
		c.made, c.runner.permit = 1, l.permit(w)
		m.plain = m.plain[:len(m.plain)-1]
		m.inFast--
		m.failed++
		m.turn(t, message{op: opDone, call: c, err: errFlaky})
	}
}

// failure makes a call of the owner that fails. Its retry is granted as soon as it is due, for
// which the owner first has to account for what the fast path took.
func (m *fastMatch) failure(t *rapid.T) {
	c := m.newCall(rapid.Int64Range(1, m.exact.Limit().Capacity).Draw(t, "cost"))
	c.SetVerdict(retry.Verdict{Kind: retry.KindTransient}, -1)
	c.SetPolicy(&retry.Policy{Initial: time.Millisecond, Max: 3 * time.Millisecond})
	m.submit(t, c)
}

// retried lets the exact bucket pay for the retries that the owner has granted.
func (m *fastMatch) retried(t *rapid.T) {
	for i := 0; i < len(m.retries); i++ {
		c := m.retries[i]
		select {
		case <-c.runner.reply:
			require.True(t, m.exact.Take(m.clock.now, c.Cost), "a retry was granted tokens that did not exist")
			m.grants++
			m.retries = slices.Delete(m.retries, i, i+1)
			m.turn(t, message{op: opDone, call: c})
			i = -1
		default:
		}
	}
}

func (m *fastMatch) over(t *rapid.T) {
	for range min(m.inFast, rapid.IntRange(1, 20).Draw(t, "n")) {
		m.inFast--
		l := m.plain[0]
		m.plain = m.plain[1:]
		if l.release() {
			m.turn(t, message{op: opFastDone, call: m.newCall(1)})
		}
	}
}

func (m *fastMatch) time(t *rapid.T) {
	m.wait(t, time.Duration(rapid.Int64Range(0, int64(3*time.Millisecond)).Draw(t, "time")))
}

func (m *fastMatch) longTime(t *rapid.T) {
	m.wait(t, time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "time")))
}

func (m *fastMatch) snapshot(t *rapid.T) {
	m.turn(t, message{op: opFastDone, call: m.newCall(1)}) // so that retries with a free slot run
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) {
		s := o.snapshot(now)
		require.Equal(t, m.inFast+len(m.named)+len(m.running), s.Running)
		require.Equal(t, m.calls, s.Totals.Accepted)
		require.Equal(t, m.grants, s.Totals.Attempts)
		require.Equal(t, m.failed, s.Totals.Failed)
		require.Equal(t, m.calls-m.failed-uint64(m.inFast+len(m.named)+len(m.running)+len(m.retries)), s.Totals.Succeeded)
		if !m.spread {
			require.Equal(t, m.calls, o.core.LastID)
		}
	}})
}

func (m *fastMatch) pause(t *rapid.T) {
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.Pause(now, bucket.Forever) }})
	_, l := m.o.s.fast.take(1)
	require.Nil(t, l, "the fast path is closed in a pause")
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.Resume(now) }})
}

func (m *fastMatch) newLimit(t *rapid.T) {
	limit := m.exact.Limit()
	limit.Refill = rapid.Int64Range(1, 10_000).Draw(t, "refill")
	require.NoError(t, m.exact.SetLimit(m.clock.now, limit))
	m.turn(t, message{op: opAsk, do: func(o *owner, now time.Duration) { require.NoError(t, o.core.SetLimit(now, 0, limit)) }})
}

func (m *fastMatch) check(t *rapid.T) {
	m.exact.Advance(m.clock.now)
	b := m.o.core.Budgets[0] // with what was taken since the owner's last turn
	b.Advance(m.clock.now)
	require.True(t, b.Take(m.clock.now, m.o.lease.left()-inCells(m.o.s, func(w uint64) uint64 { return w & fastTokens })))
	short := m.exact.Available() - b.Available()
	require.GreaterOrEqual(t, short, int64(0), "the owner's level is never above the exact one")
	gap := max(m.longest, m.clock.now-m.looked)
	require.LessOrEqual(t, short, int64(float64(10_000)*gap.Seconds())+1, "the owner's level is low by at most one refill")
	l := b.Ledger()
	require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+b.Available(), "ledger %+v", l)
	k := m.o.core
	require.Equal(t, k.Queued()+k.BackingOff()+k.InFlight() == 0, k.Drained())
}

func (m *fastMatch) checkSlots(t *rapid.T) {
	if k := m.o.core; k.MaxInFlight > 0 {
		require.LessOrEqual(t, int(inCells(m.o.s, inFlight))+len(k.RunningCalls()), k.MaxInFlight, "at most MaxInFlight calls run")
	}
}
