package bucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestSharedLearns: a store that was lost sells nothing and gets no refill for LearnTime. Meanwhile it charges what
// processes hold, and later all of older epochs is void.
func TestSharedLearns(t *testing.T) {
	b := newBudget()
	b.now += time.Second
	sold := b.ask(bucket.Ask{Process: "a", Want: 8})
	require.EqualValues(t, 8, sold.Tokens)

	b.run = "run-2"
	b.now += time.Second
	got := b.ask(bucket.Ask{Process: "b", Want: 1, Least: 1})
	require.Zero(t, got.Tokens)
	require.Zero(t, got.Level)
	require.Equal(t, bucket.LearnTime, got.Learning)
	require.NotEqual(t, sold.Epoch, got.Epoch)

	b.now += bucket.LearnTime - time.Microsecond
	require.Zero(t, b.ask(bucket.Ask{Process: "b", Want: 1}).Tokens)
	got = b.ask(bucket.Ask{Process: "a", Want: 1, Epoch: sold.Epoch, Back: 3, Mine: 5})
	require.Zero(t, got.Tokens)
	require.EqualValues(t, -5, got.Level, "charged, and nothing came back")
	require.Equal(t, time.Microsecond, got.Learning)
	got = b.ask(bucket.Ask{Process: "a", Epoch: got.Epoch, Mine: 5})
	require.EqualValues(t, -5, got.Level, "charged already")
	b.ask(bucket.Ask{Process: "c", Mine: 5})
	require.EqualValues(t, -5, b.look().Level, "a process that names no epoch holds nothing")

	b.now += time.Microsecond
	require.Zero(t, b.look().Learning)
	require.EqualValues(t, -5, b.look().Level, "no refill has come")
	b.ask(bucket.Ask{Process: "d", Epoch: sold.Epoch, Mine: 5, Back: 5})
	require.EqualValues(t, -5, b.look().Level, "too late")
	b.now += 100 * time.Millisecond
	require.EqualValues(t, -4, b.look().Level)
	got = b.ask(bucket.Ask{Process: "a", Want: 1})
	require.EqualValues(t, 1, got.Tokens)

	// A process whose clock is an eighth slower has dropped its tokens by the end.
	require.GreaterOrEqual(t, bucket.LearnTime, bucket.Grace*9/8)
}

// TestSharedEpochs: a new epoch begins with another run, and if the store's clock goes back by more than a second. The
// limit stays.
func TestSharedEpochs(t *testing.T) {
	b := newBudget()
	b.limit = bucket.PerSecond(7)
	b.ask(bucket.Ask{Process: "a", Version: 5})
	first := b.look()
	require.EqualValues(t, 7, first.Capacity)
	b.now -= time.Second
	back := b.look()
	require.Equal(t, first, back, "time stands still")

	b.now -= time.Microsecond
	second := b.look()
	require.NotEqual(t, first.Epoch, second.Epoch)
	b.ask(bucket.Ask{Process: "b"})
	b.run = "run-2"
	third := b.look()
	require.NotContains(t, []string{first.Epoch, second.Epoch}, third.Epoch)
	require.EqualValues(t, 1, third.Sharers, "the others are forgotten")
	require.EqualValues(t, 7, third.Capacity)
	require.EqualValues(t, 5, third.Version)
}

// TestSharedHold: nothing is sold before a server's wait is over. Then the bucket is empty, and debts remain.
func TestSharedHold(t *testing.T) {
	b := newBudget()
	b.now += time.Second
	require.EqualValues(t, 10, b.look().Level)
	got := b.ask(bucket.Ask{Process: "a", Want: 5, Hold: 3 * time.Second})
	require.Zero(t, got.Tokens)
	require.Equal(t, 3*time.Second, got.Held)
	require.Zero(t, got.Level)
	require.Zero(t, b.ask(bucket.Ask{Process: "b", Want: 5, Hold: time.Second}).Tokens)
	b.ask(bucket.Ask{Process: "a", Back: 4, Epoch: b.epoch(), Charge: 1})
	require.EqualValues(t, 0, b.look().Level, "what comes back meanwhile is dropped")
	b.ask(bucket.Ask{Process: "a", Charge: 2})

	b.now += 3*time.Second - time.Microsecond
	require.Equal(t, time.Microsecond, b.look().Held)
	require.Zero(t, b.ask(bucket.Ask{Process: "b", Want: 1}).Tokens)
	b.now += time.Microsecond
	require.Zero(t, b.look().Held)
	require.EqualValues(t, -2, b.look().Level, "the refill begins now")
	require.EqualValues(t, 1, b.ask(bucket.Ask{Process: "b", Want: 1}).Tokens)

	b.now += 10 * time.Second
	b.ask(bucket.Ask{Process: "a", HasRemaining: true, Remaining: 3})
	require.EqualValues(t, 3, b.look().Level)
	b.ask(bucket.Ask{Process: "a", HasRemaining: true, Remaining: 9})
	b.ask(bucket.Ask{Process: "a", Remaining: 1})
	require.EqualValues(t, 3, b.look().Level, "a server can only lower it")
}

// TestSharedLimit: the limit with the highest version is in force.
func TestSharedLimit(t *testing.T) {
	b := newBudget()
	b.now += time.Second + 50*time.Millisecond // ten tokens and a half
	for _, is := range []struct {
		version, capacity, inForce, level int64
	}{{1, 5, 20, 10}, {3, 15, 15, 10}, {2, 30, 15, 10}, {3, 30, 15, 10}, {4, 6, 6, 6}, {5, 12, 12, 6}} {
		got := b.ask(bucket.Ask{Process: "a", Limit: bucket.PerSecond(20).Burst(is.capacity), Version: is.version})
		require.Equal(t, is.inForce, got.Capacity, "%+v", is)
		require.Equal(t, is.level, got.Level, "%+v", is)
		if is.version == 3 {
			require.Zero(t, got.Part)
		}
	}
	// With a limit that can't count as far below zero, the lowest level remains.
	b.limit = bucket.Limit{Capacity: 1, Refill: 1, Per: time.Microsecond}
	b.ask(bucket.Ask{Process: "a", Version: 6})
	b.ask(bucket.Ask{Process: "a", Charge: 1 << 50})
	require.EqualValues(t, int64(1-1<<50), b.look().Level)
	b.ask(bucket.Ask{Process: "a", Limit: bucket.Per(1, time.Hour), Version: 7})
	require.EqualValues(t, 1-maxExact/time.Hour.Microseconds(), b.look().Level)
}
