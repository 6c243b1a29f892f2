package bucket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
)

// quotaModel is a quota that goes from one reset to the next, one at a time. It is slow and obviously
// right.
type quotaModel struct {
	capacity, level int64
	now, heldUntil  time.Duration
	filled          time.Duration   // the latest reset
	resets          []time.Duration // all that are to come, of a calendar
	every           time.Duration   // of a period that begins with its first token, or 0
	ends            time.Duration   // when such a period ends, or Forever
}

// next returns the next reset.
func (m *quotaModel) next() time.Duration {
	if m.every > 0 {
		return m.ends
	}
	return m.resets[0]
}

// reset makes the next reset come.
func (m *quotaModel) reset() {
	m.filled, m.level = m.next(), m.capacity
	if m.every > 0 {
		m.ends = bucket.Forever
	} else {
		m.resets = m.resets[1:]
	}
}

func (m *quotaModel) advance(now time.Duration) {
	for m.next() <= now {
		m.reset()
	}
	m.now = max(m.now, now)
}

// set changes the level, which can begin a period.
func (m *quotaModel) set(level int64) {
	m.level = min(level, m.capacity)
	switch {
	case m.every == 0:
	case m.level == m.capacity:
		m.ends = bucket.Forever
	case m.ends == bucket.Forever:
		m.ends = m.now + m.every
	}
}

func (m *quotaModel) take(now time.Duration, n int64) bool {
	m.advance(now)
	if m.now < m.heldUntil || m.level < n {
		return false
	}
	m.set(m.level - n)
	return true
}

// ready takes n tokens, one period after the other, from a copy.
func (m quotaModel) ready(n int64) time.Duration {
	m.advance(max(m.now, m.heldUntil))
	for m.level < n {
		got := max(0, m.level)
		n -= got
		m.set(m.level - got)
		if m.every > 0 && m.ends == bucket.Forever {
			m.ends = m.now + m.every
		}
		m.advance(m.next())
	}
	return m.now
}

// TestQuotaAgainstModel checks that after any sequence of operations a quota agrees with the model, and
// that its ledger balances (B2, B5).
func TestQuotaAgainstModel(t *testing.T) {
	origin := evening(t).Add(-72 * hour)
	daily := bucket.Daily(1, losAngeles).Reset
	days := watch(daily, time.Date(2001, 1, 1, 0, 0, 0, 0, origin.Location()), origin, origin.AddDate(3, 0, 0))
	var hours []time.Duration
	for at := time.Duration(0); at < 3*365*24*hour; at += 7 * hour {
		hours = append(hours, at)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &quotaModel{capacity: rapid.Int64Range(1, 20).Draw(t, "capacity"), ends: bucket.Forever, filled: -bucket.Forever}
		var reset bucket.Reset
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			reset, m.resets = daily, days
		case 1:
			reset, m.resets = bucket.Reset{Every: 7 * hour, From: origin.Unix()}, hours
		case 2:
			reset, m.every = bucket.Reset{Every: 7 * hour, FromFirst: true}, 7*hour
		}
		m.level = m.capacity
		b, err := bucket.NewAt(bucket.Quota(m.capacity, reset), 0, origin)
		require.NoError(t, err)
		m.advance(0)
		step := func(f func(now time.Duration)) func(*rapid.T) {
			wait := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64Range(0, int64(3*hour)), rapid.Int64Range(0, int64(60*hour)))
			return func(t *rapid.T) {
				f(max(0, m.now+time.Duration(wait.Draw(t, "step"))))
			}
		}
		tokens := rapid.Custom(func(t *rapid.T) int64 { return rapid.Int64Range(0, m.capacity).Draw(t, "tokens") })
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				n := tokens.Draw(t, "n")
				step(func(now time.Duration) { require.Equal(t, m.take(now, n), b.Take(now, n)) })(t)
			},
			"take as soon as ready": func(t *rapid.T) {
				n := tokens.Draw(t, "n")
				ready := b.Ready(n)
				if ready > m.now {
					require.False(t, b.Take(ready-1, n))
					require.False(t, m.take(ready-1, n))
				}
				require.True(t, b.Take(ready, n))
				require.True(t, m.take(ready, n))
			},
			"refund": step(func(now time.Duration) {
				n := tokens.Draw(t, "n")
				taken := now - time.Duration(rapid.Int64Range(0, int64(12*hour)).Draw(t, "ago"))
				b.RefundFrom(now, taken, n)
				if m.advance(now); taken >= m.filled {
					m.set(m.level + n)
				}
			}),
			"charge": step(func(now time.Duration) {
				n := 3 * tokens.Draw(t, "n")
				b.Charge(now, n)
				m.advance(now)
				m.set(m.level - n)
			}),
			"set level": step(func(now time.Duration) {
				n := tokens.Draw(t, "n")
				b.SetLevel(now, n)
				m.advance(now)
				m.set(n)
			}),
			"hold": step(func(now time.Duration) {
				until := now + time.Duration(rapid.Int64Range(0, int64(50*hour)).Draw(t, "for"))
				b.Hold(now, until)
				m.advance(now)
				m.heldUntil = max(m.heldUntil, until)
			}),
			"skip": step(func(now time.Duration) {
				b.Skip(now)
				m.advance(now)
			}),
			"postpone": step(func(now time.Duration) {
				n := min(tokens.Draw(t, "n"), m.capacity-m.level)
				b.Postpone(now, n)
				m.set(m.level + n)
				m.advance(now)
				m.set(m.level - n)
			}),
			"set capacity": step(func(now time.Duration) {
				m.advance(now)
				m.capacity = rapid.Int64Range(1, 20).Draw(t, "capacity")
				require.NoError(t, b.SetLimit(now, bucket.Quota(m.capacity, reset)))
				m.set(m.level)
			}),
			"restart": step(func(now time.Duration) {
				wall := origin.Add(max(now, m.now))
				b.Advance(max(now, m.now))
				m.advance(max(now, m.now))
				again, err := bucket.Restore(b.Limit(), reload(t, b.State(m.now, wall)), m.now, wall)
				require.NoError(t, err)
				b = again
				if m.every > 0 {
					m.filled = -bucket.Forever // not saved, so a refund counts
				}
			}),
			"": func(t *rapid.T) {
				require.Equal(t, m.level, b.Available())
				require.Equal(t, max(m.now, m.heldUntil), b.HeldUntil())
				require.Equal(t, m.next(), b.NextReset())
				n := rapid.Int64Range(-5, 50*m.capacity).Draw(t, "ready for")
				require.Equal(t, m.ready(n), b.Ready(n), "ready for %d", n)
				requireBalanced(t, &b)
			},
		})
	})
}
