package retry_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/fairlead/retry"
)

// policies draws valid policies, often with fields at their smallest and largest values.
func policies() *rapid.Generator[retry.Policy] {
	return rapid.Custom(func(t *rapid.T) retry.Policy {
		p := retry.Policy{
			MaxRetries:    rapid.OneOf(rapid.SampledFrom([]int{retry.None, 0, 1, math.MaxInt}), rapid.IntRange(1, 100)).Draw(t, "retries"),
			Initial:       durations().Draw(t, "initial"),
			Multiplier:    rapid.OneOf(rapid.SampledFrom([]float64{0, 1, 2, math.MaxFloat64}), rapid.Float64Range(1.001, 10)).Draw(t, "multiplier"),
			FullJitter:    rapid.Bool().Draw(t, "full"),
			MaxServerWait: rapid.OneOf(rapid.Just(time.Duration(retry.None)), durations()).Draw(t, "server wait"),
			Seed:          rapid.Uint64().Draw(t, "seed"),
		}
		if !p.FullJitter {
			p.Jitter = rapid.OneOf(rapid.SampledFrom([]float64{retry.None, 0, 1}), rapid.Float64Range(0, 1)).Draw(t, "jitter")
		}
		if longest := durations().Draw(t, "max"); longest >= p.Initial {
			p.Max = longest
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("the generator made a bad policy: %v", err)
		}
		return p
	})
}

// durations draws from zero to the longest duration, each order of magnitude with the same probability.
func durations() *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "d") >> rapid.IntRange(0, 63).Draw(t, "shift"))
	})
}

func attempts() *rapid.Generator[int] {
	return rapid.OneOf(rapid.IntRange(1, 70), rapid.SampledFrom([]int{128, 1500, math.MaxInt - 1, math.MaxInt}), rapid.Int())
}

// unjittered returns the policy without jitter.
func unjittered(p retry.Policy) retry.Policy {
	p.Jitter, p.FullJitter = retry.None, false
	return p
}

func TestR2_DelayKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, call, attempt := policies().Draw(t, "policy"), rapid.Uint64().Draw(t, "call"), attempts().Draw(t, "attempt")
		full := p.WithDefaults()
		base, got := unjittered(p).Delay(call, attempt), p.Delay(call, attempt)

		if base > full.Max || got > full.Max || base < 0 || got < 0 {
			t.Fatalf("base %v, delay %v: not within 0 and %v", base, got, full.Max)
		}
		if got != full.Delay(call, attempt) {
			t.Fatal("defaults filled in change the delay")
		}
		if p.FullJitter {
			if got > base {
				t.Fatalf("full jitter gave %v above %v", got, base)
			}
			return
		}
		width := math.Max(full.Jitter, 0) * float64(base)
		const rounding = 1 << 11 // the rounding error of a float64 for the longest duration
		if math.Abs(float64(got-base)) > width+rounding {
			t.Fatalf("delay %v is further than %v from %v", got, time.Duration(width), base)
		}
	})
}

func TestR2_DelayOnlyGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, attempt := unjittered(policies().Draw(t, "policy")), rapid.IntRange(1, 5000).Draw(t, "attempt")
		if this, next := p.Delay(0, attempt), p.Delay(0, attempt+1); this > next {
			t.Fatalf("%v after attempt %d, but %v after the next", this, attempt, next)
		}
	})
}

func TestR3_ReplayIsIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, call, attempt := policies().Draw(t, "policy"), rapid.Uint64().Draw(t, "call"), attempts().Draw(t, "attempt")
		v := retry.Verdict{Kind: retry.KindRateLimited, Wait: durations().Draw(t, "wait")}
		first := p.Decide(call, attempt, v)
		p.Decide(call+1, attempt, v) // another call in between
		if again := p.Decide(call, attempt, v); again != first {
			t.Fatalf("%v, and then %v", first, again)
		}
	})
}

func TestR5_ServerIsNeverUndercut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, call, attempt := policies().Draw(t, "policy"), rapid.Uint64().Draw(t, "call"), attempts().Draw(t, "attempt")
		d := durations().Draw(t, "wait")
		got := p.ServerWait(call, attempt, d)
		if got < d || got-d > min(d/10, 5*time.Second) {
			t.Fatalf("asked for %v, waits %v", d, got)
		}
	})
}

func TestTotalWait_IsTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, retries := unjittered(policies().Draw(t, "policy")), rapid.IntRange(0, 1024).Draw(t, "retries")
		var sum time.Duration
		for attempt := 1; attempt <= retries; attempt++ {
			d := p.Delay(0, attempt)
			if sum > math.MaxInt64-d {
				sum = math.MaxInt64
				break
			}
			sum += d
		}
		if got := p.TotalWait(retries); got != sum {
			t.Fatalf("total %v, sum %v", got, sum)
		}
	})
}
