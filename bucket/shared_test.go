package bucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// budget is a store with its clock. Its limit is ten a second, with a burst of 20.
type budget struct {
	bucket.Shared
	run   string
	now   time.Duration
	seqs  map[string]uint64
	limit bucket.Limit
}

// newBudget returns a budget that is about to sell its first token.
func newBudget() *budget {
	b := &budget{run: "run-1", seqs: map[string]uint64{}, limit: bucket.PerSecond(10).Burst(20)}
	b.ask(bucket.Ask{Process: "first", Leave: true})
	b.now = bucket.LearnTime
	return b
}

// ask sends the next ask of a process, in the present epoch, unless it says otherwise.
func (b *budget) ask(a bucket.Ask) bucket.Answer {
	if a.Seq == 0 {
		b.seqs[a.Process]++
		a.Seq = b.seqs[a.Process]
	}
	if a.Limit == (bucket.Limit{}) {
		a.Limit = b.limit
	}
	return b.Exchange(b.run, b.now.Microseconds(), a)
}

// epoch returns the present epoch.
func (b *budget) epoch() string { return b.look().Epoch }

// look returns the present state.
func (b *budget) look() bucket.Answer {
	return b.Clone().Exchange(b.run, b.now.Microseconds(), bucket.Ask{Process: "observer", Seq: 1, Limit: b.limit})
}

// TestSharedSellsInTurn: ten processes that each want tokens of a slow budget get one each, in turn.
func TestSharedSellsInTurn(t *testing.T) {
	b := newBudget()
	b.limit = bucket.PerSecond(1)
	b.ask(bucket.Ask{Process: "first", Version: 2, Leave: true})
	for i, p := range []string{"a", "b", "c"} {
		got := b.ask(bucket.Ask{Process: p, Want: 5})
		require.EqualValues(t, 1, got.Tokens)
		require.EqualValues(t, -i, got.Level, "its token comes after those of the others")
	}
}

// TestSharedRepeats: an ask that comes again is answered as before, and has no second effect. An older one has none.
func TestSharedRepeats(t *testing.T) {
	b := newBudget()
	b.now += time.Second
	b.ask(bucket.Ask{Process: "a", Want: 2, Epoch: b.epoch()})
	for _, a := range []bucket.Ask{
		{Want: 5}, {Back: 1}, {Charge: 3}, {Epoch: "older", Mine: 3}, {Hold: time.Millisecond}, {HasRemaining: true, Remaining: 1}, {Leave: true, Charge: 2},
	} {
		a.Process, a.Seq = "a", b.seqs["a"]+1
		b.seqs["a"]++
		if a.Epoch == "" {
			a.Epoch = b.epoch()
		}
		first := b.ask(a)
		for _, later := range []time.Duration{0, time.Microsecond, bucket.SharerTime, bucket.MemoryTime - 2*bucket.SharerTime} {
			again := *b
			again.Shared = *b.Clone()
			again.now += later
			before := again.look()
			require.Equal(t, first, again.ask(a))
			require.Equal(t, before, again.look())
			a.Seq--
			require.Zero(t, again.ask(a).Tokens)
			require.Equal(t, before, again.look())
			a.Seq++
		}
		b.now += 2 * time.Second
	}
}

// TestSharedBack: tokens come back in the epoch of their sale, up to the capacity, also after a long call, but not from
// a process that the store has forgotten.
func TestSharedBack(t *testing.T) {
	b := newBudget()
	b.now += time.Second
	b.ask(bucket.Ask{Process: "a", Want: 5})
	require.EqualValues(t, 5, b.look().Level)
	b.ask(bucket.Ask{Process: "a", Back: 2, Epoch: b.epoch()})
	require.EqualValues(t, 7, b.look().Level)
	for _, epoch := range []string{"", "older"} {
		b.ask(bucket.Ask{Process: "a", Back: 2, Epoch: epoch})
		require.EqualValues(t, 7, b.look().Level)
	}
	b.ask(bucket.Ask{Process: "a", Back: 1 << 50, Epoch: b.epoch()})
	require.EqualValues(t, 20, b.look().Level)

	for wait, back := range map[time.Duration]int64{bucket.MemoryTime: 100, bucket.MemoryTime + time.Microsecond: 0} {
		b := newBudget()
		b.ask(bucket.Ask{Process: "a", Charge: 10_000, Epoch: b.epoch()})
		b.now += wait
		before := b.look().Level
		b.ask(bucket.Ask{Process: "a", Back: 100, Epoch: b.epoch()})
		require.Equal(t, before+back, b.look().Level)
	}
}
