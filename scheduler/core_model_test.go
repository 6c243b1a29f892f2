package scheduler

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// TestCoreAgainstModel (B1–B7, O1, O2, O4, R2, R5, C4): whatever happens to calls and
// whatever is reconfigured, the core grants the same ones at the same nanosecond as the
// dumb model, ends the same ones in the same way, lets the same ones in, estimates the
// same, and says that they have spent their time on the same. The model checks that no
// call is overtaken by one that came too late for its priority.
func TestCoreAgainstModel(t *testing.T) {
	for range 10 { // a hundred runs are too few to meet everything
		rapid.Check(t, playMatch)
	}
}

func playMatch(t *rapid.T) {
	m := newMatch(t)
	t.Repeat(map[string]func(*rapid.T){
		"submit":   m.submit,
		"finish":   m.finish,
		"abandon":  m.abandon,
		"cancel":   m.cancel,
		"advance":  m.advance,
		"advance ": m.advance, // twice as often
		"pause":    m.pause,
		"limit":    m.setLimit,
		"slots":    m.setSlots,
		"room":     m.setRoom,
		"":         m.check,
	})
}

// TestEstimatesAreExact: if nobody goes ahead, fails, leaves or reconfigures, every call
// is granted at the very nanosecond that was predicted when it was queued. (Above 10⁹
// tokens a second a small bucket can't hold what comes within one.)
func TestEstimatesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t)
		limit.Refill = min(limit.Refill, int64(limit.Per))
		k, err := newCore(Config{Limit: limit}, time.Time{})
		require.NoError(t, err)
		k.wanted = events.All
		policy := retry.Policy{}.WithDefaults()
		now, predicted := time.Duration(0), map[uint64]time.Time{}
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			k.submit(now, &call{cost: rapid.Int64Range(0, limit.Capacity).Draw(t, "cost"), policy: &policy, deadline: bucket.Forever})
			now += time.Duration(rapid.Int64Range(0, 3*int64(limit.Per)).Draw(t, "time"))
		}
		k.advance(bucket.Forever - 1)
		granted := 0
		for _, ev := range k.effects.events {
			switch ev.Kind {
			case events.Queued:
				predicted[ev.Call] = ev.At.Add(ev.Wait)
			case events.Granted:
				granted++
				require.Equal(t, predicted[ev.Call], ev.At)
			}
		}
		require.Len(t, predicted, granted)
	})
}

// match plays the core against the model.
type match struct {
	k      *core
	d      *dumb
	now    time.Duration
	grants []grant
	policy retry.Policy
}

func drawLimit(t *rapid.T) bucket.Limit {
	return bucket.Limit{
		Capacity: rapid.Int64Range(1, 20).Draw(t, "capacity"),
		Refill:   rapid.SampledFrom([]int64{1, 3, 7, 100}).Draw(t, "refill"),
		Per:      rapid.SampledFrom([]time.Duration{10, 97, time.Second, time.Minute}).Draw(t, "per"),
	}
}

func newMatch(t *rapid.T) *match {
	limit := drawLimit(t)
	cfg := Config{
		Limit:        limit,
		MaxInFlight:  rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "slots"),
		MaxQueued:    rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "room"),
		Overflow:     rapid.SampledFrom([]Overflow{WaitForRoom, RefuseNew, DropLowest}).Draw(t, "overflow"),
		PriorityStep: rapid.SampledFrom([]time.Duration{1, limit.Per, 10 * limit.Per}).Draw(t, "step"),
	}
	k, err := newCore(cfg, time.Time{})
	require.NoError(t, err)
	k.wanted = events.All
	return &match{
		k: k,
		d: &dumb{
			limit: limit, step: cfg.PriorityStep, slots: cfg.MaxInFlight, room: cfg.MaxQueued, overflow: cfg.Overflow,
			level: new(big.Rat).SetInt64(limit.Capacity),
		},
		policy: retry.Policy{MaxRetries: 2, Initial: rapid.SampledFrom([]time.Duration{1, limit.Per, time.Minute}).Draw(t, "initial"), Max: time.Hour}.WithDefaults(),
	}
}

