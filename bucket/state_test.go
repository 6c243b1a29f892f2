package bucket_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// noon is in a zone whose offset RFC 3339, and so JSON, can't express.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 1, time.FixedZone("odd", 53*60+28))

// reload writes a state as JSON and reads it back.
func reload(t require.TestingT, s bucket.State) (read bucket.State) {
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, s, read)
	return read
}

// genUsed draws a bucket after some use, and the instant of its next use.
func genUsed(t *rapid.T) (bucket.Bucket, time.Duration) {
	now := time.Duration(rapid.Int64Range(-1000, 1000).Draw(t, "origin"))
	b, err := bucket.New(genLimit(t, "limit"), now)
	require.NoError(t, err)
	for range rapid.IntRange(0, 6).Draw(t, "uses") {
		now += max(0, genStep(t))
		n := genTokens(t, b.Limit().Capacity)
		switch rapid.IntRange(0, 4).Draw(t, "use") {
		case 0:
			b.Take(now, n)
		case 1:
			b.Charge(now, n)
		case 2:
			b.Refund(now, n)
		case 3:
			b.Hold(now, now+max(0, genStep(t)))
		case 4:
			require.NoError(t, b.SetLimit(now, genLimit(t, "new")))
		}
	}
	return b, now + max(0, genStep(t))
}

// TestRestoredNeverHasMore checks that a restored bucket never has more tokens than the saved one.
// It lacks less than a token and less than a nanosecond's refill, so it is at most one whole token
// and one nanosecond behind.
func TestRestoredNeverHasMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		saved, now := genUsed(t)
		back := time.Duration(rapid.Int64Range(0, 1000).Draw(t, "clock set back by"))
		saved.Advance(now)
		state := reload(t, saved.State(now-back, noon.Add(-back)))

		origin := time.Duration(rapid.Int64Range(-1000, 1000).Draw(t, "new origin"))
		var away time.Duration // from now on, by both clocks
		if d := genStep(t); d > 0 {
			away = d
		}
		restored, err := bucket.Restore(saved.Limit(), state, origin+away, noon.Add(away))
		require.NoError(t, err)
		requireBalanced(t, &restored)
		for range 4 {
			saved.Advance(now + away)
			restored.Advance(origin + away)
			lacks := saved.Available() - restored.Available()
			require.True(t, lacks == 0 || lacks == 1, "lacks %d tokens after %v", lacks, away)

			n := genTokens(t, saved.Limit().Capacity)
			if is, was := restored.Ready(n), saved.Ready(n); is < bucket.Forever-2000 && was < bucket.Forever-2000 {
				late := (is - origin) - (was - now)
				require.True(t, late == 0 || late == 1, "ready %v late after %v", late, away)
			}
			if n = min(n, restored.Available()); n >= 0 { // a restored debt of one token may be none in the saved bucket
				require.Equal(t, saved.Take(now+away, n), restored.Take(origin+away, n))
			}
			away += max(0, genStep(t))
		}
	})
}

// TestSavedFraction checks that a fraction of a token survives a restart.
func TestSavedFraction(t *testing.T) {
	b := drained(t, 0)
	state := b.State(250*time.Millisecond, noon)
	require.Equal(t, bucket.State{Tokens: 2, At: noon.Add(-50 * time.Millisecond).UTC()}, state)

	restored, err := bucket.Restore(bucket.PerSecond(10), reload(t, state), 0, noon)
	require.NoError(t, err)
	require.Equal(t, int64(2), restored.Available())
	require.Equal(t, 50*time.Millisecond, restored.Ready(3))
	require.Equal(t, bucket.Ledger{Initial: 2}, restored.Ledger())
}

// TestSavedWithTheClockBack checks that a clock that was set back is not saved as a hold (B6).
func TestSavedWithTheClockBack(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), hour)
	require.True(t, b.Take(hour, 6))
	state := b.State(hour-time.Minute, noon)
	require.Equal(t, bucket.State{Tokens: 4, At: noon.Add(time.Minute).UTC()}, state)

	restored, err := bucket.Restore(bucket.PerSecond(10), reload(t, state), 0, noon)
	require.NoError(t, err)
	require.True(t, restored.Take(0, 4))
}

