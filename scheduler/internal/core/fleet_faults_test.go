package core

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// quietFleet returns a fleet with a huge bucket, in which nothing goes wrong by itself. Its processes always have
// calls queued, and have sold for some seconds. Whatever happens next, checks of the fleet see each token over.
func quietFleet(t *testing.T, procs int, change func(*fleetProfile)) *fleet {
	t.Helper()
	p := fleetProfile{procs: procs, rate: 1000, capacity: 1 << 30, cost: 1, width: 500, ahead: time.Second, latency: time.Millisecond, length: time.Hour, pace: time.Second}
	if change != nil {
		change(&p)
	}
	f := newFleetOf(1, rand.New(rand.NewPCG(1, 1)), p)
	goOn(t, f, 6*time.Second)
	return f
}

// goOn lets a fleet go on.
func goOn(t *testing.T, f *fleet, d time.Duration) {
	t.Helper()
	func() {
		defer f.recoverFailure()
		f.runUntil(f.now + d)
	}()
	require.Nil(t, f.failed)
}

// TestFleetStoreForgets checks that nothing is over, and that the rate is kept later, if the store forgets what it
// has sold ahead, knows old things, or its clock goes back (F8, F9).
func TestFleetStoreForgets(t *testing.T) {
	for name, forget := range map[string]func(f *fleet){
		"empty":    func(f *fleet) { f.store.restart(true) },
		"old copy": func(f *fleet) { f.store.restart(false) },
		"clock":    func(f *fleet) { f.store.back += 1500 * time.Millisecond },
		"hour":     func(f *fleet) { f.store.back += time.Hour },
	} {
		for _, cut := range []bool{false, true} {
			f := quietFleet(t, 2, nil)
			f.store.keep()
			goOn(t, f, 3*time.Second)
			forget(f)
			f.procs[0].cut = cut // it never learns of it
			before, since := f.check.granted, f.now
			goOn(t, f, 10*time.Second)
			got, lost := f.check.granted-before, float64(bucket.LearnTime)/float64(time.Second)+0.01
			assert.GreaterOrEqual(t, float64(got), 1000*((f.now-since).Seconds()-lost), "%s, cut off %v", name, cut)
			assert.LessOrEqual(t, f.check.least, 1.0, "the bound is tight before that")
		}
	}
}

// TestFleetFence checks that a process that is cut off spends for no longer than Grace after it sent the last ask
// that was answered, and that it goes on when it is back (F7).
func TestFleetFence(t *testing.T) {
	f := quietFleet(t, 2, func(p *fleetProfile) { p.rate, p.width = 2, 50 })
	p := f.procs[0]
	p.cut = true
	fence := p.k.Budgets[0].stock.fence
	assert.LessOrEqual(t, fence, p.local(f.now)+bucket.Grace)
	p.turn(func(now time.Duration) { // a call that needs what comes after the fence
		p.k.Submit(now, &Call{Cost: 20, Deadline: bucket.Forever})
	})
	goOn(t, f, fence-p.local(f.now))
	granted := p.granted
	goOn(t, f, 5*time.Second)
	assert.Equal(t, granted, p.granted)
	assert.Empty(t, p.k.Budgets[0].stock.purchases)
	p.cut = false
	goOn(t, f, 5*time.Second)
	assert.Greater(t, p.granted, granted)
}

// TestFleetFenceCountsFromTheAttemptThatSucceeded checks that the fence counts from the sending of the attempt that
// was answered, and not of an earlier one, nor from the answer (F7).
func TestFleetFenceCountsFromTheAttemptThatSucceeded(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 100)
	s.ask(k)
	s.now += 500 * time.Millisecond
	k.AskFailed(s.now, 0, errLost)
	s.now = k.AskAgainAt()
	sent := s.now
	a := s.ask(k)
	s.now += 300 * time.Millisecond
	k.Answered(s.now, 0, s.exchange(a))
	assert.Equal(t, sent+bucket.Grace, k.Budgets[0].stock.fence)
}

// TestFleetHold checks that what a server tells one process holds the others within five eighths of Grace, and that all go
// on when the wait is over (F11).
func TestFleetHold(t *testing.T) {
	f := quietFleet(t, 4, func(p *fleetProfile) { p.slots = 1000 })
	p := f.procs[0]
	var c *Call
	for c == nil {
		f.step()
		c = p.k.running.first
	}
	p.turn(func(now time.Duration) {
		p.k.Finish(now, c, errFailed, retry.Verdict{Kind: retry.KindRateLimited, Wait: 5 * time.Second})
	})
	goOn(t, f, 5*bucket.Grace/8+20*time.Millisecond)
	granted := f.check.granted
	goOn(t, f, 3900*time.Millisecond)
	assert.Equal(t, granted, f.check.granted, "all wait")
	require.Greater(t, p.k.HeldUntil(), p.local(f.now))
	debt := float64(-f.check.level) // what the others had been sold, and have spent meanwhile
	goOn(t, f, p.k.HeldUntil()-p.local(f.now)+3*time.Second)
	assert.InDelta(t, float64(granted)+3000-debt, f.check.granted, 30, "the refill begins when the wait is over")
}

