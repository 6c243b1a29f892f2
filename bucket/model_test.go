package bucket_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// model is a token bucket as a textbook would write it: the level is a rational
// number of any size. It is slow and obviously right.
type model struct {
	limit bucket.Limit
	level *big.Rat
	at    time.Duration // refill is counted up to here
	seen  time.Duration // the latest instant ever seen
	opens time.Duration
}

func newModel(l bucket.Limit, at time.Duration) *model {
	l = l.WithDefaults()
	return &model{limit: l, level: whole(l.Capacity), at: at, seen: at, opens: at}
}

func whole(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func (m *model) rate() *big.Rat { return big.NewRat(m.limit.Refill, int64(m.limit.Per)) }

func (m *model) advance(at time.Duration) {
	m.seen = max(m.seen, at)
	if at <= m.at {
		return
	}
	elapsed := new(big.Rat).SetInt(new(big.Int).Sub(big.NewInt(int64(at)), big.NewInt(int64(m.at))))
	m.at = at
	m.level.Add(m.level, elapsed.Mul(elapsed, m.rate()))
	m.clamp()
}

// clamp takes off what the bucket can't hold: all that is beyond its capacity but
// what came within the last nanosecond, and that only short of a token.
func (m *model) clamp() {
	slack := whole(1)
	if rate := m.rate(); rate.Cmp(slack) < 0 {
		slack = rate
	}
	slack.Sub(slack, new(big.Rat).Inv(reducedPer(m.limit)))
	if full := slack.Add(slack, whole(m.limit.Capacity)); m.level.Cmp(full) > 0 {
		m.level = full
	}
}

func (m *model) available() int64 { // floor of the level
	q := new(big.Int)
	q.Div(m.level.Num(), m.level.Denom()) // Euclidean: rounds down for a positive divisor
	return q.Int64()
}

func (m *model) ready(n int64) time.Duration {
	start := max(m.at, m.opens)
	missing := new(big.Rat).Sub(whole(n), m.level)
	if missing.Sign() <= 0 {
		return start
	}
	wait := missing.Quo(missing, m.rate())
	q, r := new(big.Int).QuoRem(wait.Num(), wait.Denom(), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	q.Add(q, big.NewInt(int64(start)))
	if !q.IsInt64() {
		return bucket.Forever
	}
	return time.Duration(q.Int64())
}

func (m *model) take(at time.Duration, n int64) bool {
	m.advance(at)
	if m.seen < m.opens || m.available() < n {
		return false
	}
	m.level.Sub(m.level, whole(n))
	return true
}

func (m *model) refund(at time.Duration, n int64) {
	m.advance(at)
	m.level.Add(m.level, whole(n))
	m.clamp()
}

func (m *model) charge(at time.Duration, n int64) {
	m.advance(at)
	m.level.Sub(m.level, whole(n))
}

// setLevel keeps the fraction of a token.
func (m *model) setLevel(at time.Duration, n int64) {
	m.advance(at)
	m.level.Sub(m.level, whole(m.available()))
	m.level.Add(m.level, whole(max(n, 0)))
	m.clamp()
}

// postpone counts the last n tokens as taken only at the instant at.
func (m *model) postpone(at time.Duration, n int64) {
	room := new(big.Int).Sub(big.NewInt(m.limit.Capacity), big.NewInt(m.available()))
	if room.IsInt64() {
		n = min(n, room.Int64()) // a refund since then was not taken
	}
	m.level.Add(m.level, whole(n))
	m.advance(at)
	m.level.Sub(m.level, whole(n))
}

// skip lets time pass without refill; a hold that is on runs out meanwhile.
func (m *model) skip(at time.Duration) {
	m.seen = max(m.seen, at)
	m.at = max(m.at, at)
}

func (m *model) hold(at, until time.Duration) {
	m.advance(at)
	if until <= m.at {
		return
	}
	if m.level.Sign() > 0 {
		m.level = new(big.Rat)
	} else {
		m.level = whole(m.available()) // in debt the fraction goes, the debt stays
	}
	m.at, m.opens = until, until
}

func (m *model) setLimit(at time.Duration, l bucket.Limit) {
	m.advance(at)
	// The fraction of a token is kept in units of the new Per, rounded down.
	units := new(big.Rat).Sub(m.level, whole(m.available()))
	m.limit = l
	per := reducedPer(l)
	units.Mul(units, per)
	floor := new(big.Rat).SetInt(new(big.Int).Div(units.Num(), units.Denom()))
	m.level = floor.Quo(floor, per).Add(floor, whole(m.available()))
	m.clamp()
}

// reducedPer is how many units make a token.
func reducedPer(l bucket.Limit) *big.Rat {
	return new(big.Rat).SetInt(big.NewRat(l.Refill, int64(l.Per)).Denom())
}

// genLimit draws ordinary limits, primes, the edges of what is legal, and those with
// which products end in 64 zeros, so that a fraction has to borrow from beyond them.
func genLimit(t *rapid.T, label string) bucket.Limit {
	if rapid.IntRange(0, 3).Draw(t, label+" of powers of two") == 0 {
		power := func(name string) int64 { return 1 << rapid.IntRange(1, 62).Draw(t, label+" log "+name) }
		return bucket.Limit{Capacity: power("capacity"), Refill: power("refill") - 1, Per: time.Duration(power("per"))}
	}
	count := rapid.OneOf(
		rapid.Int64Range(1, 1000),
		rapid.SampledFrom([]int64{1, 2, 7, 97, 1009, 999_999_937, 1_000_000_000, 1 << 40, math.MaxInt64 / 2, math.MaxInt64}),
		rapid.Int64Range(1, math.MaxInt64),
	)
	per := rapid.OneOf(
		rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second, time.Minute, time.Minute + 1, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour, 1_000_000_007, bucket.Forever}),
		rapid.Map(rapid.Int64Range(1, math.MaxInt64), func(n int64) time.Duration { return time.Duration(n) }),
	)
	return bucket.Limit{
		Capacity: count.Draw(t, label+" capacity"),
		Refill:   count.Draw(t, label+" refill"),
		Per:      per.Draw(t, label+" per"),
	}
}

