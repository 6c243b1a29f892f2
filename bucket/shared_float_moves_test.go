package bucket_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

func (f *floats) book(now float64, a bucket.Ask, known bool) {
	if known && a.Epoch == f.epoch {
		if f.level = f.n(f.level + float64(a.Back)); f.level >= f.capacity {
			f.level, f.part = f.capacity, 0
		}
	}
	if a.Epoch != f.epoch && a.Epoch != "" && now < f.learns {
		f.level = max(f.n(f.level-float64(a.Mine)), f.lowest())
	}
	f.level = max(f.n(f.level-float64(a.Charge)), f.lowest())
	if a.HasRemaining && float64(a.Remaining) < f.level {
		f.level, f.part = float64(a.Remaining), 0
	}
	if f.held = max(f.held, f.n(now+float64(a.Hold.Microseconds()))); f.held > now {
		f.refilled = max(f.refilled, f.held)
		f.level, f.part = min(f.level, 0), 0
	}
}

func (f *floats) sharers(now float64) (n float64) {
	for _, m := range f.members {
		if now-m.seen <= 3e6 {
			n++
		}
	}
	return max(n, 1)
}

// reach returns how far ahead tokens are sold.
func (f *floats) reach(now, ahead float64) float64 {
	switch {
	case ahead > 0:
		return min(ahead, 1e6)
	case f.div(f.per, f.refill) >= 10_000:
		return 1e6
	}
	return min(max(f.sharers(now)*f.div(100*f.per, f.refill), 50_000), 1e6)
}

func (f *floats) answer(now, ahead float64) bucket.Answer {
	micros := func(us float64) time.Duration { return time.Duration(max(us, 0)) * time.Microsecond }
	return bucket.Answer{
		Level: int64(f.level), Part: int64(f.part), Refill: int64(f.refill), Per: int64(f.per),
		Capacity: int64(f.capacity), Version: int64(f.version), Sharers: int64(f.sharers(now)), Ahead: micros(f.reach(now, ahead)),
		Held: micros(f.held - now), Learning: micros(f.learns - now), Epoch: f.epoch,
	}
}

func (f *floats) sell(now float64, a bucket.Ask, ahead float64) float64 {
	if a.Leave || now < f.refilled {
		return 0
	}
	sharers := f.sharers(now)
	coming := f.div(f.reach(now, ahead)*f.refill, f.per)
	rest, turn := math.Mod(coming, sharers), math.Mod(f.sales+f.div(f.sales, sharers), sharers)
	share := f.div(max(f.level, 0), sharers) + f.div(coming, sharers) + f.div((turn+1)*rest, sharers) - f.div(turn*rest, sharers)
	return min(float64(a.Want), max(float64(a.Least), share, 1), max(0, f.level-f.lowest()))
}

// TestSharedInFloats: a store that counts in float64, as in Lua, answers the same, and meets no number above 2^53.
func TestSharedInFloats(t *testing.T) {
	var most float64
	for seed := range uint64(200) {
		var f floats
		storetest.Differential(t, seed, 500, f.exchange)
		require.LessOrEqual(t, f.most, float64(1<<53), "seed %d", seed)
		most = max(most, f.most)
	}
	require.Greater(t, most, float64(1<<52), "some limits are near the bound")
}
