package bucket_test

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// TestPackedAgainstWhole checks that several buckets of one limit, which are packed and take turns in
// a single Bucket, do the same as buckets that are kept whole. A bucket is AsNew if, and only if, it is
// the same as one that was made full a nanosecond ago.
func TestPackedAgainstWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, at := genLimit(t, "limit"), time.Duration(rapid.Int64Range(-1000, 1000).Draw(t, "origin"))
		shared, err := bucket.New(limit, at)
		require.NoError(t, err)
		whole := [3]bucket.Bucket{shared, shared, shared}
		packed := [3]bucket.Packed{shared.Pack(), shared.Pack(), shared.Pack()}
		seen := [3]time.Duration{at, at, at}

		// both does the same to a whole bucket and to its packed twin.
		both := func(i int, f func(b *bucket.Bucket) any) {
			shared.Unpack(packed[i])
			require.Equal(t, bucket.Ledger{Initial: shared.Available()}, shared.Ledger())
			require.Equal(t, f(&whole[i]), f(&shared))
			requireBalanced(t, &shared)
			packed[i] = shared.Pack()
		}
		step := func(f func(b *bucket.Bucket, n int64) any) func(*rapid.T) {
			return func(t *rapid.T) {
				i, n := rapid.IntRange(0, 2).Draw(t, "bucket"), genTokens(t, limit.Capacity)
				if d := genStep(t); d < bucket.Forever-max(at, 0) {
					at += d
				}
				both(i, func(b *bucket.Bucket) any { return f(b, n) })
				seen[i] = max(seen[i], at)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"advance": step(func(b *bucket.Bucket, _ int64) any { b.Advance(at); return nil }),
			"take":    step(func(b *bucket.Bucket, n int64) any { return b.Take(at, n) }),
			"refund":  step(func(b *bucket.Bucket, n int64) any { b.Refund(at, n); return nil }),
			"charge":  step(func(b *bucket.Bucket, n int64) any { b.Charge(at, n); return nil }),
			"level":   step(func(b *bucket.Bucket, n int64) any { b.SetLevel(at, n); return nil }),
			"hold":    step(func(b *bucket.Bucket, n int64) any { b.Hold(at, b.Ready(n)); return nil }),
			"skip":    step(func(b *bucket.Bucket, _ int64) any { b.Skip(at); return nil }),
			"late":    step(func(b *bucket.Bucket, n int64) any { b.Postpone(at, n); return nil }),
			"state":   step(func(b *bucket.Bucket, _ int64) any { return b.State(at, noon) }),
			"limit": func(t *rapid.T) {
				limit = genLimit(t, "new")
				old := shared
				for i := range packed {
					shared = old
					both(i, func(b *bucket.Bucket) any { return b.SetLimit(at, limit) })
					seen[i] = max(seen[i], at)
				}
			},
			"": func(t *rapid.T) {
				n := genTokens(t, limit.Capacity)
				for i := range packed {
					both(i, func(b *bucket.Bucket) any {
						return []any{b.Available(), b.Ready(n), b.HeldUntil(), b.AsNew(), b.Pack()}
					})
					fresh, err := bucket.New(limit, seen[i]-1)
					require.NoError(t, err)
					fresh.Advance(seen[i])
					require.Equal(t, fresh.Pack() == packed[i], whole[i].AsNew())
				}
			},
		})
	})
}

func TestPackedIsSmall(t *testing.T) { require.EqualValues(t, 32, unsafe.Sizeof(bucket.Packed{})) }

func TestZeroPacked(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), hour)
	b.Unpack(bucket.Packed{})
	require.Equal(t, 100*time.Millisecond, b.Ready(1))
	require.False(t, b.Take(100*time.Millisecond-1, 1), "earlier than the instant seen before")
	require.True(t, b.Take(100*time.Millisecond, 1))
}