func genStep(t *rapid.T) time.Duration {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-5, 5), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(0, int64(time.Minute)), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(0, int64(30*24*time.Hour)), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.SampledFrom([]time.Duration{-time.Hour, 10 * 365 * 24 * time.Hour}),
	).Draw(t, "step")
}

func genTokens(t *rapid.T, capacity int64) int64 {
	return rapid.OneOf(
		rapid.Int64Range(0, capacity),
		rapid.Int64Range(0, min(capacity, 20)),
		rapid.Just(capacity),
	).Draw(t, "tokens")
}

// TestAgainstModel (B1, B2, B5, B6, H29, H30, H31, H32, H42, H43): whatever is done to a
// bucket, it agrees with the rational model to the token and to the nanosecond,
// and its ledger balances.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := genLimit(t, "limit")
		at := time.Duration(rapid.Int64Range(-1000, 1000).Draw(t, "origin"))
		b, err := bucket.New(limit, at)
		require.NoError(t, err)
		m := newModel(limit, at)
		balanced := func() {
			l := b.Ledger()
			require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+b.Available(), "ledger %+v", l)
		}
		step := func(f func(at time.Duration)) func(*rapid.T) {
			return func(t *rapid.T) {
				if d := genStep(t); d < bucket.Forever-max(at, 0) {
					at += d
				}
				f(at)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": step(func(at time.Duration) {
				n := genTokens(t, m.limit.Capacity)
				require.Equal(t, m.take(at, n), b.Take(at, n))
			}),
			"take as soon as ready": func(t *rapid.T) {
				n := genTokens(t, m.limit.Capacity)
				ready := b.Ready(n)
				if ready == bucket.Forever {
					return
				}
				if ready > max(at, m.at) {
					require.False(t, b.Take(ready-1, n), "a nanosecond early")
					m.advance(ready - 1)
				}
				at = max(at, ready)
				require.True(t, b.Take(at, n), "at the instant promised")
				require.True(t, m.take(at, n))
			},
			"refund": step(func(at time.Duration) {
				n := genTokens(t, m.limit.Capacity)
				b.Refund(at, n)
				m.refund(at, n)
			}),
			"charge": step(func(at time.Duration) {
				n := genTokens(t, min(m.limit.Capacity, 1<<40))
				b.Charge(at, n)
				m.charge(at, n)
			}),
			"hold": step(func(at time.Duration) {
				until := at + min(max(genStep(t), 0), bucket.Forever-max(at, 0))
				b.Hold(at, until)
				m.hold(at, until)
			}),
			"set level": step(func(at time.Duration) {
				n := genTokens(t, m.limit.Capacity) - 1
				b.SetLevel(at, n)
				m.setLevel(at, n)
			}),
			"postpone": step(func(at time.Duration) {
				n := genTokens(t, m.limit.Capacity)
				b.Postpone(at, n)
				m.postpone(at, n)
			}),
			"skip": step(func(at time.Duration) {
				b.Skip(at)
				m.skip(at)
			}),
			"set limit": step(func(at time.Duration) {
				l := genLimit(t, "new")
				require.NoError(t, b.SetLimit(at, l))
				m.setLimit(at, l)
			}),
			"": func(t *rapid.T) {
				require.Equal(t, m.available(), b.Available(), "level")
				require.LessOrEqual(t, b.Available(), m.limit.Capacity)
				n := genTokens(t, m.limit.Capacity)
				require.Equal(t, m.ready(n), b.Ready(n), "ready for %d", n)
				balanced()
			},
		})
	})
}

