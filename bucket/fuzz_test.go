package bucket_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// FuzzRestore checks that a bucket restored from any state, or from any JSON, behaves like any other
// bucket.
func FuzzRestore(f *testing.F) {
	now := noon.Unix()
	f.Add(int64(10), int64(10), int64(time.Second), int64(4), now-1, int64(0), int64(0), now, []byte(`{"tokens":4,"at":"2026-03-01T12:00:00.5Z"}`))
	f.Add(int64(1000), int64(100), int64(time.Minute), int64(-7), now+5, int64(time.Hour), int64(-9), now, []byte(`{"tokens":-7,"held":3600000000000}`))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(1), int64(math.MinInt64), int64(0), int64(math.MaxInt64), int64(math.MaxInt64), now, []byte(`{}`))
	f.Add(int64(math.MaxInt64), int64(1), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64), []byte(`{"tokens":1e99}`))
	f.Add(int64(0), int64(0), int64(0), int64(1), int64(0), int64(1), int64(0), int64(0), []byte(`{"at":"0001-01-01T00:00:00Z"}`))
	f.Add(int64(-1), int64(1), int64(1), int64(1), int64(0), int64(1), int64(0), int64(0), []byte(`null`))
	f.Fuzz(func(t *testing.T, capacity, refill, per, tokens, saved, held, at, wall int64, text []byte) {
		limit := bucket.Limit{Capacity: capacity, Refill: refill, Per: time.Duration(per)}
		state := bucket.State{Tokens: tokens, At: time.Unix(saved, 0), Held: time.Duration(held)}
		requireSane(t, limit, state, time.Duration(at), time.Unix(wall, 0))
		if json.Unmarshal(text, &state) == nil {
			requireSane(t, limit, state, time.Duration(at), time.Unix(wall, 0))
		}
	})
}

// FuzzReset checks that a bucket with any limit from JSON, at any time by the wall clock, is refused or
// behaves like any other bucket.
func FuzzReset(f *testing.F) {
	for _, text := range []string{
		`{"capacity":1000,"reset":{"days":1,"zone":"America/Los_Angeles"}}`,
		`{"capacity":7,"reset":{"months":1,"from":979718400,"zone":"Pacific/Apia"}}`,
		`{"capacity":7,"reset":{"every":3600000000000,"from":-5}}`,
		`{"capacity":9223372036854775807,"reset":{"every":1000000000,"from_first":true}}`,
		`{"capacity":1,"reset":{"days":36525,"from":253402300799,"zone":"Asia/Kathmandu"}}`,
		`{"capacity":1,"reset":{"every":-1,"zone":"../x"}}`,
		`{"capacity":10,"refill":10,"per":1000000000}`,
	} {
		f.Add([]byte(text), noon.Unix(), int64(5), int64(time.Hour), int64(3))
		f.Add([]byte(text), int64(253_402_300_799), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64))
		f.Add([]byte(text), int64(-62_135_596_799), int64(math.MaxInt64), int64(math.MinInt64), int64(-9))
	}
	f.Fuzz(func(t *testing.T, text []byte, wall, now, later, n int64) {
		var limit bucket.Limit
		if json.Unmarshal(text, &limit) != nil {
			return
		}
		_ = limit.String()
		b, err := bucket.NewAt(limit, time.Duration(now), time.Unix(wall, 0))
		if err != nil {
			return
		}
		require.NoError(t, limit.Validate())
		capacity := b.Limit().Capacity
		b.Charge(time.Duration(now), n)
		for _, at := range []time.Duration{time.Duration(now), time.Duration(later), bucket.Forever - 1} {
			b.Take(at, n)
			seen := b.HeldUntil()
			require.GreaterOrEqual(t, b.NextReset(), seen)
			require.LessOrEqual(t, b.Ready(1), max(seen, b.NextReset()))
			require.GreaterOrEqual(t, b.Ready(n), seen)
			require.GreaterOrEqual(t, b.Ready(math.MaxInt64), b.Ready(capacity))
			if ready := b.Ready(capacity); ready < bucket.Forever {
				soon, full := b, b
				require.False(t, ready > seen && soon.Take(ready-1, capacity))
				require.True(t, full.Take(ready, capacity))
			}
			b.SetWall(at, time.Unix(wall, 0))
			require.LessOrEqual(t, b.Available(), capacity)
			requireBalanced(t, &b)
		}
	})
}

func requireSane(t *testing.T, limit bucket.Limit, s bucket.State, at time.Duration, wall time.Time) {
	b, err := bucket.Restore(limit, s, at, wall)
	require.Equal(t, limit.Validate(), err)
	if err != nil {
		return
	}
	capacity := limit.WithDefaults().Capacity
	require.LessOrEqual(t, b.Available(), capacity)
	require.GreaterOrEqual(t, b.HeldUntil(), at)
	requireBalanced(t, &b)
	requireSurvives(t, b, at, wall)

	for _, n := range []int64{0, 1, capacity} {
		b, ready := b, b.Ready(n) // a copy for each n
		require.GreaterOrEqual(t, ready, b.HeldUntil())
		if ready == bucket.Forever {
			continue
		}
		if stopped := b; ready < bucket.Forever-hour {
			stopped.Skip(b.HeldUntil() + hour)
			require.Equal(t, ready+hour, stopped.Ready(n), "an hour without refill delays everything by that hour")
			require.Equal(t, b.Ledger(), stopped.Ledger())
		}
		if ready > at {
			require.False(t, b.Take(ready-1, n))
		}
		require.True(t, b.Take(ready, n))
		require.LessOrEqual(t, b.Available(), capacity-n)
		requireBalanced(t, &b)
	}
}

// requireSurvives checks that a bucket saved as JSON lacks less than a nanosecond's refill
// afterwards.
func requireSurvives(t *testing.T, b bucket.Bucket, at time.Duration, wall time.Time) {
	text, err := json.Marshal(b.State(at, wall))
	if err != nil {
		return // JSON can't hold that year
	}
	var read bucket.State
	require.NoError(t, json.Unmarshal(text, &read))
	again, err := bucket.Restore(b.Limit(), read, at, wall)
	require.NoError(t, err)
	require.Equal(t, b.Available(), again.Available(), "%s", text)
	require.Equal(t, b.HeldUntil(), again.HeldUntil(), "%s", text)
	ready, before := again.Ready(b.Limit().Capacity), b.Ready(b.Limit().Capacity)
	require.GreaterOrEqual(t, ready, before, "%s", text)
	require.LessOrEqual(t, ready-before, time.Duration(1), "%s", text)
}