func (m *match) submit(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "calls") {
		c := &call{
			cost:     rapid.Int64Range(0, m.d.limit.Capacity+1).Draw(t, "cost"),
			trail:    &trail{priority: rapid.SampledFrom([]int{0, 0, 0, -1, 1, 3}).Draw(t, "priority")},
			policy:   &m.policy,
			deadline: bucket.Forever,
			noWait:   rapid.IntRange(0, 9).Draw(t, "no wait") == 0,
			asks:     rapid.Bool().Draw(t, "asks"),
		}
		if rapid.IntRange(0, 2).Draw(t, "has a deadline") == 0 {
			c.deadline = m.now + time.Duration(rapid.Int64Range(0, 20*int64(m.d.limit.Per)).Draw(t, "deadline"))
		}
		d := &dumbCall{
			call: c, cost: c.cost, priority: c.priority, deadline: c.deadline,
			asks: c.asks, id: uint64(len(m.d.calls)) + 1, arrived: m.now, rank: m.now - time.Duration(c.priority)*m.d.step,
		}
		m.k.submit(m.now, c)
		m.d.submit(t, d)
		require.Equal(t, d.state == ended && d.end == events.Refused, c.id == 0, "refused: %v", c.err)
		if c.id == 0 {
			require.Equal(t, ended, c.state)
			require.Error(t, c.err)
		}
	}
}

// pick draws one of the model's calls in a state, or nil.
func (m *match) pick(t *rapid.T, s ...state) *dumbCall {
	var list []*dumbCall
	for _, s := range s {
		list = append(list, m.d.in(s)...)
	}
	if len(list) == 0 {
		return nil
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(t, "which")]
}

// settle lets the model do what has become possible at this instant.
func (m *match) settle(t *rapid.T) {
	m.d.letIn()
	m.d.advance(t, m.now)
}

var errFlaky = errors.New("flaky")

func (m *match) finish(t *rapid.T) {
	c := m.pick(t, running)
	if c == nil {
		return
	}
	v := rapid.SampledFrom([]retry.Verdict{
		{}, {}, {Kind: retry.KindTransient}, {Kind: retry.KindRateLimited}, {Kind: retry.KindRateLimited, Wait: m.d.limit.Per},
	}).Draw(t, "verdict")
	m.k.finish(m.now, c.call, errFlaky, v)
	m.d.over(c, events.Failed)
	if v.Wait > 0 {
		m.d.hold(m.now + m.policy.ServerWait(c.id, c.attempt, v.Wait))
	}
	switch d := m.policy.Decide(c.id, c.attempt, v); {
	case d.Action == retry.Exhausted:
		c.end = events.Exhausted
	case d.Action == retry.Again && m.now+d.Delay > c.deadline:
		c.end = events.Cancelled
	case d.Action == retry.Again:
		c.state, c.due = backingOff, m.now+d.Delay
	}
	m.settle(t)
}

func (m *match) abandon(t *rapid.T) {
	if c := m.pick(t, running); c != nil {
		m.k.abandon(m.now, c.call, errFlaky)
		m.d.over(c, events.Cancelled)
		c.attempt--
		m.d.level.Add(m.d.level, new(big.Rat).SetInt64(c.cost))
		m.d.cap()
		m.settle(t)
	}
}

func (m *match) cancel(t *rapid.T) {
	if c := m.pick(t, queued, backingOff); c != nil {
		m.k.cancel(m.now, c.call, errFlaky)
		m.d.over(c, events.Cancelled)
		m.settle(t)
	}
}

func (m *match) advance(t *rapid.T) {
	per := int64(m.d.limit.Per)
	m.now += time.Duration(rapid.OneOf(
		rapid.Int64Range(0, 3), rapid.Int64Range(0, per), rapid.Int64Range(0, 100*per),
	).Draw(t, "time"))
	m.k.advance(m.now)
	m.d.advance(t, m.now)
}

