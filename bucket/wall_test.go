package bucket_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// TestH42_WallClockIsSet checks that resets follow the wall clock where it is set or the machine slept,
// and that none comes twice.
func TestH42_WallClockIsSet(t *testing.T) {
	origin := time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)
	const now = time.Minute
	for _, c := range []struct {
		name  string
		wall  time.Duration // since origin, at now
		level int64
		next  time.Duration // after now
	}{
		{"not at all", now, 0, 4*hour - now},
		{"forward in the same day", 3 * hour, 0, hour},
		{"it slept until midnight", 4 * hour, 10, 24 * hour},
		{"it slept until the morning", 12 * hour, 10, 16 * hour},
		{"it slept a week", 7 * 24 * hour, 10, 4 * hour},
		{"back in the same day", -19 * hour, 0, 23 * hour},
		{"back to the day before", -21 * hour, 0, hour + 24*hour},
		{"back a month", -30 * 24 * hour, 0, 4 * hour},
		{"the zero time means nothing", -1 << 62, 0, 4*hour - now},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := drainedAt(t, bucket.Daily(10, ""), origin)
			wall := origin.Add(c.wall)
			if c.wall == -1<<62 {
				wall = time.Time{}
			}
			for range 3 { // the same again changes nothing
				b.SetWall(now, wall)
				require.Equal(t, c.level, b.Available())
				require.Equal(t, now+c.next, b.NextReset())
			}
			require.Equal(t, now+c.next, b.Ready(c.level+1))
			require.Equal(t, now+c.next+24*hour, b.Ready(c.level+11))
			requireBalanced(t, &b)
		})
	}
}

// TestH42_ResetDoesNotComeTwice checks a clock that is set back over a midnight that has come, and set
// forward again.
func TestH42_ResetDoesNotComeTwice(t *testing.T) {
	b := drainedAt(t, bucket.Daily(10, ""), time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC))
	midnight := time.Date(2030, 3, 10, 0, 0, 0, 0, time.UTC)
	require.True(t, b.Take(4*hour, 10))
	b.SetWall(4*hour+time.Minute, midnight.Add(-2*time.Second))
	require.Equal(t, 4*hour+time.Minute+2*time.Second+24*hour, b.NextReset())
	b.Advance(5 * hour)
	require.Zero(t, b.Available(), "that midnight has been")
	b.SetWall(5*hour, midnight.Add(-5*24*hour)) // far back, by mistake
	require.Equal(t, 29*hour, b.NextReset())
	b.SetWall(6*hour, midnight.Add(2*hour)) // and right again
	require.Zero(t, b.Available())
	require.Equal(t, 28*hour, b.NextReset())
	b.SetWall(7*hour, midnight.Add(25*hour)) // it slept
	require.True(t, b.Take(7*hour, 10))

	// A refund of what was taken before it slept is for the day before.
	b.RefundFrom(8*hour, 7*hour-1, 3)
	require.Zero(t, b.Available())
	b.RefundFrom(8*hour, 7*hour, 3)
	require.EqualValues(t, 3, b.Available())

	m := drainedAt(t, bucket.Monthly(10, 1, ""), time.Date(2030, 7, 1, 0, 0, 0, 0, time.UTC))
	m.SetWall(28*24*hour+12*hour, time.Date(2030, 4, 1, 6, 0, 0, 0, time.UTC)) // a shorter month
	require.Equal(t, 28*24*hour+12*hour+29*24*hour+18*hour, m.NextReset())

	f, err := bucket.NewAt(githubs(5), 0, midnight)
	require.NoError(t, err)
	require.True(t, f.Take(0, 5))
	f.SetWall(time.Minute, midnight.Add(24*hour))
	require.Equal(t, hour, f.NextReset(), "its hour is not by the wall clock")
	plain := drained(t, 0)
	plain.SetWall(0, midnight)
	require.Equal(t, 100*time.Millisecond, plain.Ready(1))
}

// TestWallClockGoesAnywhere checks that however the wall clock is set, each reset by it comes once within
// a period, and that none is missing for two.
func TestWallClockGoesAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, drift := time.Duration(0), time.Duration(0)
		b, err := bucket.NewAt(bucket.Every(10, hour), 0, noon)
		require.NoError(t, err)
		require.True(t, b.Take(0, 10))
		// When a reset came, by the hour that the clock showed.
		came := map[int64]time.Duration{noon.Unix() / 3600: time.Unix(noon.Unix()/3600*3600, 0).Sub(noon)}
		latest := time.Duration(0)
		look := func(t *rapid.T) {
			next := b.NextReset()
			require.Greater(t, next, now)
			require.LessOrEqual(t, next-now, 2*hour)
			if !b.Take(now, 10) {
				require.Zero(t, b.Available())
				return
			}
			shown := noon.Add(now+drift).Unix() / 3600
			if before, is := came[shown]; is {
				require.GreaterOrEqual(t, now-before, hour, "hour %d came twice", shown)
			}
			came[shown], latest = now, now
		}
		t.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) {
				end := now + time.Duration(rapid.Int64Range(0, int64(40*time.Minute)).Draw(t, "for"))
				for now < end {
					now = min(end, b.NextReset())
					b.Advance(now)
					look(t)
				}
			},
			"wait": func(t *rapid.T) {
				now = b.NextReset()
				b.Advance(now)
				require.EqualValues(t, 10, b.Available())
				look(t)
			},
			"set": func(t *rapid.T) {
				by := rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Minute, 59 * time.Minute, hour, 90 * time.Minute, 5 * hour, 1000 * hour}).Draw(t, "by")
				if rapid.Bool().Draw(t, "back") {
					by = -by
				}
				drift += by
				b.SetWall(now, noon.Add(now+drift))
				look(t)
			},
			"set to what it was at first": func(t *rapid.T) {
				drift = 0
				b.SetWall(now, noon.Add(now))
				look(t)
			},
			"": func(t *rapid.T) { requireBalanced(t, &b) },
		})
		require.LessOrEqual(t, now-latest, 2*hour)
	})
}