// TestSavedDuringHold checks that a hold goes on during a restart and ends at its instant.
func TestSavedDuringHold(t *testing.T) {
	b := drained(t, 0)
	b.Hold(0, hour)
	state := b.State(10*time.Minute, noon)
	require.Equal(t, bucket.State{At: noon.UTC(), Held: 50 * time.Minute}, state)
	state = reload(t, state)

	during, err := bucket.Restore(bucket.PerSecond(10), state, 7, noon.Add(20*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 7+30*time.Minute, during.HeldUntil())
	require.Equal(t, 7+30*time.Minute+100*time.Millisecond, during.Ready(1))
	require.False(t, during.Take(7+30*time.Minute-1, 0))

	after, err := bucket.Restore(bucket.PerSecond(10), state, 7, noon.Add(50*time.Minute+300*time.Millisecond))
	require.NoError(t, err)
	require.Equal(t, time.Duration(7), after.HeldUntil())
	require.Equal(t, int64(3), after.Available())
}

// TestEndlessHoldSaved checks that a hold too long for a duration is not lost (H44).
func TestEndlessHoldSaved(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), -hour)
	b.Hold(-hour, bucket.Forever)
	require.Equal(t, bucket.Forever, b.State(-hour, noon).Held)
}

func TestRestore(t *testing.T) {
	limit := bucket.PerSecond(10)
	for _, c := range []struct {
		name  string
		state bucket.State
		level int64
		ready time.Duration // for one more token
	}{
		{"zero is empty", bucket.State{}, 0, 100 * time.Millisecond},
		{"no At, no time passed", bucket.State{Tokens: 4}, 4, 100 * time.Millisecond},
		{"a while ago", bucket.State{Tokens: 4, At: noon.Add(-time.Second / 4)}, 6, 50 * time.Millisecond},
		{"long ago", bucket.State{At: time.Unix(-1<<40, 0)}, 10, 100 * time.Millisecond},
		{"in the future", bucket.State{Tokens: 4, At: noon.Add(hour)}, 4, 100 * time.Millisecond},
		{"far in the future", bucket.State{At: time.Unix(1<<40, 0)}, 0, 100 * time.Millisecond},
		{"in debt", bucket.State{Tokens: -20, At: noon.Add(-time.Second)}, -10, 100 * time.Millisecond},
		{"above the capacity", bucket.State{Tokens: 11}, 10, 100 * time.Millisecond},
		{"far above the capacity", bucket.State{Tokens: math.MaxInt64, At: noon.Add(-hour)}, 10, 100 * time.Millisecond},
		{"in the deepest debt", bucket.State{Tokens: math.MinInt64}, -math.MaxInt64 / 2, 100 * time.Millisecond},
		{"a negative hold", bucket.State{Tokens: 4, At: noon, Held: -hour}, 4, 100 * time.Millisecond},
		{"a hold that is over", bucket.State{At: noon.Add(-hour), Held: hour - time.Second/2}, 5, 100 * time.Millisecond},
		{"a hold that is on", bucket.State{Tokens: -1, At: noon.Add(-hour), Held: hour + time.Second}, -1, 1100 * time.Millisecond},
		{"an endless hold", bucket.State{Held: bucket.Forever}, 0, bucket.Forever},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := bucket.Restore(limit, c.state, 0, noon)
			require.NoError(t, err)
			require.Equal(t, c.level, b.Available())
			require.Equal(t, c.ready, b.Ready(c.level+1))
			require.Equal(t, bucket.Ledger{Initial: c.level}, b.Ledger())
		})
	}
}

// TestHoldAfterRestore checks that the refill in Restore does not move the new bucket's time.
func TestHoldAfterRestore(t *testing.T) {
	b, err := bucket.Restore(bucket.PerSecond(10), bucket.State{At: noon.Add(-hour)}, 0, noon)
	require.NoError(t, err)
	b.Hold(0, time.Minute)
	b.Refund(0, 1)
	require.False(t, b.Take(time.Minute-1, 1))
	require.True(t, b.Take(time.Minute, 1))
}

func TestRestoreInvalidLimit(t *testing.T) {
	_, err := bucket.Restore(bucket.PerSecond(10).Burst(-2), bucket.State{}, 0, noon)
	require.EqualError(t, err, "bucket: limit's Capacity is -2: it must be at least 1")
}
