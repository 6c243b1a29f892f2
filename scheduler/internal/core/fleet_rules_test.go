package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// shop is a store and a process that buys from it, one exchange at a time.
type shop struct {
	t     *testing.T
	store bucket.Shared
	now   time.Duration
	run   string
	looks uint64
}

// level returns the level of the store.
func (s *shop) level() int64 {
	s.looks++
	return s.exchange(bucket.Ask{Process: "onlooker", Seq: s.looks, Limit: fastShop.limit(), Version: 1}).Level
}

// exchange lets the store answer an ask now.
func (s *shop) exchange(a bucket.Ask) bucket.Answer {
	return s.store.Exchange(s.run, (time.Hour + s.now).Microseconds(), a)
}

// newShop returns a store that has learned, and a process that knows it.
func newShop(t *testing.T, p fleetProfile) (*shop, *Core) {
	s := &shop{t: t, run: "run"}
	k := p.newCore("p", simOrigin)
	s.answer(k)
	s.now = bucket.LearnTime
	k.Advance(s.now)
	return s, k
}

// ask returns what a process asks now.
func (s *shop) ask(k *Core) bucket.Ask {
	s.t.Helper()
	k.Advance(s.now)
	a, ok := k.Ask(0)
	require.True(s.t, ok)
	return a
}

// answer answers at once what a process asks.
func (s *shop) answer(k *Core) bucket.Answer {
	s.t.Helper()
	a := s.exchange(s.ask(k))
	k.Answered(s.now, 0, a)
	return a
}

// submit queues n calls.
func (s *shop) submit(k *Core, n int) {
	for range n {
		k.Submit(s.now, &Call{Cost: 1, Deadline: bucket.Forever})
	}
}

var fastShop = fleetProfile{rate: 1000, capacity: 1 << 30, cost: 1, ahead: time.Second}

// TestFleetCountsFromTheAnswer checks that a process counts from when it received an answer, and slower than its
// clock, and that it grants at the very instants (F4).
func TestFleetCountsFromTheAnswer(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 1000)
	a := s.exchange(s.ask(k))
	require.EqualValues(t, 1000, a.Tokens)
	s.now += 700 * time.Millisecond // the answer takes long
	k.Answered(s.now, 0, a)
	k.WakeUp(s.now)
	k.Advance(s.now + time.Second)
	assert.Less(t, k.Totals.Attempts, uint64(1000), "by the process's clock, which may be fast, a second is less")
	k.Advance(s.now + time.Second + time.Second/slower + 2*time.Microsecond)
	assert.EqualValues(t, 1000, k.Totals.Attempts)
}

// TestFleetLostAnswer checks that an ask whose answer was lost is sent again as it was, and sells once (F5).
func TestFleetLostAnswer(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 100)
	first := s.ask(k)
	lost := s.exchange(first)
	k.AskFailed(s.now, 0, errLost)
	s.now = k.AskAgainAt()
	again := s.ask(k)
	assert.Equal(t, first, again)
	assert.Equal(t, lost, s.exchange(again))
	assert.EqualValues(t, -lost.Tokens+(s.now-bucket.LearnTime).Milliseconds(), s.level(), "it was sold once")
}

// TestFleetLateCopy checks that a copy of an ask that was on its way for long sells nothing, and gives nothing back
// again (F5).
func TestFleetLateCopy(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 100)
	s.answer(k)
	s.now += 10 * time.Millisecond
	k.Advance(s.now)
	k.Pause(s.now, bucket.Forever) // gives the rest back
	s.now += tellTime
	copied := s.ask(k)
	require.Positive(t, copied.Back)
	k.Answered(s.now, 0, s.exchange(copied))
	k.Resume(s.now)
	s.answer(k)
	level := s.level()
	assert.Zero(t, s.exchange(copied).Tokens)
	assert.Equal(t, level, s.level())
}

// TestFleetGivesBackToItsEpoch checks that tokens that were sold before the store forgot are not given back to it
// (F6).
func TestFleetGivesBackToItsEpoch(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 100)
	s.answer(k)
	k.Pause(s.now, bucket.Forever)
	s.now += tellTime
	a := s.ask(k)
	require.Positive(t, a.Back)
	s.run = "another"
	s.level()
	s.now += bucket.LearnTime
	s.exchange(a)
	assert.Zero(t, s.level())
	a.Seq++ // now the store knows the process
	s.exchange(a)
	assert.Zero(t, s.level())
}

// TestFleetStartsOver checks that an ask that was not answered for long is made anew, and gives nothing back, since
// the store may have taken it back (F5).
func TestFleetStartsOver(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 100)
	s.answer(k)
	k.Pause(s.now, bucket.Forever)
	s.now += tellTime
	first := s.ask(k)
	require.Positive(t, first.Back)
	k.AskFailed(s.now, 0, errLost)
	s.now += resendTime
	again := s.ask(k)
	assert.Equal(t, first.Seq+1, again.Seq)
	assert.Zero(t, again.Back)
}

// TestFleetObeysHold checks that a process that hears of a server's wait from the store spends nothing more, gives
// back what it holds, and asks for tokens when the wait is over (F11).
func TestFleetObeysHold(t *testing.T) {
	s, k := newShop(t, fastShop)
	s.submit(k, 1000)
	s.answer(k)
	s.now += 100 * time.Millisecond
	k.Advance(s.now)
	s.looks++
	s.exchange(bucket.Ask{Process: "onlooker", Seq: s.looks, Limit: fastShop.limit(), Version: 1, Hold: 5 * time.Second})
	k.Hint(s.now, 0)
	granted := k.Totals.Attempts
	require.Positive(t, granted)
	s.answer(k)
	s.now += tellTime
	back := s.ask(k)
	assert.EqualValues(t, 1000-granted, back.Back)
	k.Answered(s.now, 0, s.exchange(back))
	assert.Equal(t, bucket.LearnTime+5100*time.Millisecond, k.AskAgainAt())
	s.now = k.AskAgainAt()
	k.Advance(s.now)
	assert.Equal(t, granted, k.Totals.Attempts)
	assert.Positive(t, s.answer(k).Tokens)
}

// TestFleetEntersEpoch checks that tokens that a process holds when the store forgets may be spent if the store has
// charged them while it learns, and are void if the process hears of it later (F9).
func TestFleetEntersEpoch(t *testing.T) {
	for _, learning := range []time.Duration{0, time.Second} {
		s, k := newShop(t, fastShop)
		s.submit(k, 1000)
		a := s.answer(k)
		k.Hint(s.now, 0)
		s.ask(k)
		a.Epoch, a.Tokens, a.Learning = "another", 0, learning
		k.Answered(s.now, 0, a)
		k.Advance(s.now + 500*time.Millisecond)
		assert.Equal(t, learning > 0, k.Totals.Attempts > 0, "learning for %v", learning)
	}
}
