package bucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

type grant struct {
	at     time.Duration
	tokens int64
}

// genGrants takes tokens from a full bucket by a random schedule of bursts, waits of any length, and
// stretches in which each token is taken as soon as it is available.
func genGrants(t *rapid.T, limit bucket.Limit, span time.Duration) []grant {
	b, err := bucket.New(limit, 0)
	require.NoError(t, err)
	var grants []grant
	now := time.Duration(0)
	take := func(n int64) {
		if n > 0 && b.Take(now, n) {
			grants = append(grants, grant{now, n})
		}
	}
	wait := rapid.OneOf(
		rapid.Int64Range(0, int64(span)),
		rapid.Int64Range(0, 10),
		rapid.SampledFrom([]int64{int64(span) - 1, int64(span), int64(span) + 1}),
	)
	for range rapid.IntRange(1, 20).Draw(t, "stretches") {
		now += time.Duration(wait.Draw(t, "wait"))
		if rapid.Bool().Draw(t, "greedy") {
			grants = append(grants, greedy(&b, now, rapid.IntRange(1, 200).Draw(t, "times"))...)
			now = max(now, grants[len(grants)-1].at)
		} else {
			take(rapid.Int64Range(1, limit.Capacity).Draw(t, "tokens"))
		}
	}
	return grants
}

// greedy waits for a token and then takes all that are available, the given number of times.
func greedy(b *bucket.Bucket, now time.Duration, times int) []grant {
	var grants []grant
	for range times {
		b.Advance(now)
		now = b.Ready(1)
		b.Advance(now)
		n := b.Available()
		b.Take(now, n)
		grants = append(grants, grant{now, n})
	}
	return grants
}

// maxInWindow returns the most tokens granted in any closed window of the given length.
func maxInWindow(grants []grant, length time.Duration) int64 {
	var sum, highest int64
	first := 0
	for _, g := range grants {
		sum += g.tokens
		for g.at-grants[first].at > length {
			sum -= grants[first].tokens
			first++
		}
		highest = max(highest, sum)
	}
	return highest
}

func genPer(t *rapid.T) time.Duration {
	return time.Duration(rapid.OneOf(
		rapid.Int64Range(1, 300),
		rapid.Int64Range(1, int64(time.Hour)),
		rapid.SampledFrom([]int64{int64(time.Second), int64(time.Minute), 1_000_000_007}),
	).Draw(t, "per"))
}

// TestWindowNeverExceeded checks that no window has more than n tokens, wherever it starts (B2).
func TestWindowNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 200).Draw(t, "n")
		per := genPer(t)
		burst := rapid.Int64Range(1, n).Draw(t, "burst")
		grants := genGrants(t, bucket.Window(n, per, burst), per)
		require.LessOrEqual(t, maxInWindow(grants, per), n)
	})
}

// TestWindowReached checks that the bound is tight. A caller that takes all tokens gets n in the
// first window, if that has a nanosecond for each token that is yet to come.
func TestWindowReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 200).Draw(t, "n")
		per := genPer(t)
		burst := rapid.Int64Range(max(1, n-int64(per)), n).Draw(t, "burst")
		b, err := bucket.New(bucket.Window(n, per, burst), 0)
		require.NoError(t, err)
		require.Equal(t, n, maxInWindow(greedy(&b, 0, int(n)), per))
	})
}

// TestAnyWindow checks for any limit that in any window of length w fewer than
// capacity + refill·(w+1ns)/per tokens are granted (B2).
func TestAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := bucket.Limit{
			Capacity: rapid.Int64Range(1, 1000).Draw(t, "capacity"),
			Refill:   rapid.Int64Range(1, 1000).Draw(t, "refill"),
			Per:      genPer(t),
		}
		grants := genGrants(t, limit, limit.Per)
		for i, first := range grants {
			var sum int64
			for _, last := range grants[i:min(i+100, len(grants))] {
				sum += last.tokens
				w := last.at - first.at
				refilled := (limit.Refill*int64(w+1) - 1) / int64(limit.Per) // the largest integer below the bound
				if sum > limit.Capacity+refilled {
					t.Fatalf("%d tokens within %v, from %v: want at most %d + %d", sum, w, first.at, limit.Capacity, refilled)
				}
			}
		}
	})
}

// TestPerAllowsTwice checks what Per's comment says about the first per.
func TestPerAllowsTwice(t *testing.T) {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	require.NoError(t, err)
	require.Equal(t, int64(20), maxInWindow(greedy(&b, 0, 100), time.Second))
}
