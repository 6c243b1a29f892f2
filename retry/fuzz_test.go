package retry_test

import (
	"math"
	"testing"
	"time"

	"example.com/fairlead/retry"
)

// FuzzDecide checks that no policy panics, and that a valid policy keeps every promise.
func FuzzDecide(f *testing.F) {
	f.Add(0, int64(0), int64(0), 0.0, 0.0, false, int64(0), uint64(0), uint64(1), 1, uint8(2), int64(0))
	f.Add(-1, int64(1), int64(math.MaxInt64), math.MaxFloat64, 1.0, false, int64(-1), uint64(9), uint64(math.MaxUint64), math.MaxInt, uint8(1), int64(math.MaxInt64))
	f.Add(math.MaxInt, int64(math.MaxInt64), int64(0), 1.0, -1.0, true, int64(math.MaxInt64), uint64(0), uint64(0), 1500, uint8(2), int64(math.MaxInt64))
	f.Add(-5, int64(-1), int64(math.MinInt64), math.NaN(), math.Inf(-1), true, int64(-9), uint64(0), uint64(0), math.MinInt, uint8(2), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, retries int, initial, longest int64, multiplier, jitter float64, full bool, serverMax int64, seed, call uint64, attempt int, kind uint8, wait int64) {
		p := retry.Policy{
			MaxRetries: retries, Initial: time.Duration(initial), Max: time.Duration(longest), Multiplier: multiplier,
			Jitter: jitter, FullJitter: full, MaxServerWait: time.Duration(serverMax), Seed: seed,
		}
		v := retry.Verdict{Kind: retry.Kind(kind), Wait: time.Duration(wait)}
		got := p.Decide(call, attempt, v)
		total := p.TotalWait(attempt)
		_ = got.String() + v.String() + p.String()
		if p.Validate() != nil {
			return
		}
		if p != p.WithDefaults() && got != p.WithDefaults().Decide(call, attempt, v) {
			t.Error("defaults filled in change the decision")
		}
		if total < 0 {
			t.Errorf("total wait %v", total)
		}
		if again := got.Action == retry.Again; again && (!v.Retryable() || attempt >= p.Attempts()) {
			t.Errorf("%v is retried after attempt %d of %d", v, attempt, p.Attempts())
		}
		switch longest := p.WithDefaults().Max; {
		case got.Action != retry.Again:
			if got.Delay != 0 {
				t.Errorf("%v with a delay of %v", got, got.Delay)
			}
		case v.Wait > 0:
			if got.Delay < v.Wait || got.Delay-v.Wait > min(v.Wait/10, 5*time.Second) {
				t.Errorf("asked for %v, waits %v", v.Wait, got.Delay)
			}
		case got.Delay < 0 || got.Delay > longest:
			t.Errorf("delay %v is not within 0 and %v", got.Delay, longest)
		}
	})
}