// TestFleetChargesTogether checks that what many calls cost more is told in few exchanges, and is all paid (F13).
func TestFleetChargesTogether(t *testing.T) {
	f := quietFleet(t, 1, func(p *fleetProfile) { p.rate, p.width, p.slots = 100, 1, 1 })
	p, calls := f.procs[0], 0
	asked, granted, from := f.store.asked, f.check.granted, f.now
	for f.now < from+20*time.Second {
		f.step()
		if c := p.k.running.first; c != nil {
			calls++
			p.turn(func(now time.Duration) {
				p.settle(now, c, 2)
				p.k.Finish(now, c, nil, retry.Verdict{})
			})
		}
	}
	require.Nil(t, f.failed)
	assert.InDelta(t, 1000, calls, 100, "each costs 2 of 100 a second")
	assert.LessOrEqual(t, f.store.asked-asked, uint64(300))
	assert.Positive(t, f.check.granted-granted)
}

// TestFleetStoreAway checks what processes get while the store is away, with and without ShareWhenAway (F14).
func TestFleetStoreAway(t *testing.T) {
	for _, alone := range []int64{0, 4} {
		f := quietFleet(t, 4, func(p *fleetProfile) { p.alone = alone })
		f.store.awayUntil = f.now + 20*time.Second
		goOn(t, f, bucket.Grace+time.Second)
		before := f.check.granted
		goOn(t, f, 15*time.Second)
		assert.InDelta(t, before+15*1000*min(alone, 1), f.check.granted, 4)
		goOn(t, f, 3*time.Second)
		before = f.check.granted
		goOn(t, f, 5*time.Second)
		assert.GreaterOrEqual(t, f.check.granted-before, int64(4990), "the store is back, and has what was not sold")
	}
}

// TestFleetFirstAsker checks that the first that asks after learning does not get what comes ahead for all (F16).
func TestFleetFirstAsker(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.level() // another process
	s.submit(k, 5000)
	assert.EqualValues(t, 500, s.answer(k).Tokens)
}

// TestFleetOverlap checks that a stock knows the instant at which tokens are there, also if purchases overlap in time,
// as they do if tokens were given back between them.
func TestFleetOverlap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		s := &stock{fence: bucket.Forever, dialogue: dialogue{remaining: -1}}
		s.advance(time.Second)
		for range 1 + rnd.IntN(4) {
			s.advance(s.at + time.Duration(rnd.Int64N(int64(300*time.Millisecond))))
			s.add(newPurchase(s.at, bucket.Answer{
				Tokens: 1 + rnd.Int64N(20), Level: rnd.Int64N(20) - 10, Part: rnd.Int64N(1000), Refill: 1 + rnd.Int64N(3), Per: 10_000,
			}))
			s.take(s.at, rnd.Int64N(3))
		}
		if s.unspent() == 0 {
			continue
		}
		n := 1 + rnd.Int64N(s.unspent())
		at := s.ready(n)
		require.NotEqual(t, bucket.Forever, at)
		before, then := s.clone(), s.clone()
		before.advance(at - 1)
		then.advance(at)
		require.True(t, at == s.at || before.here < n, "%d at %v of %+v", n, at, s)
		require.True(t, then.take(at, n), "%d at %v of %+v", n, at, s)
	}
}

// TestFleetHoldAlone checks that what a server says remains counts during a hold, also for a process that goes on
// alone.
func TestFleetHoldAlone(t *testing.T) {
	p := fastShop
	p.alone = 1
	s, k := newShop(t, p)
	s.submit(k, 1)
	s.ask(k)
	k.AskFailed(s.now, 0, errLost)
	s.now += 10 * time.Second
	k.Advance(s.now)
	require.NotNil(t, k.Budgets[0].stock.own)
	k.Budgets.hold(s.now, s.now+time.Second, "")
	c := &Call{Cost: 5, Deadline: bucket.Forever}
	k.Submit(s.now, c)
	k.Budgets[0].RefundFrom(s.now, s.now, 5)
	k.Observe(s.now, 0, 2)
	k.Advance(s.now + time.Second)
	assert.Equal(t, Queued, c.State)
	k.Advance(s.now + time.Second + 3*time.Millisecond)
	assert.Equal(t, Running, c.State)
}
