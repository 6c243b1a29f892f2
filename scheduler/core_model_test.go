package scheduler

import (
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// dumb is the core as one would explain it: one list of calls, searched from the
// start each time, and a budget that is a fraction of any precision.
type dumb struct {
	limit    bucket.Limit
	slots    int
	now      time.Duration
	level    *big.Rat
	heldTill time.Duration
	calls    []*dumbCall // in order of arrival
	grants   []grant
}

type dumbCall struct {
	*call
	state   state
	due     time.Duration
	attempt int
}

// grant is who was granted when.
type grant struct {
	id uint64
	at time.Duration
}

func (d *dumb) rate() *big.Rat { return big.NewRat(d.limit.Refill, int64(d.limit.Per)) }

// refill lets tokens come up to an instant, except while held.
func (d *dumb) refill(to time.Duration) {
	from := max(d.now, d.heldTill)
	if to > from {
		gain := new(big.Rat).SetInt64(int64(to - from))
		d.level.Add(d.level, gain.Mul(gain, d.rate()))
		d.cap()
	}
	d.now = max(d.now, to)
}

// cap takes off what the bucket can't hold: all but what came within the last
// nanosecond, short of a token.
func (d *dumb) cap() {
	rate := d.rate()
	slack := big.NewRat(min(rate.Num().Int64(), rate.Denom().Int64())-1, rate.Denom().Int64())
	full := slack.Add(slack, new(big.Rat).SetInt64(d.limit.Capacity))
	if d.level.Cmp(full) > 0 {
		d.level = full
	}
}

// ready is the first instant at which the budget has n tokens.
func (d *dumb) ready(n int64) time.Duration {
	start := max(d.now, d.heldTill)
	missing := new(big.Rat).Sub(new(big.Rat).SetInt64(n), d.level)
	if missing.Sign() <= 0 {
		return start
	}
	wait := missing.Quo(missing, d.rate())
	q, r := new(big.Int).QuoRem(wait.Num(), wait.Denom(), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return start + time.Duration(q.Int64())
}

func (d *dumb) in(s state) (list []*dumbCall) {
	for _, c := range d.calls {
		if c.state == s {
			list = append(list, c)
		}
	}
	return list
}

// advance is the rules: whoever's backoff is over queues, in the order in which they
// are over; the first of the queue, by arrival, is granted when it can pay and there
// is a slot. Nothing else ever happens by itself.
func (d *dumb) advance(now time.Duration) {
	for {
		next, at := func() {}, bucket.Forever
		if queue := d.in(queued); len(queue) > 0 && (d.slots == 0 || len(d.in(running)) < d.slots) {
			head := queue[0]
			at = d.ready(head.cost)
			next = func() {
				d.level.Sub(d.level, new(big.Rat).SetInt64(head.cost))
				head.state = running
				head.attempt++
				d.grants = append(d.grants, grant{head.id, at})
			}
		}
		for _, c := range d.in(backingOff) {
			if due := max(c.due, d.now); due <= at {
				at = due
				next = func() { c.state = queued }
				if c.due < due {
					break
				}
			}
		}
		if at > now {
			break
		}
		d.refill(at)
		next()
	}
	d.refill(now)
}

func (d *dumb) hold(until time.Duration) {
	if until <= max(d.now, d.heldTill) {
		return
	}
	if d.level.Sign() > 0 {
		d.level = new(big.Rat)
	}
	d.heldTill = until
}

// TestCoreAgainstModel (B1–B7, O1, O2, O4, R2, R5): whatever happens to calls, the core
// grants the same ones at the same nanosecond as the dumb model, and leaves as
// many queued, running and backing off.
func TestCoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMatch(t)
		t.Repeat(map[string]func(*rapid.T){
			"submit":  m.submit,
			"finish":  m.finish,
			"abandon": m.abandon,
			"cancel":  m.cancel,
			"advance": m.advance,
			"":        m.check,
		})
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

func newMatch(t *rapid.T) *match {
	limit := bucket.Limit{
		Capacity: rapid.Int64Range(1, 20).Draw(t, "capacity"),
		Refill:   rapid.SampledFrom([]int64{1, 3, 7, 100}).Draw(t, "refill"),
		Per:      rapid.SampledFrom([]time.Duration{10, 97, time.Second, time.Minute}).Draw(t, "per"),
	}
	slots := rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "slots")
	k, err := newCore(Config{Limit: limit, MaxInFlight: slots}, time.Time{})
	require.NoError(t, err)
	k.wanted = events.All
	return &match{
		k: k, d: &dumb{limit: limit, slots: slots, level: new(big.Rat).SetInt64(limit.Capacity)},
		policy: retry.Policy{MaxRetries: 2, Initial: rapid.SampledFrom([]time.Duration{1, limit.Per, time.Minute}).Draw(t, "initial"), Max: time.Hour}.WithDefaults(),
	}
}

func (m *match) submit(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "calls") {
		c := &call{cost: rapid.Int64Range(0, m.d.limit.Capacity).Draw(t, "cost"), policy: &m.policy, deadline: bucket.Forever}
		m.k.submit(m.now, c)
		m.d.calls = append(m.d.calls, &dumbCall{call: c, state: queued})
		m.d.advance(m.now)
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
	c.state = ended
	if v.Wait > 0 {
		m.d.hold(m.now + m.policy.ServerWait(c.id, c.attempt, v.Wait))
	}
	if d := m.policy.Decide(c.id, c.attempt, v); d.Action == retry.Again {
		c.state, c.due = backingOff, m.now+d.Delay
	}
	m.d.advance(m.now)
}

func (m *match) abandon(t *rapid.T) {
	if c := m.pick(t, running); c != nil {
		m.k.abandon(m.now, c.call, errFlaky)
		c.state = ended
		c.attempt--
		m.d.level.Add(m.d.level, new(big.Rat).SetInt64(c.cost))
		m.d.cap()
		m.d.advance(m.now)
	}
}

func (m *match) cancel(t *rapid.T) {
	if c := m.pick(t, queued, backingOff); c != nil {
		m.k.cancel(m.now, c.call, errFlaky)
		c.state = ended
		m.d.advance(m.now)
	}
}

func (m *match) advance(t *rapid.T) {
	per := int64(m.d.limit.Per)
	m.now += time.Duration(rapid.OneOf(
		rapid.Int64Range(0, 3), rapid.Int64Range(0, per), rapid.Int64Range(0, 100*per),
	).Draw(t, "time"))
	m.k.advance(m.now)
	m.d.advance(m.now)
}

func (m *match) check(t *rapid.T) {
	for _, ev := range m.k.effects.events {
		if ev.Kind == events.Granted {
			m.grants = append(m.grants, grant{ev.Call, ev.At.Sub(m.k.origin)})
		}
	}
	m.k.effects.clear()
	require.True(t, slices.Equal(m.d.grants, m.grants), "grants\nwant %v\ngot  %v", m.d.grants, m.grants)
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