// TestTenYearsWithoutDrift (B2, H29): a bucket drained whenever a token is there
// grants, over ten simulated years of uneven steps, exactly what the formula says.
func TestTenYearsWithoutDrift(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	for _, limit := range []bucket.Limit{
		bucket.Per(2, 24*time.Hour),
		bucket.Per(97, 24*time.Hour),
		bucket.Per(97, 24*time.Hour).Burst(1),
		bucket.PerMinute(100).Burst(1000),
		{Capacity: 1_000_033, Refill: 1009, Per: 1_000_003 * time.Microsecond},
		{Capacity: 999_999_937, Refill: 999_999_937, Per: time.Hour},
		bucket.PerSecond(1_000_000_000).Burst(1 << 50),
		bucket.Window(1000, time.Hour, 100),
	} {
		t.Run(limit.String(), func(t *testing.T) {
			b, err := bucket.New(limit, 0)
			require.NoError(t, err)
			require.True(t, b.Take(0, limit.Capacity))
			// Each step ends at a stride, odd so that all remainders occur, or as soon as
			// the bucket is full, so that nothing is lost and the formula is an equality.
			granted := limit.Capacity
			for now := time.Duration(0); now < years; {
				now = min(now+7_919*time.Second+13, b.Ready(limit.Capacity), years)
				b.Advance(now)
				n := b.Available()
				if !b.Take(now, n) || granted+n != formula(limit, now) {
					t.Fatalf("at %v: granted %d and took %d, want %d", now, granted, n, formula(limit, now))
				}
				granted += n
			}
		})
	}
}

// formula is B2: initial + floor(refill·t/per).
func formula(l bucket.Limit, t time.Duration) int64 {
	n := new(big.Int).Mul(big.NewInt(l.Refill), big.NewInt(int64(t)))
	n.Div(n, big.NewInt(int64(l.Per)))
	return n.Add(n, big.NewInt(l.Capacity)).Int64()
}