// TestPackedOfAnotherLimit checks that a mistake ends in no panic, and in no level above the capacity.
func TestPackedOfAnotherLimit(t *testing.T) {
	const at time.Duration = 1<<40 - 1
	slow := bucket.Limit{Capacity: 100, Refill: 1, Per: at + 1}
	from := newBucket(t, slow, 0)
	require.True(t, from.Take(0, 1))
	from.Advance(at) // almost a token, in small units
	for _, limit := range []bucket.Limit{
		{Capacity: 1000, Refill: 7, Per: 1},
		{Capacity: 99, Refill: 1, Per: 3},
		{Capacity: 10, Refill: 1, Per: 3},
		bucket.Unlimited,
		bucket.Every(10, hour),
		githubs(1000),
	} {
		t.Run(limit.String(), func(t *testing.T) {
			b, err := bucket.NewAt(limit, 0, noon)
			require.NoError(t, err)
			b.Unpack(from.Pack())
			level := min(99, limit.Capacity)
			require.Equal(t, level, b.Available())
			require.Equal(t, bucket.Ledger{Initial: level}, b.Ledger())
			full := level == limit.Capacity && limit.Reset == bucket.Reset{}
			require.Equal(t, full, b.AsNew(), "not more than a full bucket has")
			require.Equal(t, at, b.Ready(level), "at the instant of the packed bucket")
			require.Greater(t, b.Ready(level+1), b.Ready(level), "less than a token more")
			require.Less(t, b.Ready(level+1), bucket.Forever)
			b.Refund(0, math.MaxInt64)
			require.Equal(t, limit.Capacity, b.Available())
			b.Charge(0, math.MaxInt64)
			require.Greater(t, b.Ready(1), b.HeldUntil())
			b.Unpack(from.Pack())
			require.NoError(t, b.SetLimit(0, slow), "a fraction in other units")
			require.GreaterOrEqual(t, b.Available(), level)
			requireBalanced(t, &b)
		})
	}
}

// TestPackedOfAnyLimit does the same with any limits.
func TestPackedOfAnyLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, _ := genUsed(t)
		b, now := genUsed(t)
		b.Unpack(from.Pack())
		require.Equal(t, min(from.Available(), b.Limit().Capacity), b.Available())
		n := genTokens(t, b.Limit().Capacity)
		require.GreaterOrEqual(t, b.Ready(n), from.HeldUntil())
		require.NoError(t, b.SetLimit(now, genLimit(t, "new")))
		b.State(now, noon)
		require.LessOrEqual(t, b.Available(), b.Limit().Capacity)
		requireBalanced(t, &b)
	})
}

func TestAsNew(t *testing.T) {
	even := bucket.Limit{Capacity: 10, Refill: 3, Per: 100} // a full bucket has up to 2/100 of a token more
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		do    func(b *bucket.Bucket)
		want  bool
	}{
		{"just made", even, func(*bucket.Bucket) {}, false},
		{"made a nanosecond ago", even, func(b *bucket.Bucket) { b.Advance(1) }, true},
		{"made long ago", even, func(b *bucket.Bucket) { b.Advance(hour) }, true},
		{"just made, without fractions", bucket.Limit{Capacity: 10, Refill: 1, Per: 100}, func(*bucket.Bucket) {}, true},
		{"without refill since", even, func(b *bucket.Bucket) { b.Skip(hour) }, false},
		{"a token was taken", even, func(b *bucket.Bucket) { b.Take(hour, 1) }, false},
		{"it comes back", even, func(b *bucket.Bucket) { b.Take(hour, 1); b.Advance(hour + 33) }, false},
		{"with part of the next one", even, func(b *bucket.Bucket) { b.Take(hour, 1); b.Advance(hour + 34) }, true},
		{"refunded", even, func(b *bucket.Bucket) { b.Take(hour, 1); b.Refund(hour, 1) }, true},
		{"held", even, func(b *bucket.Bucket) { b.Hold(0, hour) }, false},
		{"held and full", even, func(b *bucket.Bucket) { b.Hold(0, hour); b.Refund(0, 11) }, false},
		{"the hold is over", even, func(b *bucket.Bucket) { b.Hold(0, hour); b.Refund(0, 11); b.Advance(hour) }, true},
		{"with a Reset", bucket.Every(10, hour), func(b *bucket.Bucket) { b.Advance(hour) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := bucket.NewAt(c.limit, 0, noon)
			require.NoError(t, err)
			c.do(&b)
			before := b
			require.Equal(t, c.want, b.AsNew())
			require.Equal(t, before, b, "AsNew changes nothing")
		})
	}
}

func BenchmarkPacked(b *testing.B) {
	bkt, now := newBucket(b, bucket.PerSecond(1009), 0), time.Duration(0)
	p := bkt.Pack()
	b.ReportAllocs()
	for b.Loop() {
		now += 991_081 // a little more than one token needs
		bkt.Unpack(p)
		bkt.Take(now, 1)
		p = bkt.Pack()
	}
}
