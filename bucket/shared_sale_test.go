package bucket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestSharedSale: a process gets its share of the tokens that are there and of those that come within Ahead, no less
// than it needs at once or 1, and no more than it wants.
func TestSharedSale(t *testing.T) {
	for _, is := range []struct {
		name  string
		level int64 // of a budget of ten a second, which two processes share
		ask   bucket.Ask
		want  int64
	}{
		{"half of each", 20, bucket.Ask{Want: 100, Ahead: 800 * time.Millisecond}, 10 + 4},
		{"half of what comes", -5, bucket.Ask{Want: 100, Ahead: 800 * time.Millisecond}, 4},
		{"what it wants", 20, bucket.Ask{Want: 3, Least: 2, Ahead: time.Second}, 3},
		{"no more than it wants", 20, bucket.Ask{Want: 3, Least: 9, Ahead: time.Second}, 3},
		{"a big call", -5, bucket.Ask{Want: 100, Least: 17, Ahead: time.Second}, 17},
		{"one", -5, bucket.Ask{Want: 100, Ahead: 100 * time.Millisecond}, 1},
		{"nothing", 20, bucket.Ask{Ahead: time.Second, Least: 5}, 0},
		{"nothing more", 20, bucket.Ask{Want: 100, Least: 5, Leave: true}, 0},
		{"at most a second ahead", 0, bucket.Ask{Want: 100, Ahead: time.Hour}, 5},
		{"a hundred ahead, by default", 0, bucket.Ask{Want: 100}, 5},
	} {
		t.Run(is.name, func(t *testing.T) {
			b := newBudget()
			b.now += 2 * time.Second
			b.ask(bucket.Ask{Process: "b", Charge: 20 - is.level})
			is.ask.Process = "a"
			got := b.ask(is.ask)
			require.Equal(t, is.want, got.Tokens)
			require.Equal(t, is.level, got.Level)
			require.Equal(t, is.level-is.want, b.look().Level)
		})
	}
}

// TestSharedAhead: by default tokens are sold so far ahead that each process gets a hundred at once, but from 50 ms to a
// second.
func TestSharedAhead(t *testing.T) {
	for _, is := range []struct {
		perSecond int64
		sharers   int
		want      time.Duration
	}{{10, 1, time.Second}, {100, 1, time.Second}, {1000, 1, 100 * time.Millisecond}, {1000, 3, 300 * time.Millisecond}, {1000, 11, time.Second}, {100_000, 7, 50 * time.Millisecond}, {100_000, 70, 70 * time.Millisecond}, {101, 1, 990_099 * time.Microsecond}} {
		var s bucket.Shared
		var got bucket.Answer
		for i := range is.sharers {
			got = s.Exchange("run", 0, bucket.Ask{Process: fmt.Sprint(i), Seq: 1, Limit: bucket.PerSecond(is.perSecond)})
		}
		require.EqualValues(t, is.sharers, got.Sharers)
		require.Equal(t, is.want, got.Ahead, "%+v", is)
	}
}

// TestSharedSharers: a process counts as one that shares until it has been silent for SharerTime, or has left.
func TestSharedSharers(t *testing.T) {
	b := newBudget()
	require.EqualValues(t, 1, b.look().Sharers)
	b.ask(bucket.Ask{Process: "a"})
	b.ask(bucket.Ask{Process: "b"})
	require.EqualValues(t, 3, b.look().Sharers)
	require.EqualValues(t, 1, b.ask(bucket.Ask{Process: "b", Leave: true}).Sharers)
	b.now += bucket.SharerTime
	require.EqualValues(t, 2, b.look().Sharers)
	b.now += time.Microsecond
	require.EqualValues(t, 1, b.look().Sharers)
}

// TestSharedIsFair: processes that want all they can get, and ask in any order, each as soon as what it has bought has
// become valid, get the same up to one purchase and one token. Each asks no more often than it has to, if tokens are sold for Ahead.
func TestSharedIsFair(t *testing.T) {
	for _, limit := range []bucket.Limit{bucket.PerSecond(1), bucket.PerSecond(10).Burst(1), bucket.PerSecond(1000), bucket.PerSecond(97).Burst(40), bucket.PerSecond(20), bucket.PerSecond(12).Burst(2)} {
		b := newBudget()
		b.ask(bucket.Ask{Process: "first", Limit: limit, Version: 2, Leave: true})
		var got, due [7]int64
		var largest, asks int64
		var ahead time.Duration
		for p := range got { // so that none of them takes itself to be alone
			b.ask(bucket.Ask{Process: fmt.Sprint(p), Limit: limit})
		}
		for range 12_000 {
			for i := range got {
				p := (i*3 + int(b.now%7)) % len(got) // in turn, from another one each time
				if due[p] > b.now.Microseconds() {
					continue
				}
				a := b.ask(bucket.Ask{Process: fmt.Sprint(p), Want: 1 << 40, Limit: limit, Version: 2})
				got[p] += a.Tokens
				asks, ahead = asks+1, a.Ahead
				largest = max(largest, a.Tokens)
				due[p] = b.now.Microseconds() + max(1, ((a.Tokens-a.Level)*a.Per-a.Part+a.Refill-1)/a.Refill)
			}
			b.now += time.Millisecond
		}
		lowest, highest := got[0], got[0]
		for _, n := range got {
			lowest, highest = min(lowest, n), max(highest, n)
		}
		require.LessOrEqual(t, highest-lowest, largest+1, "%v: %v", limit, got)
		require.Greater(t, lowest, limit.Refill*12/7*9/10, "%v: %v", limit, got)
		require.LessOrEqual(t, asks, int64(len(got))*int64(12*time.Second/ahead+1), limit)
	}
}