func (m *match) pause(t *rapid.T) {
	per := int64(m.d.limit.Per)
	until := rapid.OneOf(
		rapid.Just(int64(0)), rapid.Just(int64(bucket.Forever-m.now)), rapid.Int64Range(0, 3*per),
	).Draw(t, "pause")
	if until == 0 {
		m.k.resume(m.now)
		if m.d.pausedTill > 0 {
			m.d.resume()
		}
	} else {
		m.k.pause(m.now, m.now+time.Duration(until))
		m.d.pausedTill = m.now + time.Duration(until)
		m.d.replan()
	}
	m.settle(t)
}

func (m *match) setLimit(t *rapid.T) {
	limit := drawLimit(t)
	require.NoError(t, m.k.setLimit(m.now, limit))
	m.d.setLimit(limit)
	m.settle(t)
}

func (m *match) setSlots(t *rapid.T) {
	n := rapid.IntRange(0, 4).Draw(t, "slots")
	m.k.setMaxInFlight(m.now, n)
	m.d.slots = n
	m.settle(t)
}

func (m *match) setRoom(t *rapid.T) {
	n := rapid.IntRange(0, 4).Draw(t, "room")
	m.k.setMaxQueued(m.now, n)
	m.d.room = n
	m.settle(t)
}

func (m *match) check(t *rapid.T) {
	ends := map[uint64]events.Event{}
	for _, ev := range m.k.effects.events {
		switch {
		case ev.Kind == events.Granted:
			m.grants = append(m.grants, grant{ev.Call, ev.At.Sub(m.k.origin)})
		case ev.Kind.Ends():
			ends[ev.Call] = ev
		}
	}
	m.k.effects.clear()
	require.Equal(t, m.d.grants, m.grants, "grants")
	for _, c := range m.d.calls {
		m.checkCall(t, c, ends)
	}
	require.Equal(t, len(m.d.in(queued)), m.k.queue.len(), "queued")
	require.Equal(t, len(m.d.in(running)), m.k.running.count, "running")
	require.Equal(t, len(m.d.in(backingOff)), len(m.k.backoff), "backing off")
	requireBalanced(t, &m.k.bucket)
	var attempts, retries uint64
	for _, c := range m.d.calls {
		attempts += uint64(c.attempt)
		retries += uint64(max(0, c.attempt-1))
	}
	require.Equal(t, attempts, m.k.totals.Attempts, "attempts")
	require.Equal(t, retries, m.k.totals.Retries, "retries")
	floor := new(big.Int).Div(m.d.level.Num(), m.d.level.Denom())
	require.Equal(t, floor.Int64(), m.k.bucket.Available(), "tokens")
	require.Greater(t, m.k.wake(), m.k.now, "what is due has happened")
}

func (m *match) checkCall(t *rapid.T, c *dumbCall, ends map[uint64]events.Event) {
	require.Equal(t, c.id, c.call.id)
	require.Equal(t, c.state, c.call.state, "state of call %d", c.id)
	require.Equal(t, c.outside, c.call.outside, "call %d is outside", c.id)
	require.Equal(t, c.outside, c.call.asks && c.state != ended, "call %d waits to hear that it is in", c.id)
	if c.state == queued {
		position, at := m.d.estimate(c)
		require.Equal(t, Estimate{position, at - m.now, m.k.time(at)}, m.k.estimateOf(m.now, c.call), "estimate of call %d", c.id)
	}
	if ev, ok := ends[c.id]; ok {
		require.Equal(t, c.end, ev.Kind, "end of call %d", c.id)
		require.Equal(t, c.times, ev.Times, "times of call %d", c.id)
		require.Equal(t, ev.At.Sub(m.k.time(c.arrived)), ev.Times.Total(), "they add up")
	}
}