// TestQuotaSurvivesARestart checks that a restored bucket is full if a reset has come since, and
// otherwise as it was.
func TestQuotaSurvivesARestart(t *testing.T) {
	origin := time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)
	daily, minute := bucket.Daily(10, ""), time.Minute
	b, err := bucket.NewAt(githubs(10), 0, origin)
	require.NoError(t, err)
	require.True(t, b.Take(0, 6))
	begun := b.State(20*minute, origin.Add(20*minute))
	require.Equal(t, bucket.State{Tokens: 4, At: origin.Add(20 * minute), Resets: origin.Add(hour)}, begun)
	b.Refund(30*minute, 6)
	full := b.State(30*minute, origin.Add(30*minute))
	require.Equal(t, bucket.State{Tokens: 10, At: origin.Add(30 * minute)}, full)

	drained := drainedAt(t, daily, origin)
	evening := drained.State(hour, origin.Add(hour))
	require.Equal(t, bucket.State{At: origin.Add(hour)}, evening)
	debt := bucket.State{Tokens: -5, At: origin}
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		state bucket.State
		wall  time.Duration // since origin
		level int64
		next  time.Duration // after wall
	}{
		{"the same evening", daily, evening, 4*hour - 1, 0, 1},
		{"midnight", daily, evening, 4 * hour, 10, 24 * hour},
		{"a week later", daily, evening, 169 * hour, 10, 3 * hour},
		{"a debt", daily, debt, hour, -5, 3 * hour},
		{"a debt is forgiven", daily, debt, 5 * hour, 10, 23 * hour},
		{"saved in the future", daily, evening, 0, 0, 4 * hour},
		{"the clock was set back over midnight", daily, bucket.State{Tokens: 2, At: origin.Add(4*hour + minute)}, 4*hour - 2*time.Second, 2, 24*hour + 2*time.Second},
		{"the clock was far ahead", daily, bucket.State{Tokens: 2, At: origin.Add(10_000 * hour)}, hour, 2, 27 * hour},
		{"no time", daily, bucket.State{Tokens: 2}, hour, 2, 3 * hour},
		{"above the capacity", daily, bucket.State{Tokens: 20, At: origin}, hour, 10, 3 * hour},
		{"an hour that has begun", githubs(10), begun, 59 * minute, 4, minute},
		{"an hour that is over", githubs(10), begun, 60 * minute, 10, bucket.Forever},
		{"an hour that is over long since", githubs(10), begun, 600 * minute, 10, bucket.Forever},
		{"an hour that has not begun", githubs(10), full, 40 * minute, 10, bucket.Forever},
		{"an hour that began at a time unknown", githubs(10), evening, 5 * hour, 0, hour},
		{"an hour that ends in a year", githubs(10), bucket.State{Tokens: 4, At: origin, Resets: origin.Add(9000 * hour)}, 0, 4, hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := bucket.Restore(c.limit, reload(t, c.state), 7, origin.Add(c.wall))
			require.NoError(t, err)
			require.Equal(t, c.level, b.Available())
			require.Equal(t, bucket.Ledger{Initial: c.level}, b.Ledger())
			if c.next != bucket.Forever {
				c.next += 7
			}
			require.Equal(t, c.next, b.NextReset())
			b.Charge(7, 20)
			require.Equal(t, b.NextReset(), b.Ready(10))
		})
	}

	held := bucket.State{Tokens: 3, At: origin, Held: 6 * hour}
	during, err := bucket.Restore(daily, held, 0, origin.Add(hour))
	require.NoError(t, err)
	require.Equal(t, 5*hour, during.Ready(10), "a hold goes on, over midnight")
	require.Equal(t, 5*hour, during.HeldUntil())
	over, err := bucket.Restore(daily, held, 0, origin.Add(6*hour))
	require.NoError(t, err)
	require.True(t, over.Take(0, 10))
	text, err := json.Marshal(evening)
	require.NoError(t, err)
	require.NotContains(t, string(text), "resets")

	// The clock was set back over a restart, and is set right again.
	back, err := bucket.Restore(daily, bucket.State{At: origin.Add(4*hour + minute)}, 0, origin.Add(3*hour))
	require.NoError(t, err)
	back.SetWall(0, origin.Add(4*hour+2*minute))
	require.Zero(t, back.Available(), "that midnight has been")
	require.Equal(t, 24*hour-2*minute, back.NextReset())
}
