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

// model is a textbook token bucket, whose level is a rational number of any size. It is slow and
// obviously right.
type model struct {
	limit      bucket.Limit
	level      *big.Rat
	refilledTo time.Duration
	lastSeen   time.Duration
	heldUntil  time.Duration
}

func newModel(l bucket.Limit, at time.Duration) *model {
	l = l.WithDefaults()
	return &model{limit: l, level: whole(l.Capacity), refilledTo: at, lastSeen: at, heldUntil: at}
}

func whole(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func (m *model) rate() *big.Rat { return big.NewRat(m.limit.Refill, int64(m.limit.Per)) }

func (m *model) advance(at time.Duration) {
	m.lastSeen = max(m.lastSeen, at)
	if at <= m.refilledTo {
		return
	}
	elapsed := new(big.Rat).SetInt(new(big.Int).Sub(big.NewInt(int64(at)), big.NewInt(int64(m.refilledTo))))
	m.refilledTo = at
	m.level.Add(m.level, elapsed.Mul(elapsed, m.rate()))
	m.clamp()
}

// clamp drops the tokens above the capacity. It leaves the fraction of a token that came within the
// last nanosecond.
func (m *model) clamp() {
	maxFrac := whole(1)
	if rate := m.rate(); rate.Cmp(maxFrac) < 0 {
		maxFrac = rate
	}
	maxFrac.Sub(maxFrac, new(big.Rat).Inv(reducedPer(m.limit)))
	if full := maxFrac.Add(maxFrac, whole(m.limit.Capacity)); m.level.Cmp(full) > 0 {
		m.level = full
	}
}

func (m *model) available() int64 { // floor of the level
	q := new(big.Int)
	q.Div(m.level.Num(), m.level.Denom()) // Euclidean: rounds down for a positive divisor
	return q.Int64()
}

func (m *model) ready(n int64) time.Duration {
	start := max(m.refilledTo, m.heldUntil)
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
	if m.lastSeen < m.heldUntil || m.available() < n {
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

// postpone advances as if the last n tokens were taken only then.
func (m *model) postpone(at time.Duration, n int64) {
	room := new(big.Int).Sub(big.NewInt(m.limit.Capacity), big.NewInt(m.available()))
	if room.IsInt64() {
		n = min(n, room.Int64()) // refunded tokens were not taken
	}
	m.level.Add(m.level, whole(n))
	m.advance(at)
	m.level.Sub(m.level, whole(n))
}

// skip lets time pass without refill. A hold still ends at its instant.
func (m *model) skip(at time.Duration) {
	m.lastSeen = max(m.lastSeen, at)
	m.refilledTo = max(m.refilledTo, at)
}

func (m *model) hold(at, until time.Duration) {
	m.advance(at)
	if until <= m.refilledTo {
		return
	}
	if m.level.Sign() > 0 {
		m.level = new(big.Rat)
	} else {
		m.level = whole(m.available()) // in debt the fraction is dropped and the debt stays
	}
	m.refilledTo, m.heldUntil = until, until
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

// reducedPer returns how many units make a token.
func reducedPer(l bucket.Limit) *big.Rat {
	return new(big.Rat).SetInt(big.NewRat(l.Refill, int64(l.Per)).Denom())
}

// genLimit draws ordinary limits, primes, the smallest and largest values, and powers of two. With
// those, products end in 64 zero bits, so that subtracting a fraction borrows from the upper half.
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

// TestAgainstModel checks that after any sequence of operations a bucket agrees with the model to
// the token and to the nanosecond, and that its ledger balances (B1, B2, B5, B6, H29, H30, H31, H32,
// H42, H43).
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
				if ready > max(at, m.refilledTo) {
					require.False(t, b.Take(ready-1, n), "a nanosecond early")
					m.advance(ready - 1)
				}
				at = max(at, ready)
				require.True(t, b.Take(at, n), "at the promised instant")
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

// TestTenYearsWithoutDrift drains a bucket in uneven steps for ten simulated years, and checks that
// it grants exactly the tokens that the formula allows (B2, H29).
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
			// A step has an odd length, so that all remainders occur. It ends early if the bucket
			// is full, so that nothing is lost and the formula is an equality.
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

// formula returns the bound of B2, initial + floor(refill·t/per).
func formula(l bucket.Limit, t time.Duration) int64 {
	n := new(big.Int).Mul(big.NewInt(l.Refill), big.NewInt(int64(t)))
	n.Div(n, big.NewInt(int64(l.Per)))
	return n.Add(n, big.NewInt(l.Capacity)).Int64()
}
